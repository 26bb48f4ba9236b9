"""Reading, also while somebody writes, merges and drops."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from bindstream.errors import HistoryError
from bindstream.history import History
from bindstream.history import upkeep as keeping
from bindstream.history.parts import DAY_NS, HOUR_NS
from bindstream.history.rows import FORMAT, schema
from bindstream.history.store import Store
from bindstream.history.upkeep import Upkeep
from tests.history.windows import DIM, MODEL, NOON_NS, SECOND_NS, unit, window, writer, written


def starts(history: History, stream: str = "door", **period: int) -> list[int]:
    """When the windows of a stream started, seconds after noon, as they were read."""
    blocks = history.read(MODEL, stream, **period)
    return [(ns - NOON_NS) // SECOND_NS for block in blocks for ns in block.starts_ns.tolist()]


def test_blocks_hold_vectors_and_times_in_order_for_each_stream(tmp_path: Path) -> None:
    order = [3, 0, 1, 2, 3600, 3599, 3601, 7200]
    windows = [
        window(stream, seq, same_as=1 if seq == 2 else None, coverage=seq / 7200)
        for seq in order
        for stream in ("b", "a")
    ]
    written(tmp_path, windows)
    history = History(tmp_path)
    for stream in ("a", "b"):
        assert starts(history, stream) == sorted(order)
        blocks = list(history.read(MODEL, stream))
        for block in blocks:
            assert (block.vectors.dtype, block.starts_ns.dtype) == (np.float16, np.int64)
            assert block.vectors.shape == (len(block.seq), DIM)
            assert (block.ends_ns - block.starts_ns == 2 * SECOND_NS).all()
            expected = np.stack([unit(seq) for seq in block.seq.tolist()])
            assert np.array_equal(block.vectors, expected.astype(np.float16))
            assert np.array_equal(block.coverage, block.seq / 7200)
        assert (blocks[0].stream, blocks[0].modality) == (stream, "vision")
        assert blocks[0].computed.tolist() == [0, 1, 1, 3, 3599]
        assert blocks[0].reused.tolist() == [False, False, True, False, False]


def test_a_stream_and_a_period_may_be_chosen(tmp_path: Path) -> None:
    written(tmp_path, [window(s, i) for s in ("a", "b", "it's") for i in range(0, 9000, 600)])
    history = History(tmp_path)
    since_ns, until_ns = NOON_NS + 1200 * SECOND_NS, NOON_NS + 4800 * SECOND_NS
    assert starts(history, "it's", since_ns=since_ns, until_ns=until_ns) == [
        *range(1200, 4800, 600)
    ]
    assert starts(history, "gone") == []
    assert starts(history, "a", until_ns=NOON_NS) == []
    assert history.streams(MODEL, since_ns, until_ns) == ["a", "b", "it's"]
    assert history.streams(MODEL, until_ns=NOON_NS) == []


def test_long_streams_come_in_several_blocks(tmp_path: Path) -> None:
    written(tmp_path, [window(seq=i, start_ns=NOON_NS + i * 10**8) for i in range(9000)])
    sizes = [len(block.seq) for block in History(tmp_path).read(MODEL, "door")]
    assert sum(sizes) == 9000
    assert max(sizes) < 9000


def test_a_stream_that_changed_what_it_is_of_is_read_apart(tmp_path: Path) -> None:
    of = ["vision", "vision", "thermal", "vision"]
    written(tmp_path, [window(seq=i, modality=modality) for i, modality in enumerate(of)])
    found = [(b.modality, b.seq.tolist()) for b in History(tmp_path).read(MODEL, "door")]
    assert found == [("vision", [0, 1]), ("thermal", [2]), ("vision", [3])]


def test_readers_see_a_whole_history_while_it_is_written_merged_and_made_days_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time all that was flushed before is there, in order, and nothing twice."""
    monkeypatch.setattr(keeping, "FILES_MOST", 3)
    made = writer(tmp_path)
    stop, faults, rounds = threading.Event(), list[str](), 0
    flushed = [0]

    def read() -> None:
        nonlocal rounds
        while not stop.is_set():
            least = flushed[0]
            history = History(tmp_path)
            seconds = starts(history)
            if seconds != sorted(set(seconds)) or len(seconds) < least or history.warnings:
                faults.append(f"{len(seconds)} of {least}: {history.warnings}")
            rounds += 1

    reading = threading.Thread(target=read)
    reading.start()
    now_ns = NOON_NS
    for seq in range(20):
        made.push(window(seq=seq * 3600))  # over midnight
        now_ns = NOON_NS + seq * 3600 * SECOND_NS
        made.flush(now_ns)
        flushed[0] = seq + 1
        if seq % 5 == 4:
            made.tidy(now_ns)
    made.tidy(now_ns + DAY_NS)
    made.close(now_ns)
    stop.set()
    reading.join(30)
    assert faults == []
    assert rounds > 1
    assert starts(History(tmp_path)) == [seq * 3600 for seq in range(20)]


