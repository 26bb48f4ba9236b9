"""A rule over queries: what is enough together and what is not, in whichever order it comes."""

from __future__ import annotations

import dataclasses
import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindstream.combine.drawn import FIRST_REFIT
from bindstream.combine.fused import DOUBT, LATE_S, Fused
from bindstream.combine.odds import MOST
from bindstream.records import Alert
from bindstream.rules import Open
from tests.combine.made import RARE, T0, S, give, rule, spans

USUAL = 1000.0
BOTH = ("mic", "camera")


def watched(**config: object) -> Fused:
    fused = Fused(rule(**{"all": ["glass", "person"], **config}))
    fused.expect(BOTH)
    return fused


def run(
    fused: Fused, glass: dict[int, float], person: dict[int, float], n: int = 40
) -> list[Alert]:
    """`n` seconds in which both streams have a window a second, with these rates at some."""
    alerts: list[Alert] = []
    for i in range(n):
        alerts += give(fused, "glass", "mic", i, glass.get(i, USUAL))
        alerts += give(fused, "person", "camera", i, person.get(i, USUAL))
    return alerts + fused.flush()


def states(alerts: list[Alert]) -> list[str]:
    return [alert.state for alert in alerts]


def test_two_signs_on_two_streams_are_one_alert_that_names_both() -> None:
    begun, ended = run(watched(), {10: RARE}, {14: RARE})
    assert (begun.state, ended.state) == ("started", "ended")
    assert begun.id == ended.id
    assert (begun.query, begun.text, begun.measure) == ("break-in", "break-in", "log_odds")
    assert [(p.query, p.stream, (p.start_ns - T0) / S) for p in begun.parts] == [
        ("glass", "mic", 10),
        ("person", "camera", 14),
    ]
    assert begun.peak_z == pytest.approx(sum(p.log_odds for p in begun.parts))
    assert begun.peak_z >= begun.on
    # From the second that ends with the later sign's window, until the first is 10 s old.
    assert spans([ended]) == [("ended", 15, 20)]


def test_one_strong_sign_alone_is_not_enough() -> None:
    assert run(watched(), {10: 1e-9, 11: 1e-9}, {}) == []


def test_signs_too_far_apart_are_not_together() -> None:
    assert run(watched(), {5: RARE}, {20: RARE}) == []


def test_weak_signs_alarm_together_where_neither_would_alone() -> None:
    weak = 2.5  # an hour: each alone would alarm twelve times too often
    assert states(run(watched(budget=0.2), {10: weak}, {12: weak})) == ["started", "ended"]
    nothing: dict[int, float] = {}
    for one in ({10: weak}, nothing), (nothing, {10: weak}):
        lone = Fused(rule(any=["glass", "person"], budget=0.2))
        lone.expect(BOTH)
        assert run(lone, *one) == []


def test_what_speaks_against_it_is_taken_off_and_what_stands_out_is_a_veto() -> None:
    def with_dog(signs: float, dog: float, z: float = 0) -> list[Alert]:
        fused = watched(none=["dog"], budget="1/week")
        alerts: list[Alert] = []
        for i in range(40):
            alerts += give(fused, "glass", "mic", i, signs if i == 10 else USUAL)
            alerts += give(fused, "dog", "mic", i, dog if i == 11 else USUAL, z=z)
            alerts += give(fused, "person", "camera", i, signs if i == 12 else USUAL)
        return alerts + fused.flush()

    assert states(with_dog(0.1, USUAL)) == ["started", "ended"]
    assert with_dog(0.1, 0.2) == []
    assert states(with_dog(1e-4, 0.2)) == ["started", "ended"]
    assert with_dog(1e-4, 0.2, z=9) == []


def test_any_of_them_is_enough_if_it_is_strong() -> None:
    fused = Fused(rule(any=["glass", "person"]))
    fused.expect(BOTH)
    alerts = run(fused, {}, {10: 0.01})
    assert states(alerts) == ["started", "ended"]
    assert [part.query for part in alerts[0].parts] == ["person"]


def test_a_sequence_counts_in_its_order_alone() -> None:
    def sequence() -> Fused:
        fused = Fused(rule(sequence=["glass", "person"]))
        fused.expect(BOTH)
        return fused

    assert states(run(sequence(), {10: RARE}, {14: RARE})) == ["started", "ended"]
    assert run(sequence(), {14: RARE}, {10: RARE}) == []
    assert run(sequence(), {10: RARE}, {10: RARE}) == []


def test_a_vector_that_came_before_is_no_new_evidence() -> None:
    fused = watched()
    alerts = give(fused, "glass", "mic", 0, RARE)
    for i in range(1, 20):
        alerts += give(fused, "glass", "mic", i, RARE, new=False)
        alerts += give(fused, "person", "camera", i, RARE if i == 15 else USUAL)
    assert alerts + fused.flush() == []


