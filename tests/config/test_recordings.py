"""Recordings that streams play are looked into before anything is run."""

from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from bindstream.config import Problem, check_config, load_config
from bindstream.errors import ConfigError
from bindstream.recording import Recording
from tests.recording.made import record, sample


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Beside the configuration: a second of sound and of heat; nothing came of the door."""
    given = [sample(stream, n) for n in range(10) for stream in ("kitchen", "stove")]
    record(tmp_path / "night", given)
    return tmp_path


def problems(folder: Path, *streams: str) -> list[Problem]:
    """Those of a configuration with these streams, in YAML's short form."""
    lines = "".join(f"  - {{{stream}}}\n" for stream in streams)
    (folder / "c.yaml").write_text(f"streams:\n{lines}")
    return check_config(folder / "c.yaml")


def only(folder: Path, stream: str) -> Problem:
    (problem,) = problems(folder, stream)
    assert (problem.line, problem.severity) == (2, "error")
    return problem


def test_what_was_recorded_can_be_played(folder: Path) -> None:
    source = "source: {kind: recording, path: night"
    file = "source: {kind: recording, path: night/sensors-00001.mcap"
    assert problems(
        folder,
        f"name: kitchen, modality: audio, {source}}}",
        f"name: hall, modality: thermal, {source}, stream: stove}}",
        f"name: stove, modality: thermal, {file}, from_s: 0.5}}",
    ) == []  # fmt: skip


def test_a_recording_that_is_not_there_is_one_problem(folder: Path) -> None:
    found = only(folder, "name: a, modality: audio, source: {kind: recording, path: day}")
    assert (found.path, found.value) == ("streams[0].source.path", "day")
    assert found.what == f"there is no {folder / 'day'}"


@pytest.mark.parametrize(
    ("path", "what", "fix"),
    [
        ("notes.txt", "no recording that can be read", "Name a folder"),
        ("empty", "no recording in it", "Name a recording's folder"),
        (".", "holds 1 recording, name one", "The latest is"),
    ],
)
def test_what_is_no_recording_is_said_where_it_is_named(
    folder: Path, path: str, what: str, fix: str
) -> None:
    (folder / "notes.txt").write_text("what I did today\n" * 9)
    (folder / "empty").mkdir()
    found = only(folder, f"name: a, modality: audio, source: {{kind: recording, path: {path}}}")
    assert (found.path, found.value) == ("streams[0].source.path", path)
    assert what in found.what
    assert fix in found.fix


def test_a_stream_that_was_not_recorded_is_met_with_those_that_were(folder: Path) -> None:
    source = "source: {kind: recording, path: night"
    there = "door (vision), hall (depth), kitchen (audio), stove (thermal), wrist (imu)"
    named = only(folder, f"name: a, modality: audio, {source}, stream: cellar}}")
    assert (named.path, named.value) == ("streams[0].source.stream", "cellar")
    own = only(folder, f"name: cellar, modality: audio, {source}}}")
    assert (own.path, own.value) == ("streams[0].source.path", "night")
    for found in (named, own):
        assert "holds no stream 'cellar'" in found.what
        assert there in found.fix


def test_a_stream_of_another_sensor_is_named_with_both(folder: Path) -> None:
    source = "source: {kind: recording, path: night, stream: stove}"
    found = only(folder, f"name: a, modality: audio, {source}")
    assert (found.path, found.value) == ("streams[0].modality", "audio")
    assert "'stove'" in found.what
    assert "is of thermal, and this stream is of audio" in found.what
    assert "modality: thermal" in found.fix


def test_a_stream_without_readings_is_met_with_those_that_have_some(folder: Path) -> None:
    found = only(folder, "name: door, modality: vision, source: {kind: recording, path: night}")
    assert found.path == "streams[0].source.path"
    assert "no readings of 'door'" in found.what
    assert found.fix == "Of these there are readings: kitchen, stove."


def test_a_part_beyond_the_end_is_said(folder: Path) -> None:
    source = "source: {kind: recording, path: night, from_s: 5}"
    found = only(folder, f"name: stove, modality: thermal, {source}")
    assert (found.path, found.value) == ("streams[0].source.from_s", 5)
    assert found.fix == "It lasts 1.000 s."


def test_every_stream_is_looked_at_and_nothing_is_begun_with_problems(folder: Path) -> None:
    source = "source: {kind: recording, path: night}"
    found = problems(
        folder,
        f"name: kitchen, modality: imu, {source}",
        f"name: stove, modality: thermal, {source}",
        f"name: attic, modality: imu, {source}",
    )
    assert [problem.line for problem in found] == [2, 4]
    with pytest.raises(ConfigError, match="2 problems"):
        load_config(folder / "c.yaml")
    # Whoever plays nothing wants the addresses alone.
    assert len(load_config(folder / "c.yaml", played=False).streams) == 3


def test_of_a_recording_that_was_never_closed_what_is_whole_counts(folder: Path) -> None:
    [file] = (folder / "night").iterdir()
    file.write_bytes(file.read_bytes()[:-2000])
    with Recording(file) as recording:
        assert recording.damage
    source = "source: {kind: recording, path: night}"
    assert problems(folder, f"name: stove, modality: thermal, {source}") == []


def test_without_its_packages_one_is_warned(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "zstandard" else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    source = "source: {kind: recording, path: night}"
    (problem,) = problems(folder, f"name: attic, modality: imu, {source}")
    assert (problem.severity, problem.path) == ("warning", "streams[0].source")
    assert "needs zstandard" in problem.what
    assert "pip install 'bindstream[record]'" in problem.fix
