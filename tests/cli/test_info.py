from __future__ import annotations

import json
from pathlib import Path

import pytest

from bindstream.models import load_model
from bindstream.models.saving import save_model
from tests.cli.conftest import Command
from tests.models import narrow


@pytest.fixture
def model(tmp_path: Path) -> Path:
    spec, towers, tokenizer = narrow.parts()
    more = {"scales": {"audio": 20.0}, "limits": ("audio: hears [nothing] at night.",)}
    save_model(tmp_path / "model", spec.model_copy(update=more), towers, tokenizer)
    return tmp_path / "model"


def test_a_model_is_told_in_words_and_a_table(bindstream: Command, model: Path) -> None:
    shown = bindstream("model", "info", model)
    assert shown.code == 0
    assert f"narrow, fingerprint {load_model(model).fingerprint}" in shown.out
    assert "CC0-1.0" in shown.out
    assert f"trained on {len(narrow.WORDS)} words" in shown.out
    assert "audio 20" in shown.out
    assert "- audio: hears [nothing] at night." in shown.out
    rows = [line.split()[0] for line in shown.out.splitlines() if " 32      4       2 " in line]
    assert rows == ["vision", "audio", "thermal", "depth", "imu", "text"]
    assert shown.err == ""


def test_the_same_as_json(bindstream: Command, model: Path) -> None:
    said = json.loads(bindstream("model", "info", model, "--json").out)
    assert said["fingerprint"] == load_model(model).fingerprint
    assert (said["name"], said["dim"], said["dtype"]) == ("narrow", narrow.DIM, "float16")
    assert (said["preprocessing"], said["format"]) == (1, 1)
    assert said["scales"] == {"audio": 20.0}
    assert said["limits"] == ["audio: hears [nothing] at night."]
    imu = said["towers"]["imu"]
    assert imu["float32_bytes"] == 4 * imu["parameters"] == 2 * imu["half_bytes"]
    assert imu["tokens"] == 251


def test_a_tower_that_is_not_whole_is_told_on_standard_error(
    bindstream: Command, model: Path
) -> None:
    (model / "imu.safetensors").unlink()
    shown = bindstream("model", "info", model)
    assert shown.code == 0
    assert "imu.safetensors is missing" in shown.err
    assert "?" in shown.out


def test_the_starter_is_told_if_nothing_is_named(bindstream: Command) -> None:
    assert "starter, fingerprint" in bindstream("model", "info").out


def test_installed_models_are_listed(bindstream: Command) -> None:
    shown = bindstream("model", "list")
    assert shown.code == 0
    assert load_model("starter", modalities=["imu"]).fingerprint in shown.out


@pytest.mark.parametrize("name", ["ghost", "/nowhere/at/all"])
def test_a_model_that_is_not_there_is_named(bindstream: Command, name: str) -> None:
    shown = bindstream("model", "info", name)
    assert shown.code == 1
    assert name in shown.err


def test_a_checkpoint_is_no_model_and_what_makes_it_one_is_said(
    bindstream: Command, tmp_path: Path
) -> None:
    (tmp_path / "huge.pth").write_bytes(b"PK")
    shown = bindstream("model", "info", tmp_path / "huge.pth")
    assert shown.code == 1
    assert "bindstream model import" in shown.err
