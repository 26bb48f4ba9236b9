"""A part of a recording: nothing else of it is read, and no half of it is left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bindstream.errors import RecordingError
from bindstream.recording import Recording, recorder
from bindstream.recording.cutting import cut
from bindstream.recording.mcap_file import McapFile, Message, Place
from tests.recording.made import BEGIN_NS, S, record, sample


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten seconds, in chunks of less than one."""
    monkeypatch.setattr(recorder, "CHUNK_BYTES", 10_000)
    given = [sample(stream, n) for n in range(100) for stream in ("stove", "wrist")]
    return record(tmp_path / "run", given)


def test_only_chunks_that_have_any_of_the_part_are_read(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Place] = []
    messages: Callable[[McapFile, Place], list[Message]] = McapFile.messages

    def seen(file: McapFile, place: Place) -> list[Message]:
        read.append(place)
        return messages(file, place)

    monkeypatch.setattr(McapFile, "messages", seen)
    begin, end = BEGIN_NS + 4 * S, BEGIN_NS + 5 * S
    with Recording(recorded) as recording:
        totals = cut(recording, tmp_path / "part.mcap", begin, end)
    assert {name: total.samples for name, total in totals.items()} == {"stove": 10, "wrist": 10}
    assert 0 < len(read) < 20
    assert all(place.end_ns >= begin and place.start_ns < end for place in read)


def test_folders_on_the_way_are_made_where_they_can_be(recorded: Path, tmp_path: Path) -> None:
    part = tmp_path / "not" / "there" / "part.mcap"
    (tmp_path / "file").write_text("")
    with Recording(recorded) as recording:
        cut(recording, part, BEGIN_NS, BEGIN_NS + S)
        for place in ("file/part.mcap", "file/no/part.mcap"):
            with pytest.raises(RecordingError, match="cannot be made: Not a directory"):
                cut(recording, tmp_path / place)
    with Recording(part) as kept:
        assert kept.streams["stove"].samples == kept.streams["wrist"].samples == 10


def test_ctrl_c_leaves_no_half_of_it(recorded: Path, tmp_path: Path) -> None:
    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with Recording(recorded) as recording, pytest.raises(KeyboardInterrupt):
        cut(recording, tmp_path / "part.mcap", told=stop)
    assert not (tmp_path / "part.mcap").exists()
