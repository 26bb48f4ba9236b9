from __future__ import annotations

import gc
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from bindstream.errors import ModelError
from bindstream.modalities import MODALITIES
from bindstream.models import load_model, towers
from bindstream.models.directory import GOLDEN
from bindstream.models.precision import LEAST_COSINE, cpu_flags
from bindstream.models.saving import save_model
from tests.models import narrow

TEXTS = ["a dog barking", "glass breaking"]
PLAIN = frozenset({"sse2", "avx2"})
WITH_BFLOAT16 = PLAIN | {"avx512_bf16"}
OUT_OF_REACH = 1.1


@pytest.fixture
def flags(monkeypatch):
    """Gives the processor other flags."""

    def give(found: frozenset[str]) -> None:
        monkeypatch.setattr(towers, "cpu_flags", lambda: found)

    return give


def opened(directory: Path | str, *modalities: str, **given):
    return load_model(directory, modalities=modalities or None, device="cpu", **given)


def batch(modality: str = "imu") -> np.ndarray:
    shape = MODALITIES[modality].model_input
    return np.random.default_rng(5).standard_normal((2, *shape), np.float32)


def change_golden(directory: Path, modality: str, change) -> None:
    """Let golden.safetensors hold other vectors, and model.json state it so."""
    vectors = load_file(directory / GOLDEN)
    vectors[modality] = change(vectors[modality])
    save_file(vectors, directory / GOLDEN)
    narrow.state(directory, GOLDEN)


def turned(cosine: float):
    """Turns unit vectors away from themselves, to this cosine."""

    def turn(vectors: torch.Tensor) -> torch.Tensor:
        other = vectors.roll(1, -1)
        other -= (other * vectors).sum(-1, keepdim=True) * vectors
        other /= other.norm(dim=-1, keepdim=True)
        return cosine * vectors + (1 - cosine**2) ** 0.5 * other

    return turn


def save_loud(directory: Path) -> None:
    """An IMU tower whose patches exceed what float16 holds, though none of its weights does."""
    spec, drawn, _ = narrow.parts()
    imu = drawn["imu"]
    with torch.no_grad():
        imu.stem.weight *= 5e5
    spec = spec.model_copy(update={"towers": {"imu": spec.towers["imu"]}})
    save_model(directory, spec, {"imu": imu})


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_the_starter_gives_its_golden_vectors_in_half_precisions(flags, precision):
    flags(PLAIN)
    model = opened("starter", precision=precision, threads=2)
    gave_way = {modality for modality in MODALITIES if model.precision[modality] != precision}
    # Text may lose more than it should (a cosine of 0.998) to the 8 bits of bfloat16.
    assert gave_way <= ({"text"} if precision == "bfloat16" else set())
    cosines = model.golden
    assert set(cosines) == set(MODALITIES)
    assert min(cosines.values()) >= LEAST_COSINE[precision] == 0.999
    assert model.faults() == {}


def test_vectors_in_half_precisions_are_near_those_in_float32(kept):
    whole = opened(kept, "imu", "audio", "text", precision="float32")
    for precision in ("bfloat16", "float16"):
        half = opened(kept, "imu", "audio", "text", precision=precision)
        assert set(half.precision.values()) == {precision}
        for modality in ("imu", "audio"):
            one, other = (m.encode(modality, batch(modality)) for m in (whole, half))
            assert (one * other).sum(1).min() >= 0.999
            assert not np.array_equal(one, other)
            assert other.dtype == np.float32
        one, other = whole.encode_text(TEXTS), half.encode_text(TEXTS)
        assert (one * other).sum(1).min() >= 0.999


@pytest.mark.parametrize("found", [PLAIN, WITH_BFLOAT16])
def test_auto_is_bfloat16_where_the_cpu_computes_in_it(kept, flags, found):
    flags(found)
    model = opened(kept, "imu", "text")
    expected = "bfloat16" if found == WITH_BFLOAT16 else "float32"
    assert model.precision == {"imu": expected, "text": expected}
    assert len(model.reasons) == 1
    assert model.reasons[0].startswith(f"imu, text in {expected}: this CPU ")
    assert model.warnings == {}


def test_a_tower_that_overflows_float16_computes_in_the_next_precision(tmp_path, flags):
    save_loud(tmp_path)
    for found, then in ((WITH_BFLOAT16, "bfloat16"), (PLAIN, "float32")):
        flags(found)
        model = opened(tmp_path, precision="float16")
        assert model.precision == {"imu": then}
        assert f"computes in {then}: float16 gives other vectors" in model.warnings["tower imu"]
        assert model.faults() == {}
        assert np.isfinite(model.encode("imu", batch())).all()