def test_nobody_waits_long_for_a_stream_that_is_gone() -> None:
    fused = Fused(rule(any=["glass", "person"]))
    fused.expect(BOTH)
    give(fused, "person", "camera", 0)
    alerts = [a for i in range(1, 4) for a in give(fused, "glass", "mic", i, 0.001)]
    assert alerts + fused.due(T0 + 5 * S) == []
    late = [
        alert
        for i in range(4, 12)
        for alert in (*give(fused, "glass", "mic", i), *fused.due(T0 + (i + 2) * S))
    ]
    assert states(late) == ["started"]


def test_a_recording_that_is_over_is_not_waited_for() -> None:
    fused = Fused(rule(any=["glass", "person"]))
    fused.expect(BOTH)
    assert [a for i in range(4) for a in give(fused, "glass", "mic", i, 0.001)] == []
    assert states(fused.over("camera")) == ["started"]


def test_an_event_ends_when_all_streams_fall_silent() -> None:
    fused = watched()
    for i in range(4):
        give(fused, "glass", "mic", i, RARE)
        give(fused, "person", "camera", i, RARE)
    assert fused.due(T0 + 8 * S) == []
    assert states(fused.due(T0 + 10 * S)) == ["ended"]


def test_a_clock_that_jumps_back_begins_anew() -> None:
    fused = watched()
    run(fused, {}, {})
    alerts = [
        alert
        for i in range(-5000, -4980)
        for stream, query in (("mic", "glass"), ("camera", "person"))
        for alert in give(fused, query, stream, i, RARE if i == -4990 else USUAL)
    ]
    assert states(alerts + fused.flush()) == ["started", "ended"]


def test_queries_that_are_never_scored_are_named() -> None:
    fused = watched()
    for i in range(DOUBT):
        give(fused, "glass", "mic", i)
    assert fused.doubts() == ["no window was held against person yet"]


signs = st.dictionaries(st.integers(0, 50), st.sampled_from([1e-6, 0.01, 1.0, 5.0]), max_size=12)


