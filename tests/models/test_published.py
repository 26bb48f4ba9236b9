from __future__ import annotations

import gzip
import os

import numpy as np
import pytest
import torch

from bindstream.errors import ModelError
from bindstream.models import load_model
from bindstream.models.imagebind import Tower
from bindstream.models.published import import_checkpoint, tower_name
from bindstream.models.sizes import HUGE, TowerConfig
from tests import parity

SENSORS = ("vision", "audio", "thermal", "depth", "imu")
SMALL = {
    modality: TowerConfig(modality=modality, width=64, blocks=2, heads=4, dim=32)
    for modality in SENSORS
}


def test_every_published_entry_has_its_place_and_shape():
    shapes: dict[str, dict[str, tuple[int, ...]]] = {}
    published = parity.table("keys_huge.json")
    for name, shape in published.items():
        if found := tower_name(name):
            shapes.setdefault(found[0], {})[found[1]] = tuple(shape)
    assert len(published) == 1311
    with torch.device("meta"):
        for modality, config in HUGE.items():
            state = Tower(config).state_dict()
            assert {name: tuple(value.shape) for name, value in state.items()} == shapes[modality]


def test_an_entry_that_is_not_imagebind_s_is_named():
    with pytest.raises(ModelError, match=r"visual\.conv1\.weight"):
        tower_name("visual.conv1.weight")


@pytest.fixture
def checkpoint(tmp_path):
    """The narrowed reference as a published checkpoint, less its large text tower."""
    fill, entries = parity.seeded().fill, {}
    for name, shape in parity.table("keys_small.json").items():
        if ".text." not in name and (value := fill(name, tuple(shape))) is not None:
            entries[name] = torch.from_numpy(value)
    entries["modality_postprocessors.text.1.log_logit_scale"] = torch.tensor(np.log(200.0))
    torch.save(entries, tmp_path / "small.pth")
    return tmp_path / "small.pth"


def test_an_imported_checkpoint_gives_the_reference_s_vectors(checkpoint, tmp_path):
    import_checkpoint(
        checkpoint, "unused", tmp_path / "out", modalities=SENSORS, configs=SMALL, name="small"
    )
    model = load_model(tmp_path / "out", device="cpu")
    assert "research only" in model.licence
    assert model.temperature("vision") == pytest.approx(0.01)  # the learned scale is clipped at 100
    assert model.temperature("depth") == 0.2
    inputs, expected = parity.seeded().inputs(2), parity.figures("golden_small.npz")
    for modality in SENSORS:
        unit = expected[modality] / np.linalg.norm(expected[modality], axis=1, keepdims=True)
        cosines = (model.encode(modality, inputs[modality]) * unit).sum(1)
        assert cosines.min() > 0.99999  # fp16 weights


def test_a_checkpoint_of_another_size_is_refused(checkpoint, tmp_path):
    with pytest.raises(ModelError, match="not of the published shape"):
        import_checkpoint(checkpoint, "unused", tmp_path / "out", modalities=["imu"])


@pytest.mark.parametrize("content", [b"", b"no checkpoint" * 100])
def test_a_file_that_is_no_checkpoint_is_named(tmp_path, content):
    (tmp_path / "x.pth").write_bytes(content)
    with pytest.raises(ModelError, match=r"x\.pth"):
        import_checkpoint(tmp_path / "x.pth", "unused", tmp_path / "out")


def test_a_truncated_checkpoint_is_named(checkpoint, tmp_path):
    checkpoint.write_bytes(checkpoint.read_bytes()[:-5000])
    with pytest.raises(ModelError, match=r"small\.pth"):
        import_checkpoint(checkpoint, "unused", tmp_path / "out", modalities=["imu"])


def test_a_checkpoint_that_carries_code_is_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"modality_heads.imu.0.weight": Bomb()}, tmp_path / "x.pth")
    with pytest.raises(ModelError, match="cannot be read"):
        import_checkpoint(tmp_path / "x.pth", "unused", tmp_path / "out")
    assert not (tmp_path / "ran").exists()


def test_text_wants_the_published_merges(checkpoint, tmp_path):
    with gzip.open(tmp_path / "merges.gz", "wt") as file:
        file.write("#version: 0.2\ni n\nt h\n")
    text = TowerConfig(
        modality="text", width=64, blocks=2, heads=4, dim=32, vocabulary=49408, end_id=49407
    )
    entries = torch.load(checkpoint)
    for name, shape in parity.table("keys_small.json").items():
        if ".text." in name and "postprocessors" not in name:
            entries[name] = torch.zeros(shape)
    torch.save(entries, checkpoint)
    with pytest.raises(ModelError, match="holds 2 merges"):
        import_checkpoint(
            checkpoint, tmp_path / "merges.gz", tmp_path / "out", configs={**SMALL, "text": text}
        )
