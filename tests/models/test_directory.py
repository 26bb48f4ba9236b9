from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from bindstream.errors import ModelError
from bindstream.models import load_model
from bindstream.models.description import describe
from bindstream.models.directory import CARD, ModelSpec, digest, read_spec
from bindstream.models.saving import save_model
from bindstream.models.tokenizer import word_tokenizer
from tests.models import narrow

IMU = {"modality": "imu", "width": 32, "blocks": 2, "heads": 4, "dim": narrow.DIM}


# The system does not let anyone read it, root neither.
UNREADABLE = Path("/proc/self/mem")
needs_unreadable = pytest.mark.skipif(sys.platform != "linux", reason=f"reads {UNREADABLE}")


def edit(directory: Path, **changes: object) -> None:
    card = json.loads((directory / CARD).read_text())
    (directory / CARD).write_text(json.dumps({**card, **changes}))


def test_the_same_model_gives_the_same_fingerprint(tmp_path):
    assert narrow.save(tmp_path / "a") == narrow.save(tmp_path / "b")
    assert load_model(tmp_path / "a").fingerprint == narrow.save(tmp_path / "a")


def test_other_weights_another_fingerprint(tmp_path):
    assert narrow.save(tmp_path / "a", seed=0) != narrow.save(tmp_path / "b", seed=1)


def test_other_words_another_fingerprint(tmp_path):
    spec, towers, tokenizer = narrow.parts()
    swapped = word_tokenizer(["zebra" if word == "dog" else word for word in narrow.WORDS])
    assert swapped.vocabulary == tokenizer.vocabulary
    assert save_model(tmp_path / "a", spec, towers, tokenizer) != save_model(
        tmp_path / "b", spec, towers, swapped
    )


def test_the_fingerprint_is_that_of_the_model_not_of_the_towers_loaded(saved):
    one, another = load_model(saved, modalities=["imu"]), load_model(saved, modalities=["text"])
    assert one.fingerprint == another.fingerprint


def test_notes_change_no_fingerprint(saved):
    before = read_spec(saved).fingerprint
    edit(saved, notes={"author": "someone"}, temperature={"imu": 0.5})
    assert read_spec(saved).fingerprint == before


def test_weights_are_stored_in_half_precision_a_file_a_tower(saved):
    for modality in ("vision", "audio", "thermal", "depth", "imu", "text"):
        weights = load_file(saved / f"{modality}.safetensors")
        assert {value.dtype for value in weights.values()} == {torch.float16}


@pytest.mark.parametrize(
    "name", ["imu.safetensors", "text.safetensors", "tokenizer.json", "golden.safetensors"]
)
def test_missing_truncated_and_changed_files_are_named(saved, name):
    whole = (saved / name).read_bytes()
    flipped = whole[:-1] + bytes([whole[-1] ^ 1])
    for content, says in ((whole[:-1], "truncated"), (flipped, "SHA-256"), (None, "missing")):
        if content is None:
            (saved / name).unlink()
        else:
            (saved / name).write_bytes(content)
        with pytest.raises(ModelError, match=says) as raised:
            load_model(saved, modalities=["imu", "text"])
        assert name in str(raised.value)


def test_a_damaged_tower_that_is_not_asked_for_does_no_harm(saved):
    (saved / "vision.safetensors").unlink()
    assert load_model(saved, modalities=["imu"]).modalities == ("imu",)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"format": 2}, "Upgrade bindstream"),
        ({"format": None}, "not written by bindstream"),
        ({"format": "one"}, "format"),
        ({"preprocessing": 99}, "preprocessing 99"),
        ({"architecture": "resnet"}, "'resnet' is not known"),
        ({"dim": 25}, "dimension 24"),
        ({"dim": "many"}, "dim"),
        ({"towers": {}}, "towers"),
        ({"licence": ""}, "licence"),
        ({"temperature": {"audio": 0}}, "above 0"),
        ({"weights": "x"}, "states weights, which this bindstream does not know. Upgrade"),
        ({"scales": {"imu": -5}}, "scales .* are not all above 0"),
        ({"dtype": "int8"}, "dtype"),
        ({"files": {}}, "states no file"),
        ({"towers": {"imu": {**IMU, "blocks": 10**12}}}, "towers.imu.blocks .*equal to 512"),
        ({"towers": {"imu": {**IMU, "patch": 3000}}}, "towers.imu .*larger than the input"),
    ],
)
def test_a_card_that_cannot_be_used_says_what_and_where(saved, changes, says):
    edit(saved, **changes)
    with pytest.raises(ModelError, match=says) as raised:
        load_model(saved)
    assert str(saved) in str(raised.value)