@settings(max_examples=60, deadline=None)
@given(signs, signs, st.sampled_from([0.0, 3.0]), st.sampled_from([0.0, 8.0]))
def test_alerts_alternate_none_is_too_short_and_none_in_the_cooldown(
    glass: dict[int, float], person: dict[int, float], least_s: float, cooldown_s: float
) -> None:
    fused = watched(min_length_s=least_s, cooldown_s=cooldown_s, within_s=5)
    alerts = run(fused, glass, person, 60)
    assert states(alerts) == ["started", "ended"] * (len(alerts) // 2)
    pairs = list(zip(alerts[::2], alerts[1::2], strict=True))
    for begun, ended in pairs:
        assert begun.id == ended.id
        assert ended.end_ns - ended.start_ns >= least_s * S
        assert ended.peak_z <= 2 * MOST
        assert {part.query for part in begun.parts} == {"glass", "person"}
    for (_, ended), (begun, _) in pairwise(pairs):
        assert begun.start_ns >= ended.end_ns + cooldown_s * S


@settings(max_examples=60, deadline=None)
@given(signs, signs, st.integers(0, 4), st.randoms(use_true_random=False))
def test_the_order_of_arrival_within_the_lateness_changes_nothing(
    glass: dict[int, float], person: dict[int, float], behind_s: int, rng: random.Random
) -> None:
    def arrived(windows: list[tuple[float, str, str, int, float]]) -> list[Alert]:
        fused, alerts = watched(), []
        for _, query, stream, at_s, per_hour in sorted(windows):
            alerts += give(fused, query, stream, at_s, per_hour)
            alerts += fused.due(T0 + (at_s + 2) * S)
        return [dataclasses.replace(a, stages={}) for a in alerts + fused.flush()]

    assert behind_s + 1 <= LATE_S
    both = [("glass", "mic", i, glass.get(i, USUAL)) for i in range(50)]
    both += [("person", "camera", i, person.get(i, USUAL)) for i in range(50)]
    at_once = [(float(one[2]), *one) for one in both]
    delays = {stream: rng.uniform(0, behind_s) for stream in BOTH}
    delayed = [(one[2] + delays[one[1]], *one) for one in both]
    assert arrived(delayed) == arrived(at_once)


def test_before_its_background_is_known_it_says_so() -> None:
    fused = watched()
    assert "nothing is promised" in fused.level.promise
    run(fused, {}, {}, FIRST_REFIT + 2)
    assert "cannot promise below" in fused.level.promise


def test_false_alarms_on_independent_backgrounds_stay_within_twice_the_budget() -> None:
    hours, budget = 8, 3.0
    fused = watched(budget=budget)
    rng = np.random.default_rng(5)
    rates = 3600 * rng.uniform(size=(hours * 3600, 2))  # how often each window's score is reached
    begun = 0
    for i, (one, other) in enumerate(rates):
        alerts = give(fused, "glass", "mic", i, one) + give(fused, "person", "camera", i, other)
        begun += states(alerts).count("started")
    assert 0 < begun <= 2 * budget * hours
    assert fused.level.promise.startswith("at most 3 an hour")


def carried(fused: Fused, **config: object) -> Fused:
    """Another one that goes on where this one was left."""
    (event,) = fused.open
    other = watched(**config)
    assert other.carry_on(event)
    return other


def begun() -> tuple[Fused, Alert]:
    """One whose event has begun, with signs at 10 and 14 s, 17 s into the run."""
    fused = watched()
    alerts = [
        alert
        for i in range(16)
        for query, stream, at_s in (("glass", "mic", 10), ("person", "camera", 14))
        for alert in give(fused, query, stream, i, RARE if i == at_s else USUAL)
    ]
    return fused, alerts[0]


def after(fused: Fused, seconds: range, **rates: dict[int, float]) -> list[Alert]:
    return [
        alert
        for i in seconds
        for query, stream in (("glass", "mic"), ("person", "camera"))
        for alert in give(fused, query, stream, i, rates.get(query, {}).get(i, USUAL))
    ]


def test_an_event_that_goes_on_elsewhere_ends_when_its_evidence_is_old() -> None:
    fused, alert = begun()
    fused = carried(fused)
    (ended,) = after(fused, range(17, 30))
    assert (ended.id, ended.state, ended.parts) == (alert.id, "ended", alert.parts)
    assert spans([ended]) == [("ended", 15, 20)]


def test_an_event_that_goes_on_elsewhere_lasts_with_new_evidence() -> None:
    fused, alert = begun()
    fused = carried(fused)
    (ended,) = after(fused, range(17, 40), glass={18: RARE})
    assert ended.id == alert.id
    assert spans([ended]) == [("ended", 15, 24)]


def test_an_event_that_nobody_followed_ends_where_it_was_left() -> None:
    fused, alert = begun()
    left = spans([fused.open[0].alert])[0][2]
    for ends in (
        carried(fused).due(T0 + 60 * S),
        carried(fused).flush(),
        after(carried(fused), range(60, 70)),
    ):
        assert [(a.id, *span) for a, span in zip(ends, spans(ends), strict=True)] == [
            (alert.id, "ended", 15, left)
        ]


def test_an_event_of_another_rule_is_not_gone_on_with() -> None:
    fused, _ = begun()
    (event,) = fused.open
    assert not Fused(rule(all=["glass", "cat"])).carry_on(event)
    assert not watched().carry_on(Open(dataclasses.replace(event.alert, measure="z"), 0.0))


def test_the_cooldown_of_an_event_elsewhere_holds_here() -> None:
    fused, _ = begun()
    (ended,) = fused.flush()
    for cooldown_s, states_after in ((60, []), (10, ["started", "ended"])):
        fused = watched(cooldown_s=cooldown_s)
        fused.rest_after(ended)
        fused.rest_after(dataclasses.replace(ended, stream="yard", end_ns=T0))  # an earlier one
        rates = {"glass": {40: RARE}, "person": {41: RARE}}
        assert states(after(fused, range(30, 60), **rates)) == states_after


def test_confirmed_events_are_no_background_and_rejected_ones_are() -> None:
    fused = watched(budget=6)
    often = dict.fromkeys(range(200, 3600, 400), 0.01)
    run(fused, {**often, 1000: 1e-9}, {**often, 1000: 1e-9}, 3600)
    fused.judge((), ())
    drawn = fused.level.on
    fused.judge(tuple((T0 + i * S, T0 + (i + 15) * S) for i in often), ())
    assert fused.level.on < drawn
    fused.judge((), ())
    assert fused.level.on == drawn


def test_what_stands_out_is_taken_for_true_unless_it_was_rejected() -> None:
    fused = watched(budget=6)
    rng = np.random.default_rng(0)
    often = {i: rng.uniform(5, 15) for i in range(50, 3600, 100)}
    high = {1000: 1e-9}
    run(fused, {**often, **high}, {**often, **high}, 3600)
    fused.judge((), ())
    taken = fused.level.on
    fused.judge((), ((T0 + 1000 * S, T0 + 1015 * S),))
    assert fused.level.on > taken
