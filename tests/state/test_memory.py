"""A watch's memory: announcements are on disk first, a full disk silences none, verdicts count."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bindstream.records import Alert
from bindstream.state import Memory, State, open_memory
from bindstream.watch import Watch
from tests.state.alerts import S, alert
from tests.test_watch import FALSE, TRUE, hears, query, watching


def said(watch: Watch, memory: Memory, alerts: list[Alert]) -> list[Alert]:
    memory.keep(watch, alerts)
    return alerts


def test_a_full_disk_is_said_and_what_waited_is_written_later(tmp_path: Path) -> None:
    state, watch = State(tmp_path / "state.db"), Watch({})
    memory = Memory(state)
    (pages,) = state._db.execute("PRAGMA page_count").fetchone()
    state._db.execute(f"PRAGMA max_page_count = {pages}")
    for i in range(200):
        memory.keep(watch, [alert(i)])
    assert "full" in memory.trouble
    assert "Alerts are announced all the same" in memory.trouble
    assert len(state.alerts()) < 200
    state._db.execute("PRAGMA max_page_count = 100000")
    memory.due(watch, 10 * S)
    assert memory.trouble == ""
    assert len(state.alerts()) == 200


def test_without_a_state_nothing_is_remembered() -> None:
    memory, watch = Memory(None), watching()
    memory.keep(watch, [alert()])
    memory.recall(watch, "dog")
    memory.due(watch, 10 * S)
    assert (memory.begin(watch), memory.trouble) == ([], "")
    memory.close()


def test_an_open_event_goes_on_in_the_next_watch_as_far_as_it_had_come(tmp_path: Path) -> None:
    state = State(tmp_path / "state.db")
    before, after = watching(), watching()
    memory = Memory(state)
    (begun,) = said(before, memory, hears(before, 0, 41, range(40, 50), **TRUE))
    said(before, memory, hears(before, 41, 43, range(40, 50), **TRUE))
    memory.due(before, 43 * S)
    hears(after, 0, 40, range(0))
    assert Memory(state).begin(after) == []
    (ended,) = hears(after, 43, 60, range(40, 50), **TRUE)
    assert (ended.id, ended.end_ns) == (begun.id, 51 * S)
    assert len(ended.scores) == 10
    gone = watching(query("cat"))
    (closed,) = Memory(state).begin(gone)
    assert (closed.id, closed.state, closed.end_ns) == (begun.id, "ended", 44 * S)


def test_of_two_open_events_of_a_query_the_earlier_one_is_ended(tmp_path: Path) -> None:
    state = State(tmp_path / "state.db")
    of_dog = [alert(at_s) for at_s in (0, 9)]
    Memory(state).keep(Watch({}), of_dog)
    after = watching()
    ended = Memory(state).begin(after)
    assert [(a.id, a.state) for a in ended] == [(of_dog[0].id, "ended")]
    assert [(a.id, a.state) for a in after.flush()] == [(of_dog[1].id, "ended")]


def test_verdicts_count_in_the_next_watch_for_the_same_words_and_model(tmp_path: Path) -> None:
    state = State(tmp_path / "state.db")
    before = watching()
    memory = Memory(state)
    said(before, memory, hears(before, 0, 60, range(40, 45), **FALSE))
    state.judge("last", "rejected", "", 0)
    for one, alerts in ((query(), 0), (query(text="a hound"), 2)):
        after = watching(one)
        assert Memory(state).begin(after) == []
        hears(after, 0, 60, range(0))
        assert len(hears(after, 60, 80, range(65, 70), **FALSE)) == alerts
    state.judge("last", "confirmed", "", 0)
    memory.judge(before, "dog")
    assert len(hears(before, 60, 80, range(65, 70), **FALSE)) == 2


def test_the_vector_of_the_highest_window_is_kept_with_an_alert(tmp_path: Path) -> None:
    state, watch = State(tmp_path / "state.db"), watching()
    said(watch, Memory(state), hears(watch, 0, 60, range(40, 45), **FALSE))
    (kept,) = state.alerts()
    assert kept.vector is not None
    assert abs(float(np.linalg.norm(kept.vector)) - 1) < 1e-2
    assert 0.3 < kept.usual < 0.7


def test_a_file_that_cannot_be_used_ends_no_watch_and_is_said(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"no file of ours" * 100)
    memory, watch = open_memory(tmp_path / "state.db"), watching()
    assert memory.begin(watch) == []
    memory.keep(watch, [alert()])
    memory.due(watch, 10 * S)
    assert "nothing is remembered until" in memory.trouble
    assert "damaged" in memory.trouble
