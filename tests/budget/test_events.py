"""Events at any cut: what the rule would have announced."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindstream.budget.events import Series, Shape, critical_levels, events
from bindstream.config import QueryConfig
from bindstream.levels import shape_of
from bindstream.records import Score
from bindstream.rules import Level, Rule

S = 1_000_000_000


def series(values: list[float], hop_s: float = 1.0, length_s: float = 2.0) -> Series:
    starts = (np.arange(len(values)) * hop_s * S).astype(np.int64)
    return Series(np.array(values, np.float64), starts, starts + int(length_s * S))


def spans(found: object) -> list[tuple[int, int]]:
    return list(zip(found.first.tolist(), found.last.tolist(), strict=True))  # type: ignore[attr-defined]


def test_neighbouring_windows_above_the_cut_are_one_event() -> None:
    found = events(series([0, 3, 4, 3, 0, 0, 5, 0]), 2.5, Shape())
    assert spans(found) == [(1, 3), (6, 6)]
    assert found.tops.tolist() == [4, 5]


def test_an_event_goes_on_down_to_the_hysteresis_and_starts_at_the_cut_alone() -> None:
    values = [0, 2, 3, 2, 3, 1, 0]
    assert spans(events(series(values), 3, Shape())) == [(2, 2), (4, 4)]
    assert spans(events(series(values), 3, Shape(hysteresis=1.5))) == [(2, 4)]


def test_short_events_are_not_announced_and_start_no_cooldown() -> None:
    values = [0, 3, 0, 3, 3, 3, 0, 3, 3, 3, 0]
    long = Shape(least_ns=4 * S)
    assert spans(events(series(values), 2, long)) == [(3, 5), (7, 9)]
    rested = Shape(least_ns=4 * S, cooldown_ns=5 * S)
    assert spans(events(series(values), 2, rested)) == [(3, 5)]


def test_so_many_of_so_many_windows_have_to_reach_the_cut() -> None:
    values = [3, 0, 0, 3, 0, 3, 0, 0, 0]
    assert spans(events(series(values), 2, Shape(needed=2, of=2, hysteresis=9))) == []
    assert spans(events(series(values), 2, Shape(needed=2, of=3))) == [(3, 5)]


def test_a_silence_ends_an_event_and_the_longest_length_does() -> None:
    one = series([3, 3, 3, 3])
    later = np.array([0, 0, 60 * S, 60 * S])
    gap = Series(one.values, one.starts_ns + later, one.ends_ns + later)
    assert spans(events(gap, 2, Shape())) == [(0, 1), (2, 3)]
    assert spans(events(series([3] * 10), 2, Shape(most_ns=4 * S, cooldown_ns=S))) == [
        (0, 2), (5, 7),
    ]  # fmt: skip
    assert gap.hours == pytest.approx((1 + 2 + 1 + 2) / 3600)


def test_critical_levels_are_the_cuts_at_which_one_more_event_appears() -> None:
    values = [0, 5, 0, 0, 3, 0, 4, 0]
    assert critical_levels(series(values), 1.0, Shape()).tolist() == [5, 4, 3]
    # An event of one window is never announced where two are needed.
    assert critical_levels(series(values), 1.0, Shape(needed=2, of=2)).tolist() == []
    assert critical_levels(series([0.0, 0.5]), 1.0, Shape()).tolist() == []


@given(
    st.lists(st.integers(0, 6).map(float), min_size=1, max_size=60),
    st.sampled_from([Shape(), Shape(1.0), Shape(1.0, 2, 3), Shape(0.5, 1, 1, 3 * S, 4 * S)]),
)
def test_critical_levels_agree_with_the_events_at_each_cut(
    values: list[float], shape: Shape
) -> None:
    one = series(values)
    levels = critical_levels(one, -1.0, shape)
    assert (np.diff(levels) <= 0).all()
    for cut in sorted(set(values)):
        announced = len(events(one, cut, shape))
        assert announced <= (levels >= cut).sum()
        later = max((len(events(one, c, shape)) for c in set(values) if c >= cut), default=0)
        assert (levels >= cut).sum() == later


@given(
    st.lists(st.floats(-3, 3), min_size=1, max_size=80),
    st.floats(-2, 2),
    st.floats(0, 2),
    st.integers(0, 6),
    st.integers(0, 6),
)
def test_no_event_is_too_short_and_none_starts_in_a_cooldown(
    values: list[float], cut: float, hysteresis: float, least_s: int, cooldown_s: int
) -> None:
    one = series(values)
    found = events(one, cut, Shape(hysteresis, 1, 1, least_s * S, cooldown_s * S))
    for first, last in spans(found):
        assert one.values[first] >= cut
        assert one.values[first : last + 1].min() >= cut - hysteresis
        assert one.ends_ns[last] - one.starts_ns[first] >= least_s * S
    for (_, last), (first, _) in zip(spans(found), spans(found)[1:], strict=False):
        assert one.starts_ns[first] >= one.ends_ns[last] + cooldown_s * S


@given(
    st.lists(st.integers(0, 7).map(float), min_size=1, max_size=70),
    st.lists(st.integers(0, 69), max_size=3),
    st.sampled_from(
        [
            {},
            {"min_length_s": 3, "cooldown_s": 0},
            {"needed": 2, "of": 3, "cooldown_s": 4},
            {"needed": 3, "of": 3, "on": 4, "off": 1.5, "min_length_s": 5},
            {"max_length_s": 4, "cooldown_s": 1, "on": 3, "off": 2},
            {"needed": 2, "of": 4, "max_length_s": 6, "min_length_s": 3, "cooldown_s": 2},
        ]
    ),
    st.sampled_from([2.0, 3.0, 5.0]),
)
def test_what_is_counted_is_what_the_rule_announces(
    values: list[float], silences: list[int], config: dict[str, float], cut: float
) -> None:
    query = QueryConfig.model_validate({"text": "a dog", **config})
    shape = shape_of(query)
    one = series(values)
    pause = np.zeros(len(values), np.int64)
    for at in silences:
        pause[at:] += 9 * S
    one = Series(one.values, one.starts_ns + pause, one.ends_ns + pause)
    rule, level = Rule(query, "m1"), Level(cut, cut - shape.hysteresis)
    alerts = []
    for i, value in enumerate(values):
        start, end = int(one.starts_ns[i]), int(one.ends_ns[i])
        score = Score("dog", "mic", "audio", i, start, end, 0.0, 0.0, value)
        alerts += rule.push(score, level)
        if rule.is_idle(score):  # forgotten and made anew, as a watch does
            rule = Rule(query, "m1")
    alerts += rule.flush()
    ended = [(a.start_ns, a.end_ns) for a in alerts if a.state == "ended"]
    assert [a.state for a in alerts] == ["started", "ended"] * len(ended)
    found = events(one, cut, shape)
    counted = zip(found.first, found.last, strict=True)
    assert ended == [(one.starts_ns[a], one.ends_ns[b]) for a, b in counted]
