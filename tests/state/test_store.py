"""The file: what was written stays, whoever dies; what cannot be used says so and the way out."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from bindstream.config import QueryConfig
from bindstream.errors import StateError
from bindstream.records import Alert
from bindstream.rules import Open
from bindstream.state import Kept, KeptAlert, State, store
from tests.state.alerts import T0, S, alert

VECTOR = np.eye(1, 8, dtype=np.float32)[0]


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / "state.db")


def again(state: State) -> State:
    state.close()
    return State(state.path)


def keep(state: State, *alerts: Alert) -> None:
    state.keep_alerts([KeptAlert(each, VECTOR, 0.25) for each in alerts])


def test_what_was_said_of_queries_comes_back_as_it_was(state: State) -> None:
    config = QueryConfig.model_validate({"text": ["a dog", "barking"], "budget": "1/day", "on": 4})
    kept = [
        Kept("a-dog", config),
        Kept("cat", config, sent={"taught": {"level": 0.5}}, filed="{}", paused=True),
        Kept("fire", filed='{"id":"fire"}', removed=True),
    ]
    for each in kept:
        state.keep(each)
    state.keep(Kept("gone"))
    state.forget("gone")
    assert again(state).kept() == kept


def test_an_alert_comes_back_whole_and_its_end_takes_the_place_of_its_start(state: State) -> None:
    begun, ended = alert(), alert(0, "ended", end_ns=T0 + 9 * S, readings={"max_c": 50.0})
    keep(state, begun)
    (there,) = again(state).alerts()
    assert (there.alert, there.usual, there.verdict) == (begun, 0.25, "")
    assert np.array_equal(there.vector, VECTOR)
    state = again(state)
    state.keep_alerts([KeptAlert(ended)])  # its vector is not known any more
    (there,) = state.alerts()
    assert there.alert == ended
    assert (there.usual, there.rejected is None) == (0.25, False)
    assert state.open() == []
    keep(state, cat := alert(60, "ended", query="cat"))
    assert state.last_ended() == [cat, ended]
    assert state.last_ended("dog") == [ended]


def test_a_reading_that_is_none_hides_no_alert(state: State) -> None:
    nan, ended = float("nan"), alert(60, "ended", readings={"max_c": float("inf")})
    keep(state, alert(scores=(nan, 9.5), readings={"max_c": nan}), ended)
    state = again(state)
    found = state.alerts()
    assert [k.alert.scores[-1] for k in found] == [9.5, 9.5]
    assert all(np.isnan(k.alert.readings["max_c"]) for k in found)
    assert np.isnan(state.open()[0].alert.scores[0])
    assert [each.id for each in state.last_ended()] == [ended.id]
    state._db.execute("UPDATE alert SET record = '{}'")
    with pytest.raises(StateError, match="damaged"):
        state.alerts()


def test_of_too_many_alerts_the_oldest_of_which_nothing_was_said_go(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "ALERTS_MOST", 10)
    monkeypatch.setattr(store, "FORGET_EVERY", 20)
    keep(state, alert(0, "ended"), alert(1, "ended"), alert(2))
    state.judge(alert(0).id, "confirmed", "", 1)
    for i in range(3, 40):
        keep(state, alert(i, "ended"))
    there = starts(state.alerts())
    assert there[-2:] == [2, 0]  # one that goes on, and one that was judged
    assert there[0] == 39
    assert 11 <= len(there) <= 32


def test_open_events_are_as_far_as_they_were_noted(state: State) -> None:
    keep(state, alert(), alert(60, "ended"), alert(90))
    far = alert(90, end_ns=T0 + 200 * S)
    state.note([Open(far, 0.3), Open(alert(60, end_ns=1), 0.9), Open(alert(500), 0.9)])
    assert again(state).open() == [Open(alert(), 0.0), Open(far, 0.3)]


def starts(found: list[KeptAlert]) -> list[int]:
    return [(kept.alert.start_ns - T0) // S for kept in found]


def test_alerts_are_listed_newest_first_by_what_is_asked(state: State) -> None:
    keep(state, alert(0), alert(60, query="cat"), alert(120, stream="yard", id="dog/yard/9"))
    assert starts(state.alerts()) == [120, 60, 0]
    assert starts(state.alerts(most=2)) == [120, 60]
    assert starts(state.alerts(query="dog")) == [120, 0]
    assert starts(state.alerts(query="dog", stream="mic")) == [0]
    assert starts(state.alerts(since_ns=T0 + 60 * S)) == [120, 60]
    assert state.alerts(judged=True) == []


def test_a_verdict_is_kept_changed_and_survives_the_end_of_its_event(state: State) -> None:
    begun = alert()
    keep(state, begun, alert(60))
    assert state.judged() == set()
    assert state.judge(begun.id, "rejected", "the TV", 5).verdict == "rejected"
    assert state.judged() == {"dog"}
    keep(state, alert(0, "ended"))
    state = again(state)
    (there,) = state.alerts(judged=True)
    assert (there.verdict, there.note, there.judged_ns) == ("rejected", "the TV", 5)
    assert there.rejected is not None
    assert there.rejected.z == 9.5
    assert there.plain()["verdict"] == "rejected"
    state.judge(begun.id, "confirmed", "", 6)
    assert [(k.verdict, k.note) for k in state.alerts(judged=True)] == [("confirmed", "")]


def test_an_alert_is_named_by_its_id_a_unique_beginning_of_it_or_as_the_last(state: State) -> None:
    with pytest.raises(StateError, match="there is no alert 'last'"):
        state.find("last")
    keep(state, alert(0, id="dog/mic/1"), alert(60, id="dog/mic/12"), alert(30, id="cat/mic/1"))
    assert state.find("last").alert.id == "dog/mic/12"
    assert state.find("cat").alert.id == "cat/mic/1"
    assert state.find("dog/mic/1").alert.id == "dog/mic/1"
    with pytest.raises(StateError, match="there is no alert ''"):
        state.find("")
    with pytest.raises(StateError, match=r"several alerts.*dog/mic/12.*`bindstream alerts`"):
        state.find("dog")
    with pytest.raises(StateError, match="there is no alert 'dog/mic/2'"):
        state.find("dog/mic/2")
    with pytest.raises(StateError, match="there is no alert '%'"):
        state.judge("%", "confirmed", "", 0)


def test_a_process_that_is_killed_loses_nothing_that_it_wrote(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from bindstream.state import KeptAlert, State\n"
        "from tests.state.alerts import alert\n"
        "state = State(Path(sys.argv[1]), alone=True)\n"
        "for i in range(100000):\n"
        "    state.keep_alerts([KeptAlert(alert(i))]); print(i, flush=True)"
    )
    path = tmp_path / "state.db"
    writer = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    for _ in range(20):
        writer.stdout.readline()
    with pytest.raises(StateError, match=rf"pid {writer.pid}\) writes it.*state: {{path"):
        State(path, alone=True)
    os.kill(writer.pid, signal.SIGKILL)
    said = [int(line) for line in writer.stdout if line.endswith("\n")]
    writer.wait(10)
    state = State(path, alone=True)
    assert set(range(max([19, *said]) + 1)) <= set(starts(state.alerts(most=1_000_000)))


def test_a_damaged_file_is_named_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"no database at all, but a file of some length" * 100)
    with pytest.raises(StateError, match=rf"{path}: file is not a database\. .*move it away"):
        State(path, alone=True)
    path.unlink()
    state = State(path, alone=True)  # the lock was let go of
    keep(state, *(alert(i) for i in range(200)))
    state.close()
    content = bytearray(path.read_bytes())
    content[4096:12288] = b"\xa5" * 8192
    path.write_bytes(content)
    with pytest.raises(StateError, match=r"state\.db: .*move it away"):
        State(path)


def test_a_file_of_a_later_version_is_left_alone(state: State) -> None:
    state._db.execute("PRAGMA user_version = 99")
    with pytest.raises(StateError, match=r"later version \(99\).*Update bindstream"):
        again(state)


def test_a_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE page (url TEXT)")
    before = path.read_bytes()
    for _ in range(2):  # the lock was let go of
        with pytest.raises(StateError, match=r"another program's\. Name another file"):
            State(path, alone=True)
    assert path.read_bytes() == before


def test_a_place_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for alone in (True, False):
        with pytest.raises(StateError, match=r"file/state\.db.*(Make room|choose)"):
            State(tmp_path / "file" / "state.db", alone=alone)


def test_a_full_disk_is_said_and_what_was_written_stays(state: State) -> None:
    keep(state, alert())
    (pages,) = state._db.execute("PRAGMA page_count").fetchone()
    state._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StateError, match=r"full\. Make room"):
        keep(state, *(alert(i) for i in range(1, 200)))
    assert len(state.alerts()) == 1
    state._db.execute("PRAGMA max_page_count = 100000")
    keep(state, alert(60))
    assert len(state.alerts()) == 2
