"""Judging alerts: found, missed and false are told apart by query and by time."""

from __future__ import annotations

from typing import Literal

from bindstream.records import Alert
from bindstream.scene.judge import judge
from bindstream.scene.script import Event

S = 1_000_000_000
START_NS = 1_700_000_000 * S
FIRE = Event(kind="fire", start_s=30, end_s=37)
LATER = Event(kind="fire", start_s=60, end_s=67)
DOG = Event(kind="dog", start_s=45, end_s=50)


def alert(
    name: str,
    query: str,
    start_s: float,
    end_s: float,
    state: Literal["started", "ended"] = "ended",
) -> Alert:
    start_ns, end_ns = START_NS + round(start_s * S), START_NS + round(end_s * S)
    return Alert(
        name, query, query, state, "cam", "vision", start_ns, end_ns, start_ns,
        9.0, 0.4, 5.0, 3.0, (9.0,), "model",
    )  # fmt: skip


def test_alerts_are_sorted_into_found_missed_and_false() -> None:
    early, late = alert("a", "flames", 29, 38), alert("b", "flames", 50, 52)
    verdict = judge([FIRE, LATER, DOG], [early, late], {"flames": "fire"}, start_ns=START_NS)
    assert verdict["flames"].found == (FIRE,)
    assert verdict["flames"].missed == (LATER,)
    assert verdict["flames"].false == (late,)


def test_slack_decides_whether_a_near_miss_counts() -> None:
    near = alert("a", "flames", 39, 40)
    for slack_s, found in ((1.9, ()), (2.1, (FIRE,))):
        verdict = judge([FIRE], [near], {"flames": "fire"}, start_ns=START_NS, slack_s=slack_s)
        assert verdict["flames"].found == found


def test_an_alert_of_another_query_answers_nothing() -> None:
    wrong = alert("a", "barking", 31, 33)
    verdict = judge([FIRE], [wrong], {"flames": "fire", "barking": "dog"}, start_ns=START_NS)
    assert verdict["flames"].missed == (FIRE,)
    assert verdict["barking"].false == (wrong,)
    assert "other" not in verdict


def test_an_alert_announced_twice_counts_once_with_its_last_interval() -> None:
    twice = [alert("a", "flames", 10, 12, "started"), alert("a", "flames", 10, 29, "ended")]
    verdict = judge([FIRE], twice, {"flames": "fire"}, start_ns=START_NS)
    assert verdict["flames"].found == (FIRE,)
    assert verdict["flames"].false == ()


def test_a_kind_without_events_has_nothing_to_find() -> None:
    verdict = judge([DOG], [], {"flames": "fire"}, start_ns=START_NS)["flames"]
    assert (verdict.found, verdict.missed, verdict.false) == ((), (), ())
