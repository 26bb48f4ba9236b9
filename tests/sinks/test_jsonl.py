"""Alerts in a file: each a line of its own at once, and what was there before stays."""

from __future__ import annotations

import dataclasses
import json
import resource
from pathlib import Path

import pytest

from bindstream.errors import ConfigError
from bindstream.records import Alert
from bindstream.sinks.jsonl import JsonlSink

ALERT = Alert(
    id="dog/mic/10",
    query="dog",
    text="a dog “barking”\nloudly",
    state="started",
    stream="mic",
    modality="audio",
    start_ns=1_700_000_000_000_000_001,
    end_ns=1_700_000_002_000_000_001,
    peak_ns=1_700_000_001_000_000_001,
    peak_z=6.5,
    peak_cosine=0.31,
    on=5,
    off=3,
    scores=(6.5, 5.0),
    model="m1",
    readings={"max_c": 81.5},
    stages={"closed": 1},
    nearest=(("rain", 0.2),),
)


def test_each_alert_is_one_line_that_says_everything_at_once(tmp_path: Path) -> None:
    path = tmp_path / "made" / "alerts.jsonl"
    sink = JsonlSink(path)
    sink.accept(ALERT)
    sink.accept(dataclasses.replace(ALERT, state="ended"))
    lines = path.read_text(encoding="utf-8").splitlines()  # before close: nothing waits in a buffer
    sink.close()
    assert [json.loads(line)["state"] for line in lines] == ["started", "ended"]
    said = json.loads(lines[0])
    lists = {"scores": [6.5, 5.0], "nearest": [["rain", 0.2]], "shows": [], "parts": []}
    assert said == {**dataclasses.asdict(ALERT), **lists}


def test_a_later_run_adds_to_the_file(tmp_path: Path) -> None:
    for _ in range(2):
        sink = JsonlSink(tmp_path / "alerts.jsonl")
        sink.accept(ALERT)
        sink.close()
    assert len((tmp_path / "alerts.jsonl").read_bytes().splitlines()) == 2


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "alerts.jsonl"):
        with pytest.raises(ConfigError, match=f"{path}.*Choose a path"):
            JsonlSink(path)


def test_a_full_disk_is_an_error_that_the_caller_sees() -> None:
    sink = JsonlSink(Path("/dev/full"))
    with pytest.raises(OSError, match="No space left"):
        sink.accept(ALERT)
    sink.close()


def test_a_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    """A limit on the file's size cuts a write short as a disk that fills does."""
    path = tmp_path / "alerts.jsonl"
    sink = JsonlSink(path)
    sink.accept(ALERT)
    line = path.read_bytes()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(line) + 40, before[1]))
    try:
        with pytest.raises(OSError, match="No space left"):
            sink.accept(ALERT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == line
    sink.accept(ALERT)
    sink.close()
    assert path.read_bytes() == 2 * line


AGAIN = dataclasses.replace(ALERT, stages={"closed": 1, "announced_again": 2})


def test_what_may_have_been_announced_before_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    first = JsonlSink(path)
    first.accept(ALERT)
    first.close()
    later = JsonlSink(path)
    later.accept(AGAIN)
    later.accept(dataclasses.replace(AGAIN, state="ended"))
    later.accept(dataclasses.replace(AGAIN, id="dog/mic/11"))
    later.accept(AGAIN)
    said = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [(each["id"], each["state"]) for each in said] == [
        ("dog/mic/10", "started"),
        ("dog/mic/10", "ended"),
        ("dog/mic/11", "started"),
    ]


def test_a_line_that_a_dead_process_left_unfinished_is_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    sink = JsonlSink(path)
    sink.accept(ALERT)
    line = path.read_bytes()
    path.write_bytes(line + line[:100])
    JsonlSink(path).accept(AGAIN)
    assert path.read_bytes() == line
    path.write_bytes(b'{"by": "hand, without a newline"}')
    JsonlSink(path).accept(ALERT)
    assert path.read_bytes() == b'{"by": "hand, without a newline"}\n' + line


def test_a_file_that_an_earlier_process_had_is_opened_once_that_is_possible(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.write_text("not mounted")
    with pytest.raises(ConfigError, match="cannot append"):
        JsonlSink(folder / "alerts.jsonl")
    sink = JsonlSink(folder / "alerts.jsonl", again=True)
    with pytest.raises(OSError, match="File exists"):
        sink.accept(ALERT)
    folder.unlink()
    sink.accept(ALERT)
    sink.close()
    [line] = (folder / "alerts.jsonl").read_text().splitlines()
    assert json.loads(line)["id"] == ALERT.id
