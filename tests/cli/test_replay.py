"""bindstream replay: what it prints, writes, leaves out and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bindstream.calibration import WARM_UP
from bindstream.config import Config
from tests.cli.conftest import Command
from tests.replay.material import record, sensed

ANY = "tcp://127.0.0.1:0"


@pytest.fixture(scope="module")
def path(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 s of motion and of sound; a run with a history and a file of alerts."""
    config = Config.model_validate(
        {
            "streams": [
                {"name": "wrist", "modality": "imu", "source": {"kind": "scene"}},
                {"name": "mic", "modality": "audio", "source": {"kind": "scene"}},
            ],
            "model": {"name": str(tiny_model), "threads": 1},
            "queries": [{"text": "a dog barking", "on": 0.01, "off": -1, "share": 0}],
            "history": {},
            "sinks": [{"kind": "jsonl", "path": "alerts.jsonl"}],
            "bus": {"address": ANY, "inbound": ANY, "control": ANY},
        }
    )
    streams = {s.name: sensed(s.name, s.modality, 3, 30.0, []) for s in config.streams}
    return record(tmp_path_factory.mktemp("recordings") / "run", config, streams)


def test_alerts_are_shown_and_what_it_took(
    bindstream: Command, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = bindstream("replay", path)
    assert done.code == 0, done.err
    assert "● a dog barking" in done.out
    assert "○ a dog barking" in done.out
    assert "30.0 s of recording in" in done.out
    assert "× real time" in done.out
    assert "Left out: history, sink jsonl: neither read nor written." in done.err
    assert list(tmp_path.iterdir()) == []


def test_lines_are_printed_or_written_alike_and_repeat(
    bindstream: Command, path: Path, tmp_path: Path
) -> None:
    to = tmp_path / "not" / "there" / "a.jsonl"
    done = bindstream("replay", path, "--windows", "--json")
    written = bindstream("replay", path, "--windows", "--out", to, "--speed", 40)
    assert (done.code, written.code) == (0, 0)
    assert done.out == to.read_text()
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert {line["kind"] for line in lines} == {"window", "alert"}
    alone = bindstream("replay", path, "--json").out.splitlines()
    assert alone == [line for line in done.out.splitlines() if '"kind":"alert"' in line]
    assert "windows" in done.err


def test_a_part_in_rounds_with_other_words(bindstream: Command, path: Path) -> None:
    done = bindstream(
        *("replay", path, "--query", "an empty room", "--query", "glass breaking"),
        *("--from", 2, "--to", "8.5", "--loop", 2, "--json", "--windows"),
    )
    assert done.code == 0, done.err
    windows = [json.loads(line) for line in done.out.splitlines() if '"kind":"window"' in line]
    assert {window["stream"] for window in windows} == {"wrist", "mic"}
    assert "13.5 s of recording" in done.err


def test_a_part_that_begins_inside_the_recording_says_once_that_queries_have_to_learn(
    bindstream: Command, path: Path
) -> None:
    learning = f"a query judges only after {WARM_UP} windows of a stream"
    two = ("--query", "an empty room", "--query", "glass breaking", "--to", 6)
    assert bindstream("replay", path, *two, "--from", 5).err.count(learning) == 1
    for args in (("--from", 0), (), ("--from", 5, "--json")):
        done = bindstream("replay", path, *two, *args)
        assert (done.code, "judges only" in done.out + done.err) == (0, False)


@pytest.mark.parametrize(
    ("args", "what"),
    [
        (("--speed", "quick"), "'quick' is no speed"),
        (("--speed", "-1"), "no speed"),
        (("--from", "soon"), "--from: 'soon' is no moment"),
        (("--to", "99"), "--to: 99 is not within the recording"),
        (("--from", "9", "--to", "3"), "--to 3 is not after --from 9"),
        (("--config", "/nowhere.yaml"), "/nowhere.yaml"),
    ],
)
def test_what_cannot_be_replayed_is_refused(
    bindstream: Command, path: Path, args: tuple[str, ...], what: str
) -> None:
    done = bindstream("replay", path, *args)
    assert done.code == 2
    assert what in done.err


def test_no_recording_and_no_place_to_write_are_said(
    bindstream: Command, path: Path, tmp_path: Path
) -> None:
    gone = bindstream("replay", tmp_path / "gone")
    assert (gone.code, "no such recording" in gone.err) == (1, True)
    (tmp_path / "file").write_text("")
    for place in ("file/a.jsonl", "file/no/a.jsonl"):
        shut = bindstream("replay", path, "--out", tmp_path / place)
        assert (shut.code, "cannot be written: Not a directory" in shut.err) == (1, True)


def test_what_another_model_saw_is_said(bindstream: Command, path: Path, tmp_path: Path) -> None:
    done = bindstream("replay", path, "--model", tmp_path / "none")
    assert done.code == 1
    assert "none" in done.err


@pytest.mark.slow
def test_on_ray_the_lines_are_the_same(bindstream: Command, path: Path) -> None:
    here = bindstream("replay", path, "--windows", "--json")
    on_ray = bindstream("replay", path, "--windows", "--json", "--ray")
    assert on_ray.code == 0, on_ray.err
    assert on_ray.out == here.out
