"""Merging, making days and dropping change nothing but what is too old or too much."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindstream.history import History
from bindstream.history import upkeep as keeping
from bindstream.history.parts import DAY_NS, HOUR_NS, Part
from bindstream.history.rows import DETAILS
from bindstream.history.store import Kind, Store
from bindstream.history.upkeep import Upkeep
from bindstream.records import Embedding
from tests.history.windows import (
    DIM,
    MIDNIGHT_NS,
    MODEL,
    NOON_NS,
    SECOND_NS,
    kept,
    same,
    window,
    writer,
    written,
)

NEXT_DAY_NS = MIDNIGHT_NS + DAY_NS + HOUR_NS


def upkeep(folder: Path, keep_days: float = 3650, keep_bytes: int = 10**9) -> Upkeep:
    return Upkeep(Store(folder), keep_days, keep_bytes, lambda day: None)


def over_the_day(stream: str = "door") -> list[Embedding]:
    """A window every hour and a half from noon on, twelve hours into the next day."""
    return [window(stream, seq) for seq in range(0, 86400, 5400)]


HOURS, OF_THE_DAY = 16, 8
"""Tables that these make, and how many are of the day they begin in."""


def names(folder: Path) -> list[str]:
    return [part.name.removeprefix(f"{MODEL}-") for part in Store(folder).parts()]


def test_an_hour_of_many_files_is_merged_into_few_and_reads_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = writer(tmp_path)
    for seq in range(12):
        made.push(window(seq=seq))
        made.flush(NOON_NS)
    store = Store(tmp_path)
    (part,) = store.parts()

    def files() -> int:
        return int(store.open(part).stats()["fragment_stats"]["num_fragments"])

    before = kept(tmp_path)
    made.tidy(NOON_NS)
    assert files() == 12  # not yet worth it
    monkeypatch.setattr(keeping, "FILES_MOST", 10)
    made.tidy(NOON_NS)
    assert files() == 1
    made.push(window(seq=12))
    made.flush(NOON_NS)
    made.tidy(part.until_ns + HOUR_NS)  # the hour is over
    assert files() == 1
    made.close(NOON_NS)
    after = kept(tmp_path)
    assert [e.seq for e in after] == list(range(13))
    assert all(same(a, b) for a, b in zip(before, after[:12], strict=True))


def test_a_day_that_is_over_becomes_one_table_in_order(tmp_path: Path) -> None:
    windows = over_the_day("mic") + over_the_day("door")
    written(tmp_path, windows)
    before = kept(tmp_path)
    assert len(names(tmp_path)) == HOURS
    upkeep(tmp_path).tidy(NEXT_DAY_NS)
    assert names(tmp_path)[:2] == ["20241004", "20241005T00"]
    after = kept(tmp_path)
    assert len(after) == len(windows)
    ordered = sorted(before, key=lambda e: (e.stream, e.start_ns))
    assert all(
        same(a, b)
        for a, b in zip(sorted(after, key=lambda e: (e.stream, e.start_ns)), ordered, strict=True)
    )
    store = Store(tmp_path)
    rows = [row for batch in store.scan(store.parts()[0], DETAILS) for row in batch.to_pylist()]
    keys = [(row["stream"], row["start_ns"]) for row in rows]
    assert keys == sorted(keys)


def test_replaced_hours_are_left_to_their_readers_for_a_while(tmp_path: Path) -> None:
    written(tmp_path, over_the_day())
    upkeep(tmp_path).tidy(NEXT_DAY_NS)
    store = Store(tmp_path)
    assert len(store.tables()) == len(store.parts()) + OF_THE_DAY
    now_ns = time.time_ns()
    keeping_all = upkeep(tmp_path, keep_days=36500)
    keeping_all.tidy(now_ns)
    assert len(store.tables()) > len(store.parts())
    for day in store.tables():
        if not day.is_hour:
            os.utime(store.path(day) / "_versions", (0, 0))
    keeping_all.tidy(now_ns)
    assert store.tables() == store.parts()
    assert len(kept(tmp_path)) == len(over_the_day())


def test_a_window_that_is_a_day_late_joins_its_day(tmp_path: Path) -> None:
    made = writer(tmp_path)
    for each in over_the_day():
        made.push(each)
    made.flush(NOON_NS)
    made.tidy(NEXT_DAY_NS)
    made.push(window(seq=86400, start_ns=NOON_NS + 2 * SECOND_NS))  # by its sensor's clock
    made.close(NEXT_DAY_NS)
    assert names(tmp_path)[:2] == ["20241004", "20241005T00"]
    assert [e.seq for e in kept(tmp_path)][:3] == [0, 86400, 5400]
    times = [t for b in History(tmp_path).read(MODEL, "door") for t in b.starts_ns.tolist()]
    assert times == sorted(times)


def test_nothing_is_written_to_the_hours_of_a_day_in_the_making(tmp_path: Path) -> None:
    made = writer(tmp_path)
    made.push(window(seq=0))
    made.flush(NOON_NS)
    (part,) = Store(tmp_path).parts()
    made._leave_alone(part.day)
    made.push(window(seq=1))
    made.push(window(seq=2, start_ns=NOON_NS + DAY_NS))
    made.flush(NOON_NS)
    assert made.health(NOON_NS).waiting == 1
    made._leave_alone(None)
    made.flush(NOON_NS)
    made.close(NOON_NS)
    assert [e.seq for e in kept(tmp_path)] == [0, 1, 2]


def test_a_day_that_was_cut_off_in_the_making_is_made_again(tmp_path: Path) -> None:
    written(tmp_path, over_the_day())
    store = Store(tmp_path)
    day = store.parts()[0].day
    data = store.path(day) / "data"
    data.mkdir(parents=True)
    (data / "half.lance").write_bytes(b"half")
    assert store.parts()[0].is_hour
    assert len(kept(tmp_path)) == len(over_the_day())
    upkeep(tmp_path).tidy(NEXT_DAY_NS)
    assert not Store(tmp_path).parts()[0].is_hour
    assert len(kept(tmp_path)) == len(over_the_day())


def test_closing_stops_what_goes_on(tmp_path: Path) -> None:
    written(tmp_path, over_the_day())
    stopped = upkeep(tmp_path)
    stopped.stop()
    stopped.tidy(NEXT_DAY_NS)
    assert len(names(tmp_path)) == HOURS
    assert stopped.trouble == ""


ages = st.lists(st.integers(0, 400), min_size=1, max_size=5, unique=True)


@settings(max_examples=10, deadline=None)
@given(ages, st.floats(0.05, 12))
def test_nothing_is_dropped_that_is_younger_than_it_may_get(
    hours: list[int], keep_days: float
) -> None:
    now_ns = NOON_NS + 401 * HOUR_NS
    with tempfile.TemporaryDirectory() as name:
        windows = [window(seq=i, start_ns=NOON_NS + h * HOUR_NS) for i, h in enumerate(hours)]
        written(Path(name), windows)
        made = upkeep(Path(name), keep_days)
        made.tidy(now_ns)
        made.tidy(now_ns)
        left = {e.seq for e in kept(Path(name))}
        oldest_ns = now_ns - keep_days * DAY_NS
        young = {e.seq for e in windows if e.start_ns >= oldest_ns}
        assert young <= left
        # What is older stays for as long as its hour or its day may hold what is not.
        assert all(e.start_ns >= oldest_ns - DAY_NS for e in windows if e.seq in left)
        totals = made.totals()
        assert totals.vectors == len(left)
        assert (totals.oldest_ns is None) == (not left)


def test_the_oldest_goes_first_where_there_is_too_much(tmp_path: Path) -> None:
    written(tmp_path, over_the_day())
    store = Store(tmp_path)
    before = store.parts()
    size = sum(map(store.size_bytes, before))
    made = upkeep(tmp_path, keep_bytes=size // 2)
    made.retain(NOON_NS + 2 * DAY_NS)
    after = store.parts()
    assert after == before[len(before) - len(after) :]
    assert size // 3 < made.totals().bytes <= size // 2


def test_the_current_hour_is_never_dropped(tmp_path: Path) -> None:
    written(tmp_path, [window(seq=i) for i in range(0, 7200, 600)])
    made = upkeep(tmp_path, keep_bytes=1)
    made.retain(NOON_NS + HOUR_NS + SECOND_NS)
    assert names(tmp_path) == ["20241004T13"]
    assert "history.keep_bytes" in made.trouble


def test_no_day_is_made_that_would_be_most_of_what_may_be_kept(tmp_path: Path) -> None:
    written(tmp_path, over_the_day())
    size = sum(map(Store(tmp_path).size_bytes, Store(tmp_path).parts()))
    upkeep(tmp_path, keep_bytes=size + 1000).tidy(NEXT_DAY_NS)
    assert len(names(tmp_path)) == HOURS


def test_days_are_of_one_model(tmp_path: Path) -> None:
    others = [window("mic", seq, model="other") for seq in range(0, 43200, 10800)]
    written(tmp_path, over_the_day() + others)
    upkeep(tmp_path).tidy(NEXT_DAY_NS)
    assert History(tmp_path).models() == {MODEL: len(over_the_day()), "other": len(others)}
    days = [part for part in Store(tmp_path).parts() if not part.is_hour]
    assert sorted(part.key for part in days) == [MODEL, "other"]


def test_a_part_that_cannot_be_read_keeps_no_other_from_its_upkeep(tmp_path: Path) -> None:
    made = writer(tmp_path)
    for seq in (0, 1, 3600, 3601):
        made.push(window(seq=seq))
        made.flush(NOON_NS)
    store = Store(tmp_path)
    first, second = store.parts()
    for file in (store.path(first) / "data").iterdir():
        file.write_bytes(b"")
    made.tidy(NOON_NS + 3 * HOUR_NS)
    made.close(NOON_NS)
    assert store.open(second).stats()["fragment_stats"]["num_fragments"] == 1
    (note,) = made.health(NOON_NS).notes
    assert "0 could be read, 2 not" in note
    assert [e.seq for e in kept(tmp_path)] == [3600, 3601]


def test_an_empty_folder_needs_no_upkeep(tmp_path: Path) -> None:
    made = upkeep(tmp_path / "new")
    made.tidy(NOON_NS)
    assert (made.totals().vectors, made.totals().oldest_ns, made.trouble) == (0, None, "")


def test_tables_of_others_are_left_alone(tmp_path: Path) -> None:
    written(tmp_path, [window()])
    import lancedb

    lancedb.connect(tmp_path).create_table("mine", [{"a": 1}])
    upkeep(tmp_path, keep_days=0.05).tidy(NOON_NS + 10 * DAY_NS)
    assert names(tmp_path) == []
    assert lancedb.connect(tmp_path).open_table("mine").count_rows() == 1


def test_a_table_without_rows_is_no_trouble(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.create(Part(NOON_NS, NOON_NS + HOUR_NS, MODEL), Kind(MODEL, DIM))
    upkeep(tmp_path).tidy(NEXT_DAY_NS)
    assert kept(tmp_path) == []
