from __future__ import annotations

import json
import resource
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from bindstream.errors import ModelError
from bindstream.modalities import MODALITIES, SENSORS
from bindstream.models import load_model
from bindstream.models.directory import CARD, ModelSpec, read_spec
from bindstream.models.imagebind import Tower
from bindstream.models.published.imagebind import IMAGEBIND
from bindstream.models.published.importing import import_checkpoints
from bindstream.models.tokenizer import clip_tokenizer
from tests.models import narrow
from tests.models.merges import write_merges
from tests.models.published import checkpoints
from tests.models.published.checkpoints import NARROW


@pytest.fixture(scope="module")
def merges(tmp_path_factory) -> Path:
    return write_merges(tmp_path_factory.mktemp("merges") / "bpe_simple_vocab_16e6.txt.gz")


@pytest.fixture
def imu(tmp_path) -> Path:
    torch.save(checkpoints.imagebind(["imu"]), tmp_path / "imu.pth")
    return tmp_path / "imu.pth"


def bring(path: Path, to: Path, **options) -> ModelSpec:
    options = {"towers": ["imu"], "configs": NARROW, **options}
    return import_checkpoints([path], to, **options)


def inputs(modality: str) -> np.ndarray:
    return np.random.default_rng(4).standard_normal(
        (2, *MODALITIES[modality].model_input), np.float32
    )


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@torch.no_grad()
def test_an_imported_model_computes_what_its_checkpoint_does(tmp_path, merges, suffix, dtype):
    state, path = checkpoints.imagebind(), tmp_path / f"narrow.{suffix}"
    (save_file if suffix == "safetensors" else torch.save)(state, path)
    towers = ["imu", "thermal", "text"]
    spec = bring(path, tmp_path / "out", towers=towers, vocabulary=merges, dtype=dtype)
    assert (spec.dtype, tuple(spec.towers)) == (dtype, tuple(towers))
    model = load_model(tmp_path / "out", device="cpu", precision="float32")
    assert model.fingerprint == spec.fingerprint
    assert model.faults() == {}
    direct = {}
    for modality in towers:
        entries = IMAGEBIND.weights(NARROW[modality])
        direct[modality] = Tower(NARROW[modality]).eval()
        direct[modality].load_state_dict(
            {n: state[e.name].to(getattr(torch, dtype)).float() for n, e in entries.items()}
        )
    for modality in ("imu", "thermal"):
        expected = direct[modality](torch.from_numpy(inputs(modality))).numpy()
        np.testing.assert_allclose(model.encode(modality, inputs(modality)), expected, atol=1e-5)
    ids = torch.from_numpy(clip_tokenizer(merges).encode(["a dog"]))
    found = model.encode_text(["a dog"])
    np.testing.assert_allclose(found, direct["text"](ids).numpy(), atol=1e-5)


def test_what_is_stated_of_a_published_model(tmp_path, merges):
    torch.save(checkpoints.imagebind(), tmp_path / "narrow.pth")
    said: list[tuple[str, float]] = []
    spec = bring(
        tmp_path / "narrow.pth",
        tmp_path / "out",
        towers=None,
        vocabulary=merges,
        report=lambda what, share: said.append((what, share)),
    )
    assert read_spec(tmp_path / "out") == spec
    assert spec.name == "imagebind_huge"
    assert "CC BY-NC-SA 4.0" in spec.licence
    assert "research only" in spec.licence
    assert spec.scales == pytest.approx(
        {"vision": 1, "text": 1 / 0.07, "audio": 20, "depth": 5, "thermal": 10, "imu": 5}, rel=1e-5
    )
    assert spec.temperature == pytest.approx(
        {"vision": 0.07, "audio": 0.05, "depth": 0.2, "thermal": 0.1, "imu": 0.2}, rel=1e-5
    )
    limits = "\n".join(spec.limits)
    assert all(word in limits for word in ("depth: experimental", "head-mounted", "77 tokens"))
    assert set(spec.notes["sources"].values()) == {"narrow.pth"}
    shares = [share for _, share in said]
    assert shares == sorted(shares)
    assert shares[-1] > 0.95
    assert {"checking narrow.pth", "checking imu", "writing text"} <= {what for what, _ in said}


def test_the_learned_scale_is_clipped_where_the_published_code_clips_it(tmp_path):
    state = checkpoints.imagebind(["vision", "text"])
    state[IMAGEBIND.log_scales["text"]] = torch.tensor(np.log(200.0))
    torch.save(state, tmp_path / "x.pth")
    spec = bring(tmp_path / "x.pth", tmp_path / "out", towers=["vision"])
    assert spec.temperature == {"vision": 0.01}
    assert spec.scales == {"vision": 1}


def test_a_scale_that_is_no_number_is_refused(tmp_path):
    state = checkpoints.imagebind(["imu"])
    state[IMAGEBIND.log_scales["imu"]] = torch.tensor(torch.nan)
    torch.save(state, tmp_path / "x.pth")
    with pytest.raises(ModelError, match=r"scale of imu.*exp\(nan\)"):
        bring(tmp_path / "x.pth", tmp_path / "out")


def test_a_scale_of_another_type_in_a_tower_that_is_not_taken_states_nothing(tmp_path):
    state = checkpoints.imagebind(["vision", "text"])
    state[IMAGEBIND.log_scales["text"]] = torch.tensor(1j)
    torch.save(state, tmp_path / "x.pth")
    spec = bring(tmp_path / "x.pth", tmp_path / "out", towers=["vision"])
    assert (spec.temperature, spec.scales) == ({}, {"vision": 1})


