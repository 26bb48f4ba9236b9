"""Each run has its folder; the oldest recordings go for room, and nothing else ever does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bindstream.config.record import RecordConfig
from bindstream.recording import Recorder, Recording, folders
from bindstream.recording.folders import is_being_written, make_room, run_folder
from tests.recording.made import STREAMS, record, sample

RUNS = tuple(f"2026010{day}T000000Z" for day in (1, 2, 3))
NOW = "20260104T000000Z"


def wait_until(true: Callable[[], bool], within_s: float = 20) -> None:
    until_s = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < until_s
        time.sleep(0.02)


def made(root: Path, size: int = 1000) -> list[Path]:
    """A file of each run, the oldest first."""
    files = [root / run / "sensors-00001.mcap" for run in RUNS]
    for i, file in enumerate(files):
        file.parent.mkdir(parents=True)
        file.write_bytes(bytes(size))
        os.utime(file, (1000 + i, 1000 + i))
    return files


def test_a_run_has_a_folder_named_by_its_beginning_that_no_other_run_has(tmp_path: Path) -> None:
    at_ns = 1_795_000_000 * 10**9
    names = [run_folder(tmp_path / "r", at_ns + n).name for n in range(3)]
    assert names == ["20261118T110640Z", "20261118T110640Z-2", "20261118T110640Z-3"]
    (tmp_path / "file").write_text("")
    assert run_folder(tmp_path / "file", at_ns).name == "20261118T110640Z"


def test_the_oldest_files_go_but_never_those_being_written(tmp_path: Path) -> None:
    for i, run in enumerate(("20260101T000000Z", "20260102T000000Z", "20260103T000000Z")):
        record(tmp_path / run, [sample("stove", n) for n in range(20)])
        [file] = (tmp_path / run).iterdir()
        os.utime(file, (1000 + i, 1000 + i))
    size = file.stat().st_size
    writer = Recorder(tmp_path / NOW, "x", RecordConfig(), {}, sensors=STREAMS)
    writer.push(sample("stove", 0))
    wait_until(lambda: any((tmp_path / NOW).glob("*.mcap")))
    [written] = (tmp_path / NOW).glob("*.mcap")
    assert is_being_written(written)
    assert not is_being_written(file)
    assert make_room(tmp_path, size * 2 + written.stat().st_size) == 1
    assert not (tmp_path / "20260101T000000Z").exists()
    os.utime(written, (1, 1))
    assert make_room(tmp_path, 0) == 2
    assert [each.name for each in tmp_path.iterdir()] == [NOW]
    writer.close()
    with Recording(tmp_path / NOW) as recording:
        assert recording.streams["stove"].samples == 1


def test_several_recorders_keep_the_quota_together(tmp_path: Path) -> None:
    keep = 1_000_000
    small = RecordConfig(segment_bytes=100_000, keep_bytes=keep)
    writers = [
        Recorder(tmp_path / f"2026010{i}T000000Z", "x", small, {}, sensors=STREAMS)
        for i in range(2)
    ]
    for n in range(600):
        for writer in writers:
            writer.push(sample("stove", n))
    for writer in writers:
        writer.close()
        # A run that ends leaves its last file; the next to begin one makes the room.
        assert writer.health().lost == {}
    last = Recorder(tmp_path / "20260103T000000Z", "x", small, {}, sensors=STREAMS)
    last.push(sample("stove", 0))
    last.close()
    total = sum(path.stat().st_size for path in tmp_path.rglob("*.mcap"))
    assert total <= keep + 100_000


def test_files_of_others_stay_and_are_not_counted(tmp_path: Path) -> None:
    files = made(tmp_path / "root")
    others = [
        tmp_path / "root" / "bags" / "sensors-00001.mcap",
        tmp_path / "root" / RUNS[0] / "night.mcap",
        tmp_path / "elsewhere" / "sensors-00001.mcap",
    ]
    for other in others:
        other.parent.mkdir(exist_ok=True)
        other.write_bytes(bytes(5000))
        os.utime(other, (1, 1))
    (tmp_path / "root" / "20260105T000000Z").symlink_to(tmp_path / "elsewhere")
    link = tmp_path / "root" / RUNS[0] / "sensors-00002.mcap"
    link.symlink_to(others[0])
    assert make_room(tmp_path / "root", 3000) == 0
    assert make_room(tmp_path / "root", 0) == 3
    assert not any(file.exists() for file in files)
    assert all(other.exists() for other in [*others, link])


def test_who_makes_room_at_the_same_time_removes_no_more_than_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path)
    seen = folders._files

    def overtaken(root: Path) -> list[folders._File]:
        found = list(seen(root))
        monkeypatch.setattr(folders, "_files", seen)
        assert make_room(root, 2000) == 1  # another process, while this one looks
        return found

    monkeypatch.setattr(folders, "_files", overtaken)
    assert make_room(tmp_path, 2000) == 0
    assert len(list(tmp_path.glob("*/*"))) == 2


def test_what_cannot_be_removed_is_said_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path, 2_000_000)
    remove = folders._remove

    def refuse(path: Path) -> bool:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(folders, "_remove", refuse)
    monkeypatch.setattr("bindstream.recording.series.LOOK_S", 0.0)
    monkeypatch.setattr("bindstream.recording.recorder.CHUNK_S", 0.05)
    small = RecordConfig(segment_bytes=100_000, keep_bytes=1_000_000)
    writer = Recorder(tmp_path / NOW, "x", small, {}, sensors=STREAMS)
    writer.push(sample("stove", 0))
    wait_until(lambda: writer.health().samples.get("stove", 0) == 1)
    assert "cannot be removed: Operation not permitted" in writer.health().trouble
    monkeypatch.setattr(folders, "_remove", remove)
    writer.push(sample("stove", 1))
    wait_until(lambda: writer.health().trouble == "")
    writer.close()
    assert [each.name for each in tmp_path.iterdir()] == [NOW]
