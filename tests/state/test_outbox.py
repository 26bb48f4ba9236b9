"""The outbox: written before anyone is told, told again after a crash, in order, under one id."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from bindstream.errors import StateError
from bindstream.latency import AGAIN
from bindstream.records import Alert
from bindstream.state import KeptAlert, Memory, State, store
from bindstream.state.memory import TOLD_AGAIN_NS
from bindstream.watch import Watch
from tests.state.alerts import T0, S, alert

NOW = T0 + 100 * S
CAT, DOG = alert(0, query="cat"), alert(1)
DOG_ENDED = alert(1, "ended")
FORMAT_1 = """
CREATE TABLE query (
    id TEXT PRIMARY KEY, config TEXT, sent TEXT NOT NULL, filed TEXT NOT NULL,
    paused INTEGER NOT NULL, removed INTEGER NOT NULL
);
CREATE TABLE alert (
    id TEXT PRIMARY KEY, query TEXT NOT NULL, stream TEXT NOT NULL, state TEXT NOT NULL,
    start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL, record TEXT NOT NULL,
    vector BLOB, usual REAL NOT NULL DEFAULT 0,
    verdict TEXT NOT NULL DEFAULT '', judged_ns INTEGER NOT NULL DEFAULT 0,
    note TEXT NOT NULL DEFAULT '',
    open TEXT, share REAL
);
"""


def memory(path: Path) -> Memory:
    return Memory(State(path / "state.db"))


def which(alerts: list[Alert]) -> list[tuple[str, str]]:
    return [(alert.query, alert.state) for alert in alerts]


def test_what_nobody_was_told_of_is_told_by_the_next_in_its_order_and_marked(
    tmp_path: Path,
) -> None:
    first, watch = memory(tmp_path), Watch({})
    first.keep(watch, [CAT, DOG])
    first.told([CAT])
    first.keep(watch, [DOG_ENDED])
    first.close()
    second = memory(tmp_path)
    again = second.untold(NOW)
    assert which(again) == [("dog", "started"), ("dog", "ended")]
    assert {alert.id for alert in again} == {DOG.id}
    assert [alert.stages[AGAIN] for alert in again] == [NOW, NOW]
    second.told(again[:1])
    second.close()
    assert which(memory(tmp_path).untold(NOW)) == [("dog", "ended")]


def test_telling_again_changes_nothing_of_what_was_written(tmp_path: Path) -> None:
    state = State(tmp_path / "state.db")
    state.keep_alerts([KeptAlert(DOG)])
    state.keep_alerts([KeptAlert(DOG_ENDED)])
    again = Memory(state)
    again.told(again.untold(NOW))
    assert [kept.alert for kept in state.alerts()] == [DOG_ENDED]
    assert (state.untold(), state.open()) == ([], [])


def test_what_is_over_a_day_old_is_said_and_not_told(tmp_path: Path) -> None:
    first = memory(tmp_path)
    first.keep(Watch({}), [CAT, alert(4000, query="bird")])
    first.close()
    second = memory(tmp_path)
    again = second.untold(CAT.end_ns + TOLD_AGAIN_NS + S)
    assert which(again) == [("bird", "started")]
    assert "1 announcements of an earlier run, which are over a day old" in second.trouble
    second.due(Watch({}), NOW)
    assert CAT.id in second.trouble  # it stays said
    assert which(memory(tmp_path).untold(NOW)) == [("bird", "started")]


def test_what_was_told_on_a_full_disk_is_not_told_again_once_there_is_room(tmp_path: Path) -> None:
    state, watch = State(tmp_path / "state.db"), Watch({})
    full = Memory(state)
    (pages,) = state._db.execute("PRAGMA page_count").fetchone()
    state._db.execute(f"PRAGMA max_page_count = {pages}")
    alerts = [alert(i) for i in range(120)]
    for each in alerts[:-1]:
        full.keep(watch, [each])
        full.told([each])
    full.keep(watch, alerts[-1:])  # nobody is told of the last one
    assert "full" in full.trouble
    state._db.execute("PRAGMA max_page_count = 100000")
    full.due(watch, NOW)
    assert full.trouble == ""
    assert len(state.alerts()) == 120
    assert state.untold() == alerts[-1:]


def test_a_file_of_the_format_before_the_outbox_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    old = sqlite3.connect(path, isolation_level=None)
    old.executescript(FORMAT_1)
    old.execute("PRAGMA user_version = 1")
    filed = '{"text":"a dog"}'
    old.execute("INSERT INTO query VALUES ('a-dog', ?, '{}', '', 1, 0)", (filed,))
    old.close()
    state = State(path)
    assert [kept.id for kept in state.kept()] == ["a-dog"]
    state.keep_alerts([KeptAlert(DOG)])
    state.close()
    again = State(path)
    assert again.untold() == [DOG]
    assert [kept.alert for kept in again.alerts()] == [DOG]
    again._db.execute(f"PRAGMA user_version = {store.FORMAT + 1}")
    again.close()
    with pytest.raises(StateError, match="of a later version"):
        State(path)


DIES = """
import os, signal, sys
from pathlib import Path
from bindstream.sinks import Delivery, JsonlSink
from bindstream.state import Memory, State
from bindstream.watch import Watch
from tests.state.alerts import alert