def test_a_directory_from_before_dtype_scales_and_limits_loads(saved):
    card = json.loads((saved / CARD).read_text())
    before = read_spec(saved).fingerprint
    for field in ("dtype", "scales", "limits"):
        del card[field]
    (saved / CARD).write_text(json.dumps(card))
    spec = read_spec(saved)
    assert (spec.fingerprint, spec.dtype, spec.scales, spec.limits) == (before, "float16", {}, ())
    assert load_model(saved).faults() == {}


def test_limits_and_scales_change_no_fingerprint(saved):
    before = read_spec(saved).fingerprint
    edit(saved, limits=["knows little"], scales={"imu": 5})
    assert read_spec(saved).fingerprint == before


NO_CARDS = {
    "empty": b"",
    "unfinished": b"{",
    "a list": b"[]",
    "zeros": bytes(100),
    "a text": b'"text"',
    "no text": b"\xff\xfe",
    "nested too deep": b'{"notes": ' + b"[" * 100_000,
    "a number too long": b'{"format": ' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("content", NO_CARDS.values(), ids=NO_CARDS)
def test_a_card_that_is_no_card_is_refused(saved, content):
    (saved / CARD).write_bytes(content)
    with pytest.raises(ModelError, match=CARD):
        load_model(saved)


@needs_unreadable
def test_files_that_may_not_be_read_are_named(saved):
    for name in ("imu.safetensors", "tokenizer.json", CARD):
        (saved / name).unlink()
        (saved / name).symlink_to(UNREADABLE)
        if name != CARD:
            with pytest.raises(ModelError, match="cannot be read") as raised:
                digest(saved / name)
            assert raised.value.where == str(saved / name)
            stated = json.loads((saved / CARD).read_text())["files"]
            edit(saved, files={**stated, name: {"bytes": 0, "sha256": "0"}})
        with pytest.raises(ModelError, match=rf"{name}: The file cannot be read"):
            load_model(saved, modalities=["imu", "text"] if name != "imu.safetensors" else ["imu"])


@needs_unreadable
def test_a_tower_s_file_that_may_not_be_read_is_described_as_such(saved):
    (saved / "imu.safetensors").unlink()
    (saved / "imu.safetensors").symlink_to(UNREADABLE)
    stated = json.loads((saved / CARD).read_text())["files"]
    edit(saved, files={**stated, "imu.safetensors": {"bytes": 0, "sha256": "0"}})
    towers = describe(saved).towers
    assert "imu.safetensors cannot be read" in towers["imu"].fault
    assert towers["audio"].fault == ""


@pytest.mark.parametrize(
    "name",
    ["../imu.safetensors", "/etc/hostname", "a/b", "a\\b", "c:x", "..", ".", "", "a\0", "a\n"],
)
def test_files_are_those_of_the_directory_alone(saved, name):
    stated = json.loads((saved / CARD).read_text())["files"]
    edit(saved, files={**stated, name: {"bytes": 0, "sha256": "0"}})
    with pytest.raises(ModelError, match="not bare file names"):
        read_spec(saved)


def test_a_foreign_directory_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ModelError, match=r"no model\.json"):
            load_model(path)


def test_weights_of_another_architecture_are_refused(saved):
    card = json.loads((saved / CARD).read_text())
    card["towers"]["imu"]["width"] = 64
    edit(saved, towers=card["towers"])
    with pytest.raises(ModelError, match="do not fit"):
        load_model(saved)


def test_a_model_may_have_sensors_alone(tmp_path):
    spec, towers, _ = narrow.parts()
    only = ModelSpec(
        name="n", licence="CC0-1.0", dim=narrow.DIM, towers={"imu": spec.towers["imu"]}
    )
    save_model(tmp_path, only, {"imu": towers["imu"]})
    model = load_model(tmp_path)
    assert model.modalities == ("imu",)
    with pytest.raises(ModelError, match="text is not loaded"):
        model.unknown_words("a dog")
