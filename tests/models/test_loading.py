from __future__ import annotations

import gc
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from bindstream.errors import ModelError
from bindstream.modalities import MODALITIES
from bindstream.models import load_model, loading
from bindstream.models.directory import CARD, ModelSpec, read_spec
from bindstream.models.loading import load_tower, read_tensors
from bindstream.models.precision import cpu_flags
from bindstream.models.quantized import int8_levels, int8_weights
from bindstream.models.saving import save_model
from tests.models import narrow

MAPS = Path("/proc/self/maps")
needs_maps = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/maps")


def save_as(directory: Path, dtype: str) -> ModelSpec:
    spec, towers, _ = narrow.parts()
    stated = {"dtype": dtype, "towers": {"imu": spec.towers["imu"]}}
    save_model(directory, spec.model_copy(update=stated), {"imu": towers["imu"]})
    return read_spec(directory)


def is_mapped(value: torch.Tensor, path: Path) -> bool:
    """Whether a tensor's bytes lie in pages of the file."""
    for line in MAPS.read_text().splitlines():
        first, last = (int(end, 16) for end in line.split()[0].split("-"))
        if first <= value.data_ptr() < last:
            return line.endswith(str(path))
    return False


def is_open(path: Path) -> bool:
    return str(path) in MAPS.read_text()


def test_only_files_of_the_towers_asked_for_are_read(saved):
    for path in saved.iterdir():
        if path.name not in (CARD, "golden.safetensors", "imu.safetensors"):
            path.unlink()
    model = load_model(saved, modalities=["imu"], device="cpu")
    assert model.encode("imu", np.zeros((1, 6, 2000), np.float32)).shape == (1, narrow.DIM)
    with pytest.raises(ModelError, match="missing"):
        load_model(saved, modalities=["imu", "audio"], device="cpu")


@pytest.mark.parametrize("modality", MODALITIES)
def test_weights_stored_in_float16_are_those_that_float32_computes_with(kept, modality):
    path = kept / f"{modality}.safetensors"
    stored = load_file(path)
    loaded = load_tower(read_spec(kept), modality, path, "float32").state_dict()
    assert loaded.keys() == stored.keys()
    for name, value in stored.items():
        assert value.dtype == torch.float16
        assert loaded[name].dtype == torch.float32
        assert torch.equal(loaded[name], value.float())


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precisions_hold_every_weight_in_two_bytes(kept, precision):
    path = kept / "imu.safetensors"
    tower = load_tower(read_spec(kept), "imu", path, precision)
    stored = load_file(path)
    for name, value in tower.state_dict().items():
        assert torch.equal(value, stored[name].to(getattr(torch, precision)))
    assert not tower.training
    assert not any(value.requires_grad for value in tower.parameters())


def test_int8_weights_are_rounded_from_the_stored_ones(kept):
    path = kept / "imu.safetensors"
    tower = load_tower(read_spec(kept), "imu", path, "int8")
    stored = load_file(path)["blocks.1.mlp.fc1.weight"]
    whole, scale = int8_weights(stored, int8_levels(cpu_flags()))
    assert torch.equal(tower.blocks[1].mlp.fc1.weight, whole)
    assert torch.equal(tower.blocks[1].mlp.fc1.scale, scale)


@needs_maps
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_weights_stored_as_they_are_computed_with_are_the_file_s_pages(tmp_path, dtype):
    spec, path = save_as(tmp_path, dtype), tmp_path / "imu.safetensors"
    tower = load_tower(spec, "imu", path, dtype)
    assert all(is_mapped(value, path) for value in tower.state_dict().values())
    del tower
    gc.collect()
    assert not is_open(path)


@needs_maps
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_nothing_of_the_file_stays_where_weights_are_converted(kept, precision):
    path = kept / "imu.safetensors"
    tower = load_tower(read_spec(kept), "imu", path, precision)
    assert not any(is_mapped(value, path) for value in tower.state_dict().values())
    assert not is_open(path)


