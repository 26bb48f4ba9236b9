from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bindstream.evaluation.protocols import PROTOCOLS
from tests.cli.conftest import Command
from tests.evaluation import layouts
from tests.evaluation.layouts import LAYOUTS

pytest.importorskip("cv2")
pytest.importorskip("soundfile")

ON_CPU = ("--device", "cpu", "--threads", "1")


@pytest.mark.parametrize(
    "name", ["esc50", "imagenet", "kinetics400", "llvip", "nyud", "ego4d", "clotho"]
)
def test_the_starter_is_measured_in_every_modality(
    bindstream: Command, tmp_path: Path, name: str
) -> None:
    path = LAYOUTS[name](tmp_path)
    shown = bindstream("eval", name, "--data", path, "--templates", "plain", "--json", *ON_CPU)
    assert shown.code == 0, shown.err
    said = json.loads(shown.out)
    protocol = PROTOCOLS[name]
    assert said["protocol"] == name
    assert said["model"]["name"] == "starter"
    assert said["n"] >= 2
    published = {figure["metric"]: figure["published"] for figure in said["figures"]}
    assert protocol.published.items() <= published.items()
    assert said["published_n"] == (protocol.n or None)
    for figure in said["figures"]:
        assert 0 <= figure["low"] <= figure["high"] <= 100
    assert said["approximate"] == protocol.approximate


def test_a_row_stands_beside_the_published_figure(bindstream: Command, tmp_path: Path) -> None:
    path = layouts.esc50(tmp_path)
    shown = bindstream("eval", "esc50", "--data", path, *ON_CPU)
    assert shown.code == 0
    row = next(line for line in shown.out.splitlines() if "ESC-50" in line)
    assert "top-1" in row
    assert "66.9" in row
    assert "2,000" in row
    assert "bootstrap over 3 sources" in shown.out
    assert "folds 1: " in shown.out
    assert "3 classes to choose from, published with 50" in shown.out


def test_words_the_model_never_saw_are_said(
    bindstream: Command, tmp_path: Path, tiny_model: Path
) -> None:
    for name in ("a_dog_barking", "dog_wagon", "zeppelin"):
        layouts.sound(tmp_path / name / "a.wav")
    given = ("eval", "folder", "--data", tmp_path, "--model", tiny_model, "--json", *ON_CPU)
    shown = bindstream(*given)
    assert shown.code == 0
    assert "2 of 3 class names hold words the model has never seen ('wagon', 'zeppelin')" in (
        shown.err
    )
    assert "of 1 it knows no word" in shown.err
    assert "sentences around names do, too: try --templates plain" in shown.err
    said = json.loads(shown.out)
    assert said["unknown"] == {
        "texts": 3,
        "touched": 2,
        "wholly": 1,
        "words": ["wagon", "zeppelin"],
    }
    assert "sentences around" not in bindstream(*given, "--templates", "plain").err


