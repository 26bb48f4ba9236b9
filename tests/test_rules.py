"""Rules: one event, one alert; too short, too soon, fallen silent, out of order."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindstream.config import QueryConfig
from bindstream.config.query import SILENCE_S
from bindstream.records import Alert, Score
from bindstream.rules import LETTING_GO, SCORES_MOST, Rule

S = 1_000_000_000
T0 = 1_700_000_000 * S
NAN = math.nan


def score(z: float, at_s: float, **changes: Any) -> Score:
    """The score of the window of 2 s that starts `at_s` into the run."""
    start_ns = T0 + round(at_s * S)
    given = {"cosine": z / 20, "value": z / 50, "readings": {"max_c": z}, **changes}
    return Score("dog", "mic", "audio", round(at_s), start_ns, start_ns + 2 * S, z=z, **given)


def rule(**config: Any) -> Rule:
    given = {"id": "dog", "text": ["a dog barking", "a dog"], "on": 5, "off": 3, "cooldown_s": 0}
    return Rule(QueryConfig(**{**given, **config}), "m1")


def run(rule: Rule, levels: list[float], start_s: float = 0) -> list[Alert]:
    """Alerts of one window a second."""
    return [a for i, z in enumerate(levels) for a in rule.push(score(z, start_s + i))]


def spans(alerts: list[Alert]) -> list[tuple[str, float, float]]:
    return [(a.state, (a.start_ns - T0) / S, (a.end_ns - T0) / S) for a in alerts]


def test_one_event_is_one_alert_that_starts_and_ends() -> None:
    alerts = run(rule(), [0, 1, 6, 8, 7, 1, 0])
    assert spans(alerts) == [("started", 2, 4), ("ended", 2, 6)]
    begun, ended = alerts
    assert begun.id == ended.id
    assert (begun.scores, ended.scores) == ((6,), (6, 8, 7))
    assert (ended.peak_z, ended.peak_cosine, ended.readings) == (8, 0.4, {"max_c": 8})
    assert ended.peak_ns == T0 + 4 * S  # the middle of the window that starts at 3 s
    assert (ended.query, ended.text, ended.stream, ended.modality) == (
        "dog",
        "a dog barking",
        "mic",
        "audio",
    )
    assert (ended.on, ended.off, ended.model) == (5, 3, "m1")


def test_a_vector_that_stands_for_many_windows_is_one_of_those_needed() -> None:
    twice = rule(needed=2, of=3)
    assert twice.push(score(6, 0)) == []
    again = [a for i in range(1, 20) for a in twice.push(score(6, i), repeated=True)]
    assert again == []
    (started,) = twice.push(score(7, 20))
    assert started.start_ns == T0


def test_what_was_reached_before_a_silence_does_not_count() -> None:
    twice = rule(needed=2, of=9)
    assert run(twice, [6, 0, 0, 0, 0, 0, 0, 0, 6, 0])[0].state == "started"
    silent = rule(needed=2, of=9)
    assert run(silent, [6]) + run(silent, [6], start_s=20) == []


def test_an_event_goes_on_between_the_levels() -> None:
    assert spans(run(rule(), [5, 4, 3, 4, 4.9, 3, 2.9])) == [("started", 0, 2), ("ended", 0, 7)]


def test_the_levels_themselves_start_and_keep_an_event() -> None:
    assert run(rule(), [4.999]) == []
    assert len(run(rule(), [5.0])) == 1
    assert [a.state for a in run(rule(), [5.0, 3.0])] == ["started"]


def test_a_level_between_the_two_starts_nothing() -> None:
    assert run(rule(), [4.9, 4, 3.1, 4.9]) == []


def test_a_background_still_being_learned_starts_nothing() -> None:
    assert run(rule(), [NAN] * 20) == []
    assert spans(run(rule(), [NAN, NAN, 9])) == [("started", 2, 4)]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.floats(-5, 20), max_size=60),
    st.sampled_from([0.0, 3.0]),
    st.sampled_from([0.0, 4.0]),
)
def test_alerts_alternate_and_never_overlap(
    levels: list[float], min_length_s: float, cooldown_s: float
) -> None:
    watched = rule(min_length_s=min_length_s, cooldown_s=cooldown_s)
    alerts = run(watched, levels) + watched.flush()
    assert [a.state for a in alerts] == ["started", "ended"] * (len(alerts) // 2)
    pairs = list(zip(alerts[::2], alerts[1::2], strict=True))
    for begun, ended in pairs:
        assert begun.id == ended.id
        assert begun.start_ns == ended.start_ns
        assert begun.end_ns <= ended.end_ns
        assert ended.end_ns - ended.start_ns >= min_length_s * S
        assert ended.scores[0] >= 5
        assert min(ended.scores) >= 3
        assert ended.peak_z == max(ended.scores) >= begun.peak_z
    for (_, ended), (begun, _) in pairwise(pairs):
        assert begun.start_ns >= ended.end_ns + cooldown_s * S
    assert len({a.id for a, _ in pairs}) == len(pairs)


def test_events_shorter_than_the_least_length_say_nothing() -> None:
    watched = rule(min_length_s=4)
    assert run(watched, [6, 0, 6, 6, 0]) == []  # 2 s, then 3 s
    assert spans(run(watched, [6, 6, 6, 6, 0], 10)) == [("started", 10, 14), ("ended", 10, 15)]


def test_a_short_event_starts_no_cooldown() -> None:
    watched = rule(min_length_s=3, cooldown_s=60)
    assert spans(run(watched, [6, 0, 6, 6])) == [("started", 2, 5)]


def test_after_an_alert_there_is_silence_for_the_cooldown() -> None:
    watched = rule(cooldown_s=5)
    alerts = run(watched, [6, 0, 6, 0, 6, 0, 6, 6, 6, 6])
    # The first ended at 2 s: what goes on beyond 7 s is announced from there.
    assert spans(alerts) == [("started", 0, 2), ("ended", 0, 2), ("started", 7, 9)]


def test_windows_that_overlap_an_event_that_ended_do_not_start_it_again() -> None:
    alerts = run(rule(cooldown_s=0), [6, 0, 6, 6])
    assert spans(alerts) == [("started", 0, 2), ("ended", 0, 2), ("started", 2, 4)]


def test_a_stream_that_falls_silent_ends_its_event() -> None:
    watched = rule()
    run(watched, [6, 7])  # heard until 3 s
    assert watched.due(T0 + round((3 + SILENCE_S) * S) - 1) == []
    assert spans(watched.due(T0 + round((3 + SILENCE_S) * S))) == [("ended", 0, 3)]
    assert watched.due(T0 + 100 * S) == []
    assert watched.flush() == []


def test_a_silence_within_a_recording_ends_the_event_too() -> None:
    watched = rule()
    alerts = run(watched, [6, 6]) + run(watched, [7, 7], start_s=60) + watched.flush()
    assert spans(alerts) == [
        ("started", 0, 2),
        ("ended", 0, 3),
        ("started", 60, 62),
        ("ended", 60, 63),
    ]


def test_a_recording_that_lags_behind_the_clock_is_not_silent() -> None:
    watched = rule()
    late_ns = T0 + 1000 * S
    assert len(watched.push(score(6, 0, stages={"delivered": late_ns}))) == 1
    assert watched.due(late_ns + S) == []
    assert len(watched.due(late_ns + round(SILENCE_S * S))) == 1


def test_windows_out_of_order_neither_end_an_event_nor_shorten_it() -> None:
    watched = rule()
    alerts = [a for at, z in [(0, 6), (2, 7), (1, 0), (3, 6)] for a in watched.push(score(z, at))]
    assert spans(alerts + watched.flush()) == [("started", 0, 2), ("ended", 0, 5)]


def test_a_clock_that_jumps_back_ends_the_event_and_mutes_nothing() -> None:
    watched = rule(cooldown_s=10)
    alerts = run(watched, [6, 6], start_s=5000)
    alerts += run(watched, [7, 7, 0], start_s=0)
    assert spans(alerts) == [
        ("started", 5000, 5002),
        ("ended", 5000, 5003),
        ("started", 0, 2),
        ("ended", 0, 3),
    ]


def test_the_end_of_a_stream_ends_its_event() -> None:
    watched = rule()
    run(watched, [6, 6])
    assert spans(watched.flush()) == [("ended", 0, 3)]
    assert watched.flush() == []


def test_a_long_event_keeps_its_latest_scores_and_its_peak() -> None:
    watched = rule()
    alerts = run(watched, [20.0, *[6.0] * 500, 0.0])
    assert len(alerts[-1].scores) == SCORES_MOST
    assert set(alerts[-1].scores) == {6.0}
    assert alerts[-1].peak_z == 20


def test_an_alert_carries_the_stages_of_the_window_that_caused_it() -> None:
    watched = rule(min_length_s=3)
    watched.push(score(9, 0, stages={"closed": 1}))
    (begun,) = watched.push(score(6, 1, stages={"closed": 2}))
    assert begun.stages == {"closed": 2}


@pytest.mark.parametrize("cooldown_s", [0, 5, 60])
def test_the_same_scores_give_the_same_alerts(cooldown_s: float) -> None:
    levels = [0, 6, 7, 2, 6, 1, 0, 9, 9, 9, 0] * 8
    once = run(rule(cooldown_s=cooldown_s), levels)
    assert once
    assert run(rule(cooldown_s=cooldown_s), levels) == once


def test_a_window_that_stands_out_but_is_better_explained_otherwise_starts_nothing() -> None:
    watching = rule(share=0.25)
    assert watching.push(score(9, 0, share=0.2)) == []
    assert [a.state for a in watching.push(score(9, 1, share=0.25))] == ["started"]


def test_an_event_ends_when_something_else_explains_the_window() -> None:
    watching = rule(share=0.25)
    begun = watching.push(score(9, 0, share=0.9))
    assert begun[0].peak_share == 0.9
    assert watching.push(score(9, 1, share=0.1)) == []
    assert [a.state for a in watching.push(score(9, 2, share=0.01))] == ["ended"]


def test_an_event_starts_only_where_the_query_is_a_likely_word_for_it() -> None:
    watched = rule(share=0.4)
    assert watched.push(score(50, 0, share=0.39)) == []
    (begun,) = watched.push(score(6, 1, share=0.4))
    assert begun.peak_share == 0.4


def test_an_event_ends_when_something_else_explains_its_windows() -> None:
    watched = rule(share=0.4)
    watched.push(score(6, 0, share=0.9))
    watched.push(score(6, 1, share=0.4 * LETTING_GO))
    assert spans(watched.push(score(6, 2, share=0.4 * LETTING_GO - 0.001))) == [("ended", 0, 3)]


def restarted(config: dict[str, Any], levels: list[float], at: int, lost: int) -> list[Alert]:
    """Alerts where after `at` windows another process goes on, which misses `lost` of them."""
    before = rule(**config)
    alerts = run(before, levels[:at])
    after = rule(**config)
    if (open_event := before.open) is not None:
        after.carry_on(open_event)
    if ended := [a.end_ns for a in alerts if a.state == "ended"]:
        after.rest_after(max(ended))
    alerts += run(after, levels[at + lost :], at + lost)
    return alerts + after.flush()


LEVELS = st.lists(st.sampled_from([0.0, 2.0, 4.0, 6.0, 9.0, NAN]), min_size=1, max_size=60)


@given(LEVELS, st.integers(0, 60), st.sampled_from([0.0, 4.0, 20.0]))
def test_a_restart_between_two_windows_changes_no_alert(
    levels: list[float], at: int, cooldown_s: float
) -> None:
    config = {"cooldown_s": cooldown_s, "share": 0.5}
    whole = rule(**config)
    assert restarted(config, levels, at, 0) == run(whole, levels) + whole.flush()


@given(
    LEVELS,
    st.integers(0, 60),
    st.integers(0, 12),
    st.sampled_from([0.0, 3.0, 6.0]),
    st.sampled_from([0.0, 4.0, 20.0]),
    st.sampled_from([(1, 1), (2, 3)]),
)
def test_whatever_a_restart_misses_alerts_pair_last_and_rest(
    levels: list[float],
    at: int,
    lost: int,
    min_length_s: float,
    cooldown_s: float,
    windows: tuple[int, int],
) -> None:
    config = {"min_length_s": min_length_s, "cooldown_s": cooldown_s}
    config |= {"needed": windows[0], "of": windows[1]}
    alerts = restarted(config, levels, at, lost)
    begun, ended = alerts[::2], alerts[1::2]
    assert [a.state for a in alerts] == ["started", "ended"] * (len(alerts) // 2)
    assert [a.id for a in begun] == [a.id for a in ended]
    assert len({a.id for a in begun}) == len(begun)
    assert all(a.end_ns - a.start_ns >= min_length_s * S for a in ended)
    for one, following in pairwise(ended):
        assert following.start_ns - one.end_ns >= cooldown_s * S or cooldown_s == 0


def test_an_event_carried_on_ends_at_its_last_known_end_after_a_silence() -> None:
    before = rule()
    (begun,) = run(before, [6, 8])[:1]
    assert before.open is not None
    late = rule()
    late.carry_on(before.open)
    assert late.due(T0 + 7 * S) == []
    (ended,) = late.due(T0 + 8 * S)
    assert (ended.id, ended.state, ended.end_ns) == (begun.id, "ended", T0 + 3 * S)
    assert (ended.peak_z, ended.peak_ns, ended.scores) == (8, T0 + 2 * S, (6, 8))
    later = rule()
    later.carry_on(before.open)
    alerts = later.push(score(9, 8))  # 5 s of silence between the two: an event of its own
    assert [(a.state, a.id == begun.id) for a in alerts] == [("ended", True), ("started", False)]