class Deadly:
    def __init__(self, sink, after):
        self.sink, self.after = sink, after
    def accept(self, alert):
        if self.after:
            self.sink.accept(alert)
        os.kill(os.getpid(), signal.SIGKILL)

folder = Path(sys.argv[1])
memory = Memory(State(folder / "state.db"))
delivery = Delivery([Deadly(JsonlSink(folder / "alerts.jsonl"), sys.argv[2] == "after")])
alerts = [alert(0, query="cat"), alert(1)]
memory.keep(Watch({}), alerts)
memory.told(delivery.push(alerts))
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_killed_by_its_sink_loses_no_announcement_and_writes_none_twice(
    tmp_path: Path, when: str
) -> None:
    from bindstream.sinks import Delivery, JsonlSink

    died = subprocess.run([sys.executable, "-c", DIES, str(tmp_path), when], check=False)
    assert died.returncode == -9
    lines = tmp_path / "alerts.jsonl"
    assert len(lines.read_bytes().splitlines()) == (when == "after")
    second = memory(tmp_path)
    again = second.untold(NOW)
    assert which(again) == [("cat", "started"), ("dog", "started")]
    second.told(Delivery([JsonlSink(lines)]).push(again))
    written = lines.read_text().splitlines()
    assert [line.count('"query":"cat"') for line in written] == [1, 0]
    assert len(written) == 2
    assert memory(tmp_path).untold(NOW) == []


def test_what_could_not_be_read_at_the_start_is_told_and_ended_later(tmp_path: Path) -> None:
    first = memory(tmp_path)
    first.keep(Watch({}), [CAT])
    first.told([CAT])
    first.keep(Watch({}), [DOG])
    first.close()
    state = State(tmp_path / "state.db")
    second, watch = Memory(state), Watch({})
    state._db.execute("ALTER TABLE outbox RENAME TO elsewhere")
    state._db.execute("ALTER TABLE alert RENAME TO away")
    assert (second.untold(NOW), second.begin(watch)) == ([], [])
    assert second.owed(NOW) == ([], [])
    assert second.trouble
    state._db.execute("ALTER TABLE elsewhere RENAME TO outbox")
    state._db.execute("ALTER TABLE away RENAME TO alert")
    own = alert(50, query="bird")
    second.keep(watch, [own])
    again, ended = second.owed(NOW)
    assert which(again) == [("dog", "started")]
    assert sorted(which(ended)) == [("cat", "ended"), ("dog", "ended")]
    assert second.owed(NOW) == ([], [])