def test_towers_of_two_checkpoints_make_one_model_of_joined_licences(tmp_path, merges):
    torch.save(checkpoints.imagebind(["imu"]), tmp_path / "bind.pth")
    torch.save(checkpoints.openclip(), tmp_path / "clip.pth")
    spec = import_checkpoints(
        [tmp_path / "bind.pth", tmp_path / "clip.pth"],
        tmp_path / "out",
        vocabulary=merges,
        towers=["imu", "vision", "text"],
        configs=NARROW,
    )
    assert "imu: CC BY-NC-SA 4.0" in spec.licence
    assert "vision, text: MIT (LAION" in spec.licence
    assert spec.notes["sources"] == {"imu": "bind.pth", "vision": "clip.pth", "text": "clip.pth"}
    assert load_model(tmp_path / "out").modalities == ("imu", "vision", "text")


def test_text_wants_its_vocabulary_and_says_where_it_is(tmp_path, merges):
    torch.save(checkpoints.imagebind(["text"]), tmp_path / "x.pth")
    with pytest.raises(ModelError, match=r"--vocab bpe_simple_vocab_16e6.*openai/CLIP.*bpe/"):
        bring(tmp_path / "x.pth", tmp_path / "out", towers=["text"])
    with pytest.raises(ModelError, match="merges cannot be read"):
        bring(tmp_path / "x.pth", tmp_path / "out", towers=["text"], vocabulary=tmp_path / "x.pth")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("fault", ["missing", "nan", "beyond", "damaged"])
def test_nothing_is_written_of_a_checkpoint_that_is_refused(tmp_path, fault):
    state, path = checkpoints.imagebind(["imu"]), tmp_path / "x.pth"
    head = "modality_heads.imu.3.weight"
    if fault == "missing":
        del state[head]
    else:
        state[head][0, 0] = {"nan": torch.nan, "beyond": 1e5}.get(fault, 0.5)
    torch.save(state, path)
    if fault == "damaged":
        whole, stored = bytearray(path.read_bytes()), state[head].numpy().tobytes()
        start = whole.index(stored)
        whole[start : start + 64] = bytes(64)
        path.write_bytes(whole)
    with pytest.raises(ModelError):
        bring(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_with_other_things_is_never_touched(tmp_path, imu):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    for force in (False, True):
        with pytest.raises(ModelError, match="not empty, and no model directory"):
            bring(imu, tmp_path / "out", force=force)
    with pytest.raises(ModelError, match="is a file"):
        bring(imu, imu, force=True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.tex"]


def test_a_model_is_replaced_only_by_force_and_then_wholly(tmp_path, imu):
    before = narrow.save(tmp_path / "out")
    (tmp_path / "out" / "MODEL_CARD.md").write_text("of the old one")
    with pytest.raises(ModelError, match="--force"):
        bring(imu, tmp_path / "out")
    assert read_spec(tmp_path / "out").fingerprint == before
    bring(imu, tmp_path / "out", force=True)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("MODEL_CARD.md", "model.json", "imu.safetensors", "golden.safetensors")
    }
    assert load_model(tmp_path / "out").faults() == {}


def test_a_damaged_or_newer_model_may_be_replaced(tmp_path, imu):
    narrow.save(tmp_path / "out")
    (tmp_path / "out" / CARD).write_text(json.dumps({"format": 99}))
    assert bring(imu, tmp_path / "out", force=True) == read_spec(tmp_path / "out")


def test_a_folder_whose_card_nobody_can_read_is_left_alone(tmp_path, imu):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / CARD).write_text("[" * 100_000)
    with pytest.raises(ModelError, match="no model directory"):
        bring(imu, tmp_path / "out", force=True)


def test_an_empty_folder_and_what_a_killed_import_left_are_used(tmp_path, imu):
    (tmp_path / "out" / ".partial").mkdir(parents=True)
    (tmp_path / "out" / ".partial" / "imu.safetensors").write_bytes(b"half")
    bring(imu, tmp_path / "out")
    assert not (tmp_path / "out" / ".partial").exists()
    assert load_model(tmp_path / "out").modalities == ("imu",)


def test_too_little_space_is_said_before_anything_is_written(tmp_path, imu, monkeypatch):
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9e9, 9e9, 1e6))
    with pytest.raises(ModelError, match=r"takes 0\.01 GB, and 0\.00 GB are free"):
        bring(imu, tmp_path / "new" / "out")
    assert not (tmp_path / "new").exists()


def test_a_disk_that_takes_no_more_leaves_the_old_model_whole(tmp_path, imu):
    before = narrow.save(tmp_path / "out")
    files = {path.name for path in (tmp_path / "out").iterdir()}
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limit[1]))
    try:
        with pytest.raises(ModelError, match=r"imu\.safetensors cannot be written") as raised:
            bring(imu, tmp_path / "out", force=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert str(tmp_path / "out") in str(raised.value)
    assert {path.name for path in (tmp_path / "out").iterdir()} == files
    assert load_model(tmp_path / "out").fingerprint == before


def test_an_interrupted_import_leaves_nothing(tmp_path):
    torch.save(checkpoints.imagebind(["audio", "imu"]), tmp_path / "x.pth")

    def interrupt(what: str, share: float) -> None:
        if what == "writing imu":
            assert (tmp_path / "out" / ".partial" / "audio.safetensors").is_file()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring(tmp_path / "x.pth", tmp_path / "out", towers=["audio", "imu"], report=interrupt)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("modality", SENSORS)
def test_weights_are_stored_as_asked_for(tmp_path, modality):
    torch.save(checkpoints.imagebind([modality]), tmp_path / "x.pth")
    bring(tmp_path / "x.pth", tmp_path / "out", towers=[modality], dtype="bfloat16")
    stored = load_file(tmp_path / "out" / f"{modality}.safetensors")
    assert {value.dtype for value in stored.values()} == {torch.bfloat16}
    assert set(stored) == set(Tower(NARROW[modality]).state_dict())