def test_sounds_are_told_apart_by_their_folders(bindstream: Command, tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    rng = np.random.default_rng(0)
    for index in range(3):
        for name in ("silence", "white_noise"):
            (tmp_path / name).mkdir(exist_ok=True)
            wave = rng.normal(0, 0.3 if name == "white_noise" else 1e-5, 48000)
            soundfile.write(tmp_path / name / f"{index}.wav", wave.astype(np.float32), 16000)
    given = ("eval", "folder", "--data", tmp_path, "--templates", "plain", "--json")
    said = json.loads(bindstream(*given, *ON_CPU).out)
    assert (said["n"], said["classes"], said["sources"]) == (6, 2, 6)
    assert said["modalities"] == ["audio"]
    assert said["figures"][0]["interval"] == "Wilson"
    half = json.loads(bindstream(*given, "--limit", "3", "--seed", "1", *ON_CPU).out)
    assert (half["n"], half["limit"], half["listed"]) == (3, 3, 6)
    assert "3 items of 6 were drawn" in half["notes"]
    again = json.loads(bindstream(*given, "--limit", "3", "--seed", "1", *ON_CPU).out)
    assert again["figures"] == half["figures"]


def test_a_single_class_is_said_to_prove_nothing(
    bindstream: Command, tmp_path: Path, tiny_model: Path
) -> None:
    layouts.sound(tmp_path / "dog" / "a.wav")
    given = ("eval", "folder", "--data", tmp_path, "--model", tiny_model, "--json", *ON_CPU)
    said = json.loads(bindstream(*given).out)
    assert "there is one class, which nothing can be mistaken for" in said["notes"]


def test_an_unreadable_file_is_named_and_the_rest_is_measured(
    bindstream: Command, tmp_path: Path
) -> None:
    table = layouts.by_list(tmp_path)
    (tmp_path / "b.wav").write_bytes(b"RIFF and nothing more")
    given = ("eval", "csv", "--data", table, "--templates", "plain", *ON_CPU)
    refused = bindstream(*given)
    assert refused.code == 1
    assert "b.wav" in refused.err
    assert "--most-broken" in refused.err
    shown = bindstream(*given, "--most-broken", "0.5", "--json")
    assert shown.code == 3
    assert "b.wav: The sound file cannot be read" in shown.err
    said = json.loads(shown.out)
    assert said["n"] == 2
    assert [Path(each["file"]).name for each in said["broken"]] == ["b.wav"]
    assert "1 items cannot be read and are left out" in said["notes"]


def test_confusions_become_a_picture(bindstream: Command, tmp_path: Path, tiny_model: Path) -> None:
    pytest.importorskip("matplotlib")
    for name in ("a_dog", "glass", "silence"):
        for index in range(2):
            layouts.picture(tmp_path / "data" / name / f"{index}.png")
    given = ("eval", "folder", "--data", tmp_path / "data", "--model", tiny_model, *ON_CPU)
    shown = bindstream(*given, "--confusion", tmp_path / "c.png", "--templates", "plain")
    assert shown.code == 0, shown.err
    assert "was taken for" in shown.out  # an untrained model cannot tell noise apart
    with Image.open(tmp_path / "c.png") as drawn:
        assert min(drawn.size) > 200


def test_the_table_shows_what_is_approximate_and_why(bindstream: Command) -> None:
    shown = bindstream("eval", "--list")
    assert shown.code == 0
    for name, protocol in PROTOCOLS.items():
        assert name in shown.out
        assert protocol.approximate in shown.out
    assert "llvip*" in shown.out
    assert "esc50*" not in shown.out
    rows = {row["protocol"]: row for row in json.loads(bindstream("eval", "--list", "--json").out)}
    assert rows["esc50"]["published"] == {"top-1": 66.9}
    assert rows["folder"]["n"] is None
    assert "never published" in rows["ego4d"]["approximate"]


def test_a_folder_of_something_else_is_told_what_it_should_hold(
    bindstream: Command, tmp_path: Path
) -> None:
    shown = bindstream("eval", "esc50", "--data", tmp_path)
    assert shown.code == 1
    assert "there is no meta/esc50.csv" in shown.err
    assert "audio/*.wav" in shown.err
    assert "github.com/karolpiczak/ESC-50" in shown.err


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        ((), "there is no PROTOCOL"),
        (("esc50",), "there is no --data"),
        (("esc51", "--data", "."), "'esc51' is no protocol"),
        (("esc50", "--data", ".", "--modality", "audio"), "Leave it out"),
        (("folder", "--data", ".", "--modality", "smell"), "'smell' is no modality"),
        (("folder", "--data", ".", "--templates", "fancy"), "neither plain nor published"),
        (("folder", "--data", ".", "--confusion", "/nowhere/c.png"), "no folder /nowhere"),
    ],
)
def test_wrong_usage_is_exit_code_2(
    bindstream: Command, args: tuple[str, ...], complaint: str
) -> None:
    shown = bindstream("eval", *args)
    assert shown.code == 2
    assert complaint in shown.err