def test_a_precision_asked_for_that_fails_gives_way_with_a_warning(kept, flags, monkeypatch):
    flags(WITH_BFLOAT16)
    monkeypatch.setitem(LEAST_COSINE, "int8", OUT_OF_REACH)
    model = opened(kept, "imu", "text", precision="int8")
    assert model.precision == {"imu": "bfloat16", "text": "bfloat16"}
    for modality in ("imu", "text"):
        warning = model.warnings[f"tower {modality}"]
        assert warning.startswith("computes in bfloat16: int8 gives other vectors (golden cosine ")
        assert "1.1 is due" in warning
    monkeypatch.setitem(LEAST_COSINE, "bfloat16", OUT_OF_REACH)
    model = opened(kept, "imu", precision="int8")
    assert model.precision == {"imu": "float32"}
    warning = model.warnings["tower imu"]
    assert "int8 gives other vectors" in warning
    assert "; bfloat16 gives other vectors" in warning
    assert model.faults() == {}


def test_where_nothing_was_asked_for_the_reason_is_said_without_a_warning(kept, flags, monkeypatch):
    flags(WITH_BFLOAT16)
    monkeypatch.setitem(LEAST_COSINE, "bfloat16", OUT_OF_REACH)
    model = opened(kept, "imu")
    assert model.precision == {"imu": "float32"}
    (reason,) = model.reasons
    assert reason.startswith("imu in float32: bfloat16 gives other vectors (golden cosine ")
    assert model.warnings == {}


def test_a_precision_the_device_cannot_compute_in_gives_way(kept, flags, monkeypatch):
    flags(PLAIN)
    load_tower = towers.load_tower

    def lacking(spec, modality, path, precision, device):
        if precision == "int8":
            raise RuntimeError("no such product\nfor this device")
        return load_tower(spec, modality, path, precision, device)

    monkeypatch.setattr(towers, "load_tower", lacking)
    model = opened(kept, "imu", precision="int8")
    assert model.precision == {"imu": "float32"}
    said = "computes in float32: int8 cannot be computed here (no such product)"
    assert model.warnings == {"tower imu": said}


@pytest.mark.parametrize("precision", ["auto", "float32", "int8"])
def test_a_tower_that_is_a_little_off_in_float32_too_is_at_fault(saved, precision, monkeypatch):
    change_golden(saved, "imu", turned(0.995))
    monkeypatch.setitem(LEAST_COSINE, "int8", 0.999)
    model = opened(saved, "imu", "text", precision=precision)
    assert model.precision["imu"] == "float32"
    assert set(model.faults()) == {"tower imu"}
    assert "gives other vectors than it was saved with (cosine 0.99" in model.faults()["tower imu"]
    assert model.warnings["tower imu"].startswith(model.faults()["tower imu"])
    assert ("computes in float32" in model.warnings["tower imu"]) == (precision == "int8")
    assert "tower text" not in model.warnings


@pytest.mark.parametrize("precision", ["auto", "float32", "int8"])
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (turned(0.989), r"cosine 0\.9890, 0\.99 is the least"),
        (torch.negative, r"cosine -1\.0000"),
        (lambda v: v * torch.nan, "cosine nan"),
    ],
)
def test_a_tower_that_is_far_off_its_golden_vectors_is_refused(saved, precision, change, says):
    change_golden(saved, "imu", change)
    with pytest.raises(ModelError, match=f"gives other vectors than it was saved .*{says}") as out:
        opened(saved, "text", "imu", precision=precision)
    assert "tower imu" in out.value.where
    assert "again" in out.value.fix
    model = opened(saved, "text", precision=precision)  # the others may be used
    with pytest.raises(ModelError, match=says):
        model.load("imu")
    assert model.modalities == model.in_memory == ("text",)
    assert model.encode_text(TEXTS).shape == (2, narrow.DIM)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda v: v[:1], r"\(1, 24\) float32, \(2, 24\) floating point is due"),
        (lambda v: v[:, :9].clone(), r"\(2, 9\)"),
        (lambda v: v.repeat(1, 2), r"\(2, 48\)"),
        (lambda v: v[0, 0].clone(), r"\(\)"),
        (lambda v: v.to(torch.int32), "int32"),
    ],
)
def test_golden_vectors_of_another_shape_or_type_are_damage(saved, change, says):
    change_golden(saved, "imu", change)
    with pytest.raises(ModelError, match=f"vectors for imu are .*{says}") as raised:
        opened(saved, "imu")
    assert raised.value.where == str(saved / GOLDEN)
    assert opened(saved, "audio").modalities == ("audio",)


LACKS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB."),
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
]


@pytest.mark.parametrize("lack", LACKS, ids=["cuda", "python", "cpu", "mps"])
@pytest.mark.parametrize("where", ["load_tower", "golden_vectors"])
def test_lack_of_memory_is_no_reason_to_try_wider_numbers(kept, monkeypatch, where, lack):
    tried = []

    def lacking(*given):
        tried.append(given)
        raise lack

    monkeypatch.setattr(towers, where, lacking)
    with pytest.raises(ModelError, match="not fit into the memory of cpu in int8") as raised:
        opened(kept, "imu", precision="int8")
    assert len(tried) == 1
    assert raised.value.where == "tower imu"
    assert "fewer towers or another device" in raised.value.fix