def test_a_day_that_is_made_of_its_hours_in_the_middle_of_reading_is_read_once(
    tmp_path: Path,
) -> None:
    order = list(range(0, 12 * 3600, 1800))
    written(tmp_path, [window(seq=i) for i in order])
    history, store = History(tmp_path), Store(tmp_path)
    reading = history.read(MODEL, "door")
    found = [next(reading).seq.tolist() for _ in range(3)]
    hours = store.tables()
    Upkeep(store, 3650, 10**9, lambda day: None).tidy(NOON_NS + DAY_NS)
    for hour in hours:
        store.remove(hour)
    found += [block.seq.tolist() for block in reading]
    assert [seq for some in found for seq in some] == order
    assert history.warnings == []


def test_what_is_dropped_in_the_middle_of_reading_is_no_trouble(tmp_path: Path) -> None:
    written(tmp_path, [window(seq=i) for i in range(0, 4 * 3600, 600)])
    history, store = History(tmp_path), Store(tmp_path)
    reading = history.read(MODEL, "door")
    next(reading)
    for part in store.parts():
        store.remove(part)
    list(reading)
    assert history.warnings == []


def test_a_part_that_cannot_be_read_is_left_out_and_named(tmp_path: Path) -> None:
    written(tmp_path, [window(seq=i) for i in (0, 3600, 7200)])
    store = Store(tmp_path)
    for file in (store.path(store.parts()[1]) / "data").iterdir():
        file.write_bytes(b"")
    history = History(tmp_path)
    assert starts(history) == [0, 7200]
    assert "2024-10-04 13 h UTC cannot be read" in history.warnings[0]
    history = History(tmp_path)
    assert history.streams(MODEL) == ["door"]
    assert [e.seq for e in history.embeddings(MODEL, "door")] == [0, 7200]
    assert len(history.warnings) == 1


def test_models_are_counted_apart(tmp_path: Path) -> None:
    assert History(tmp_path).models() == {}
    written(tmp_path, [window(seq=0), window(seq=3600), window("mic", model="other")])
    history = History(tmp_path)
    assert history.models() == {MODEL: 2, "other": 1}
    assert (starts(history), history.streams("other")) == ([0, 3600], ["mic"])
    assert list(history.read("never", "door")) == []
    hour_ns = NOON_NS + HOUR_NS
    assert [p.since_ns for p, _ in history.parts(MODEL, hour_ns, hour_ns + 1)] == [hour_ns]


def test_a_newer_format_is_refused_and_not_misread(tmp_path: Path) -> None:
    written(tmp_path, [window()])
    store = Store(tmp_path)
    (part,) = store.parts()
    newer = schema(MODEL, DIM).with_metadata({"model": MODEL, "format": FORMAT + "1"})
    store.remove(part)
    store._database.create_table(part.name, schema=newer)
    with pytest.raises(HistoryError, match=r"has format 11.*Update bindstream"):
        list(History(tmp_path).read(MODEL, "door"))
    made = writer(tmp_path)
    made.push(window(seq=1))
    made.flush(NOON_NS)
    made.tidy(NOON_NS + DAY_NS + HOUR_NS)
    health = made.health(NOON_NS)
    assert (health.waiting, health.notes) == (1, ())  # it is not damaged
    assert "has format 11" in health.trouble
    made.close(NOON_NS)
    assert store.parts() == [part]


def test_no_history_is_said_with_the_way_to_have_one(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match=r"gone: there is no history.*history: \{\}"):
        History(tmp_path / "gone")
