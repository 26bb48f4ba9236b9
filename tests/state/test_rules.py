"""Rules that outlive a watch: what was asked for, open events, cooldowns, verdicts."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bindstream.combine.drawn import FIRST_REFIT
from bindstream.config import QueryConfig
from bindstream.config.rule import ANY_RULE
from bindstream.records import Alert
from bindstream.state import Kept, KeptAlert, Memory, Notebook, State
from bindstream.state.kept import entry
from bindstream.state.standing import StandingRule, standing, usable
from bindstream.watch import Watch
from tests.combine import test_watching as watching
from tests.combine.made import T0, S
from tests.state.alerts import alert

DOG = QueryConfig.model_validate({"text": "a dog"})
BARKS = ANY_RULE.validate_python({"id": "barks", "any": ["a-dog"]})
OVEN = ANY_RULE.validate_python({"id": "oven", "reading": "max_c", "above": 60})


def test_rules_of_every_kind_come_back_beside_queries(tmp_path: Path) -> None:
    dead = ANY_RULE.validate_python({"id": "dead", "silent_s": 30})
    state = State(tmp_path / "state.db")
    kept = [Kept(each.id, each) for each in (DOG, BARKS, OVEN, dead)]
    for each in kept:
        state.keep(each)
    state.close()
    assert State(tmp_path / "state.db").kept() == kept
    start = standing([], kept)
    assert [each.config for each in start.queries] == [DOG]
    assert [each.config for each in start.rules] == [BARKS, OVEN, dead]
    assert "rule 'barks' was added" in start.notes[1]


def test_what_was_said_of_a_rule_of_the_file_holds_while_its_entry_is_the_same() -> None:
    paused = Kept("barks", filed=entry(BARKS), paused=True)
    start = standing([DOG, BARKS], [paused])
    assert start.rules == (StandingRule(BARKS, paused=True),)
    assert "bindstream rule resume barks" in start.notes[0]
    removed = Kept("barks", filed=entry(BARKS), removed=True)
    assert standing([DOG, BARKS], [removed]).rules == ()
    other = BARKS.model_copy(update={"budget": 9})
    start = standing([DOG, other], [paused])
    assert (start.rules, start.outdated) == ((StandingRule(other),), ("barks",))


def test_a_rule_given_while_running_is_left_out_once_it_cannot_be_used() -> None:
    rules = [StandingRule(BARKS, is_filed=False), StandingRule(OVEN, is_filed=False)]
    found, left_out = usable(rules, [], {"heat": "thermal"})
    assert [each.config for each in found] == [OVEN]
    assert "rule 'barks', given while running, is left out" in left_out[0]
    assert usable([StandingRule(BARKS)], [], {})[1] == []  # the file's own say so themselves


def test_a_run_keeps_what_is_said_of_rules(tmp_path: Path) -> None:
    state = State(tmp_path / "state.db")
    book = Notebook(state, [DOG, BARKS])
    book.start()
    assert book.added(OVEN) + book.paused("oven", on=True) + book.removed("barks") == []
    start = Notebook(State(tmp_path / "state.db"), [DOG, BARKS]).start()
    assert start.rules == (StandingRule(OVEN, paused=True, is_filed=False),)
    book.paused("oven", on=False)
    book.added(BARKS)
    start = Notebook(State(tmp_path / "state.db"), [DOG, BARKS]).start()
    assert [each.paused for each in start.rules] == [False, False]


def begun(tmp_path: Path) -> tuple[State, Watch, Alert]:
    """A watch of two streams that was left while its rule had an event."""
    state = State(tmp_path / "state.db")
    watch = watching.watch({"all": ["glass", "person"], "cooldown_s": 100})
    memory = Memory(state)
    watching.heard(watch, hours=1)
    rng = np.random.default_rng(1)
    for at_s in range(60):
        like = 0.9 if at_s >= 55 else None
        for stream, vector in (("mic", watching.GLASS), ("camera", watching.PERSON)):
            pushed = watch.push(watching.window(rng, stream, at_s, vector, like))[1]
            memory.keep(watch, pushed)
    memory.due(watch, T0 + 61 * S)
    (alert,) = (kept.alert for kept in state.alerts())
    return state, watch, alert


def test_an_open_event_of_a_rule_goes_on_in_the_next_watch_and_is_followed_by_its_cooldown(
    tmp_path: Path,
) -> None:
    state, _, first = begun(tmp_path)
    after = watching.watch({"all": ["glass", "person"], "cooldown_s": 100})
    watching.heard(after, hours=1)
    memory = Memory(state)
    assert memory.begin(after) == []
    alerts = watching.run(after, range(61, 150), {62: 0.9, 100: 0.9})
    assert [(a.id, a.state) for a in alerts] == [(first.id, "ended")]
    assert alerts[0].end_ns > first.end_ns
    memory.keep(after, alerts)
    last = watching.watch({"all": ["glass", "person"], "cooldown_s": 100})
    watching.heard(last, hours=1)
    assert Memory(state).begin(last) == []
    assert watching.run(last, range(150, 170), {160: 0.9}) == []
    assert [a.state for a in watching.run(last, range(200, 230), {210: 0.9})] == [
        "started",
        "ended",
    ]


def test_an_open_event_of_a_rule_that_is_gone_is_closed(tmp_path: Path) -> None:
    state, _, first = begun(tmp_path)
    gone = watching.watch({"all": ["glass", "person"]})
    gone.rules.remove("both")
    (ended,) = Memory(state).begin(gone)
    assert (ended.id, ended.state, ended.measure) == (first.id, "ended", "log_odds")


def test_verdicts_on_alerts_of_a_rule_count_where_its_level_is_drawn(tmp_path: Path) -> None:
    state, _, first = begun(tmp_path)
    rejected = state.judge(first.id, "rejected", "", 1)
    assert "is a rule over queries: this counts as a false alarm" in rejected.remark
    drawn = {}
    for verdict in ("rejected", "confirmed"):
        state.judge(first.id, verdict, "", 1)  # type: ignore[arg-type]
        watch = watching.watch({"all": ["glass", "person"], "budget": 10})
        memory = Memory(state)
        memory.begin(watch)
        watching.run(watch, range(FIRST_REFIT + 10), {55: 0.9})
        fused = watch.rules._rules["both"]
        drawn[verdict] = fused._drawn._confirmed, fused._drawn._false  # type: ignore[union-attr]
    span = (first.start_ns, first.end_ns)
    assert drawn == {"rejected": ((), (span,)), "confirmed": ((span,), ())}


def test_what_a_verdict_does_not_do_is_said() -> None:
    of_reading = KeptAlert(alert(measure="max_c"), verdict="rejected")
    assert "is a rule of max_c: its level stays as it was given" in of_reading.remark
    assert KeptAlert(alert(), verdict="rejected").remark == ""
    assert KeptAlert(alert(measure="log_odds"), verdict="confirmed").remark == ""
