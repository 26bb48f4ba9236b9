from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from bindstream.models import load_model
from bindstream.teaching.taught import read_taught
from tests.cli.conftest import Command
from tests.teaching.recordings import beeps, hum, write


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, which is the present one, with three beeps and two hums."""
    monkeypatch.chdir(tmp_path)
    for i in range(3):
        write(tmp_path / f"beep{i}.wav", beeps(i))
    for i in range(2):
        write(tmp_path / f"hum{i}.wav", hum(i))
    return tmp_path


BEEPS = ("beep0.wav", "beep1.wav", "beep2.wav")
HUMS = ("--not", "hum0.wav", "hum1.wav")


def test_a_query_is_written_and_shown_with_what_to_do_next(bindstream: Command, home: Path) -> None:
    shown = bindstream("teach", "washer-beep", *BEEPS, *HUMS, "--device", "cpu")
    assert (shown.code, shown.err) == (0, "")
    query = read_taught(home / "queries" / "washer-beep.json")
    assert (query.name, query.modality, query.method) == ("washer-beep", "audio", "ridge")
    assert query.model.fingerprint == load_model("starter", modalities=["audio"]).fingerprint
    assert [each.file for each in query.examples] == [f"../{name}" for name in BEEPS]
    assert shown.out.count("found") == 3
    assert shown.out.count("told apart") == 2
    assert "query add --taught queries/washer-beep.json" in shown.out


def test_json_says_the_same_and_warnings_beside_it(bindstream: Command, home: Path) -> None:
    shown = bindstream("teach", "b", *BEEPS[:2], "--json", "--text", "an alarm")
    said = json.loads(shown.out)
    assert said["path"] == "queries/b.json"
    assert (said["method"], said["text"], said["text_weight"]) == ("prototype", ["an alarm"], 0.5)
    assert [each["example"] for each in said["files"]] == [True, True]
    assert all(each["found"] and each["share"] > 0.3 for each in said["files"])
    assert "2 examples are few" in said["warnings"][0]
    assert "2 examples are few" in shown.err


def test_a_bad_file_is_named_and_nothing_is_written(bindstream: Command, home: Path) -> None:
    write(home / "silent.wav", np.zeros(32000, np.float32))
    shown = bindstream("teach", "b", *BEEPS, "silent.wav", "--not", "gone.wav")
    assert shown.code == 1
    assert "silent.wav: it holds nothing" in shown.err
    assert "gone.wav: there is no such file" in shown.err
    assert not (home / "queries").exists()


def test_a_query_is_not_replaced_unless_asked_for(bindstream: Command, home: Path) -> None:
    given = ("teach", "b", *BEEPS)
    assert bindstream(*given).code == 0
    before = (home / "queries" / "b.json").read_bytes()
    shown = bindstream(*given, *HUMS)
    assert shown.code == 2
    assert "--force" in shown.err
    assert (home / "queries" / "b.json").read_bytes() == before
    assert bindstream(*given, *HUMS, "--force").code == 0
    assert read_taught(home / "queries" / "b.json").method == "ridge"


def test_the_configuration_says_which_model_and_where(
    bindstream: Command, home: Path, tiny_model: Path
) -> None:
    (home / "house").mkdir()
    (home / "house" / "model").symlink_to(tiny_model)
    config = home / "house" / "config.yaml"
    config.write_text(
        "streams:\n  - {name: kitchen, source: {kind: microphone, file: ../beep0.wav}}\n"
        "model: {name: ./model}\nqueries:\n  - taught: queries/b.json\n"
    )
    shown = bindstream("teach", "b", *BEEPS, "--config", config)
    assert shown.code == 0, shown.err
    assert 'queries: [{taught: "queries/b.json"}]' in shown.out
    assert read_taught(home / "house" / "queries" / "b.json").model.name == "tiny"
    assert bindstream("check", config).code == 0


def test_taught_again_it_is_of_the_model_there_is_now(
    bindstream: Command, home: Path, tiny_model: Path
) -> None:
    assert bindstream("teach", "b", *BEEPS, *HUMS, "--model", tiny_model).code == 0
    path = home / "queries" / "b.json"
    before = read_taught(path)
    (home / "elsewhere").mkdir()
    os.chdir(home / "elsewhere")
    write(home / "beep2.wav", beeps(7))
    shown = bindstream("teach", "--again", path)
    assert shown.code == 0
    assert "beep2.wav has changed" in shown.err
    after = read_taught(path)
    assert (before.model.name, after.model.name) == ("tiny", "starter")
    assert [e.file for e in after.examples] == [e.file for e in before.examples]
    assert after.negatives[0].sha256 == before.negatives[0].sha256
    write(home / "beep0.wav", np.zeros(32000, np.float32))
    assert bindstream("teach", "--again", path).code == 1
    assert read_taught(path) == after


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ((), "nothing to learn from"),
        (("b",), "nothing to learn from"),
        (("beep0.wav", "beep1.wav"), "cannot be a query's name"),
        (("b", "beep0.wav", "photo.jpg"), "several modalities"),
        (("b", "beep0.wav", "--not"), "--not"),
        (("b", "beep0.wav", "--modality", "smell"), "no modality"),
        (("b", "beep0.wav", "--text-weight", "0.4"), "Give --text too"),
        (("b", "beep0.wav", "--again", "queries/b.json"), "--again"),
        (("b", "beep0.wav", "--not", "beep0.wav"), "is given to --not"),
        (("b", "beep0.wav", "--config", "gone.yaml"), "gone.yaml"),
    ],
)
def test_wrong_usage_is_exit_code_2(
    bindstream: Command, home: Path, args: tuple[str, ...], says: str
) -> None:
    shown = bindstream("teach", *args)
    assert shown.code == 2, shown.err
    assert says in shown.err
    assert not (home / "queries").exists()