def test_reading_one_by_one_gives_the_same_as_together(kept):
    path = kept / "audio.safetensors"
    together, each = dict(read_tensors(path)), dict(read_tensors(path, together=False))
    assert together.keys() == each.keys()
    assert all(torch.equal(together[name], each[name]) for name in each)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("content", [b"", b"{}", bytes(100), b"\xff" * 100])
def test_a_file_that_is_no_safetensors_file_is_named(tmp_path, content, together):
    path = tmp_path / "imu.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="no safetensors file") as raised:
        list(read_tensors(path, together=together))
    assert raised.value.where == str(path)
    assert "again" in raised.value.fix


@pytest.mark.parametrize("length", [-1, 100, 0])
def test_a_truncated_file_is_refused_even_where_the_card_agrees(saved, length):
    path = saved / "imu.safetensors"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ModelError, match="truncated") as raised:
        load_model(saved, modalities=["imu"], device="cpu")
    assert "Copy or install the model directory again." in raised.value.fix
    narrow.state(saved, path.name)
    with pytest.raises(ModelError, match="no safetensors file"):
        load_model(saved, modalities=["imu"], device="cpu")


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda w: w.pop("head.weight"), "head.weight"),
        (lambda w: w.pop("blocks.0.mlp.fc1.weight"), r"blocks\.0\.mlp\.fc1\.weight"),
        (lambda w: w.update(stranger=torch.zeros(3)), "stranger"),
        (lambda w: w.update({"head.weight": torch.zeros(9, 9)}), "head.weight"),
        (lambda w: w.update({"blocks.0.mlp.fc1.weight": torch.zeros(9, 9)}), "fc1.weight"),
        (lambda w: w.update({"blocks.0.mlp.fc1.weight": torch.zeros(9)}), "fc1.weight"),
    ],
)
def test_weights_of_other_names_or_shapes_are_refused(saved, precision, change, says):
    path = saved / "imu.safetensors"
    weights = load_file(path)
    change(weights)
    save_file(weights, path)
    narrow.state(saved, path.name)
    with pytest.raises(ModelError, match=says) as raised:
        load_model(saved, modalities=["imu"], device="cpu", precision=precision)
    assert "do not fit" in raised.value.what
    assert raised.value.where == "tower imu"
    assert raised.value.fix == "Copy the model directory again."


def test_a_device_without_the_memory_is_not_taken_for_a_damaged_file(kept, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB.")

    monkeypatch.setattr(loading, "fill_tower", full)
    with pytest.raises(ModelError, match="memory of cpu") as raised:
        load_tower(read_spec(kept), "imu", kept / "imu.safetensors")
    assert "fewer towers" in raised.value.fix


def test_sizes_that_cannot_be_built_are_refused(kept):
    spec = read_spec(kept)
    imu = spec.towers["imu"].model_copy(update={"patch": 3000})  # which nothing has checked
    spec = spec.model_copy(update={"towers": {"imu": imu}})
    with pytest.raises(ModelError, match="negative dimension") as raised:
        load_tower(spec, "imu", kept / "imu.safetensors")
    assert raised.value.where == "tower imu"


@pytest.mark.parametrize(
    ("newer", "fix"),
    [
        ({"format": 2}, "Upgrade bindstream."),
        ({"weights": "sharded"}, "Upgrade bindstream if a newer one wrote the directory"),
        ({"preprocessing": 99}, "bindstream version it was made with"),
        ({"architecture": "other"}, "newer bindstream may know it"),
    ],
)
def test_a_directory_of_a_newer_bindstream_is_refused_with_the_way_out(saved, newer, fix):
    card = json.loads((saved / CARD).read_text())
    (saved / CARD).write_text(json.dumps({**card, **newer}))
    with pytest.raises(ModelError) as raised:
        load_model(saved, modalities=["imu"], device="cpu")
    assert fix in raised.value.fix
    assert raised.value.where == str(saved / CARD)


def test_a_precision_there_is_not_is_refused_by_name(kept):
    with pytest.raises(ModelError, match="'int4' is no precision") as raised:
        load_model(kept, precision="int4")
    for name in ("auto", "float32", "bfloat16", "float16", "int8"):
        assert name in raised.value.fix