def test_lack_of_memory_for_float32_says_to_compute_in_less(kept, monkeypatch):
    monkeypatch.setattr(towers, "golden_vectors", lambda *_: torch.empty(2**50))
    with pytest.raises(ModelError, match="memory of cpu in float32") as raised:
        opened(kept, "imu", precision="float32")
    assert "`precision` (int8, bfloat16)" in raised.value.fix


def test_a_device_that_cannot_compute_float32_either_is_an_error_with_the_way_out(
    kept, monkeypatch
):
    def lacking(*_):
        raise RuntimeError("no such kernel\nfor this device")

    monkeypatch.setattr(towers, "golden_vectors", lacking)
    with pytest.raises(
        ModelError, match=r"on cpu, not in float32 either \(no such kernel\)"
    ) as out:
        opened(kept, "imu", precision="int8")
    assert "tower imu" in out.value.where
    assert "another `device`" in out.value.fix


def test_golden_vectors_that_are_missing_are_damage(saved):
    vectors = load_file(saved / GOLDEN)
    del vectors["imu"]
    save_file(vectors, saved / GOLDEN)
    narrow.state(saved, GOLDEN)
    assert opened(saved, "audio").modalities == ("audio",)
    with pytest.raises(ModelError, match="no vectors for imu"):
        opened(saved, "audio", "imu")


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_a_released_tower_is_read_again_with_the_same_vectors(kept, precision):
    model = opened(kept, "imu", "text", precision=precision)
    assert model.in_memory == ("imu", "text")
    before = model.encode_text(TEXTS), model.encode("imu", batch())
    model.release("text")
    assert model.in_memory == ("imu",)
    model.release("text")
    model.release("imu")
    assert model.in_memory == ()
    assert model.modalities == ("imu", "text")
    assert model.precision == {"imu": precision, "text": precision}
    assert model.unknown_words("a zebra") == ["zebra"]
    assert model.in_memory == ()  # which took no tower
    np.testing.assert_array_equal(model.encode_text(TEXTS), before[0])
    assert model.in_memory == ("text",)
    np.testing.assert_array_equal(model.encode("imu", batch()), before[1])
    assert set(model.in_memory) == {"imu", "text"}
    assert model.warnings == opened(kept, "imu", "text", precision=precision).warnings


def test_a_tower_that_gave_way_is_read_again_in_what_it_came_to(tmp_path, flags):
    flags(PLAIN)
    save_loud(tmp_path)
    model = opened(tmp_path, precision="float16")
    before, warnings = model.encode("imu", batch()), model.warnings
    model.release("imu")
    np.testing.assert_array_equal(model.encode("imu", batch()), before)
    assert (model.precision, model.warnings) == ({"imu": "float32"}, warnings)


@pytest.mark.parametrize("same_size", [True, False])
def test_a_file_that_changed_while_its_tower_was_released_is_refused(saved, same_size):
    model = opened(saved, "text", precision="float32")
    before = model.encode_text(TEXTS)
    path = saved / "text.safetensors"
    whole = path.read_bytes()
    model.release("text")
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]) if same_size else whole + b"\0")
    for _ in range(2):  # and not only the first time
        with pytest.raises(ModelError, match="SHA-256" if same_size else "bytes") as raised:
            model.encode_text(TEXTS)
        assert raised.value.where == str(path)
        assert model.in_memory == ()
    path.write_bytes(whole)
    np.testing.assert_array_equal(model.encode_text(TEXTS), before)


def test_a_file_that_is_gone_while_its_tower_was_released_is_named(saved):
    model = opened(saved, "text")
    model.release("text")
    (saved / "text.safetensors").unlink()
    with pytest.raises(ModelError, match="missing") as raised:
        model.encode_text(TEXTS)
    assert raised.value.where == str(saved / "text.safetensors")
    assert model.encode_text([]).shape == (0, narrow.DIM)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/maps")
def test_releasing_a_tower_gives_its_pages_back(saved):
    maps = Path("/proc/self/maps")
    model = opened(saved, "imu", "text", precision="float16")
    assert str(saved / "text.safetensors") in maps.read_text()
    model.release("text")
    gc.collect()
    assert str(saved / "text.safetensors") not in maps.read_text()
    assert str(saved / "imu.safetensors") in maps.read_text()


def test_files_are_hashed_again_only_if_they_were_touched(saved, monkeypatch):
    hashed: list[str] = []
    check_file = towers.check_file

    def noted(directory, spec, name):
        hashed.append(name)
        return check_file(directory, spec, name)

    monkeypatch.setattr(towers, "check_file", noted)
    model = opened(saved, "text")
    hashed.clear()
    for touched in (False, True, False):
        model.release("text")
        if touched:
            path = saved / "text.safetensors"
            path.write_bytes(path.read_bytes())
        model.encode_text(TEXTS)
        assert hashed == (["text.safetensors"] if touched else [])
        hashed.clear()


def test_flags_of_this_processor_decide_where_nothing_is_asked_for(kept):
    precision = opened(kept, "imu").precision["imu"]
    has_bfloat16 = not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(cpu_flags())
    assert precision == ("bfloat16" if has_bfloat16 else "float32")
