"""Rules without a model: a reading that stays, a stream that falls silent and speaks again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindstream.combine.sensor import DOUBT, ReadingWatch, SilenceWatch
from bindstream.config.rule import ANY_RULE, ReadingRule, SilenceRule
from bindstream.records import Alert
from tests.combine.made import T0, S, spans, window


def reading(**config: Any) -> ReadingWatch:
    given = {"id": "oven", "reading": "max_c", "cooldown_s": 0, **config}
    rule = ANY_RULE.validate_python(given)
    assert isinstance(rule, ReadingRule)
    return ReadingWatch(rule)


def silence(**config: Any) -> SilenceWatch:
    rule = ANY_RULE.validate_python({"id": "dead", "silent_s": 30, "cooldown_s": 0, **config})
    assert isinstance(rule, SilenceRule)
    return SilenceWatch(rule, {"mic": "audio", "camera": "vision"})


def run(watched: ReadingWatch, values: list[float], stream: str = "stove") -> list[Alert]:
    """Alerts of one window a second."""
    return [
        alert
        for i, value in enumerate(values)
        for alert in watched.push(window(stream, i, readings={"max_c": value}))
    ]


def test_a_reading_above_its_level_is_an_event_until_it_is_well_below() -> None:
    alerts = run(reading(above=60), [59, 61, 80, 59.5, 58.9, 20])
    assert spans(alerts) == [("started", 1, 3), ("ended", 1, 5)]
    ended = alerts[-1]
    assert (ended.measure, ended.peak_z, ended.on, ended.off) == ("max_c", 80, 60, 59)
    assert (ended.scores, ended.readings) == ((61, 80, 59.5), {"max_c": 80})
    assert (ended.query, ended.stream) == ("oven", "stove")


def test_a_reading_below_its_level_is_an_event_too() -> None:
    alerts = run(reading(below=5, until=8), [9, 4, -2, 7, 9])
    assert spans(alerts) == [("started", 1, 3), ("ended", 1, 5)]
    assert (alerts[-1].peak_z, alerts[-1].scores, alerts[-1].on) == (-2, (4, -2, 7), 5)


def test_what_does_not_last_says_nothing() -> None:
    watched = reading(above=60, for_s=5)
    assert run(watched, [70, 70, 70, 20, 20]) == []
    assert spans(run(reading(above=60, for_s=5), [70, 70, 70, 70])) == [("started", 0, 5)]


def test_after_an_alert_there_is_silence_for_the_cooldown() -> None:
    alerts = run(reading(above=60, cooldown_s=10), [70, 20, 70, 20, *[20] * 10, 70])
    assert spans(alerts) == [("started", 0, 2), ("ended", 0, 2), ("started", 14, 16)]


def test_streams_are_watched_apart_and_only_those_that_are_named() -> None:
    watched = reading(above=60, streams=["stove", "boiler"])
    assert [a.stream for name in ("stove", "hall", "boiler") for a in run(watched, [70], name)] == [
        "stove",
        "boiler",
    ]
    assert sorted(a.stream for a in watched.flush()) == ["boiler", "stove"]


def test_a_reading_that_no_window_carries_is_said() -> None:
    watched = reading(above=60, streams=["mic"])
    for i in range(DOUBT):
        assert watched.doubts() == []
        watched.push(window("mic", i))
    assert watched.doubts() == ["no window of mic carries 'max_c'"]


def test_a_reading_that_others_carry_is_not_missed_where_no_stream_is_named() -> None:
    watched = reading(above=60)
    for i in range(DOUBT):
        watched.push(window("mic", i))
        watched.push(window("stove", i, readings={"max_c": 20}))
    assert watched.doubts() == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-50, 150), max_size=50), st.sampled_from([0.0, 4.0]), st.booleans())
def test_events_of_readings_alternate_and_last_long_enough(
    values: list[float], for_s: float, above: bool
) -> None:
    watched = reading(for_s=for_s, **({"above": 60} if above else {"below": 20}))
    alerts = run(watched, values) + watched.flush()
    assert [a.state for a in alerts] == ["started", "ended"] * (len(alerts) // 2)
    for ended in alerts[1::2]:
        assert ended.end_ns - ended.start_ns >= for_s * S
        beyond = [value >= 59 if above else value <= 21 for value in ended.scores]
        assert all(beyond)
        assert ended.peak_z == (max if above else min)(ended.scores)


def due(watched: SilenceWatch, start_s: float, end_s: float) -> list[Alert]:
    """What it says when it is asked once a second."""
    times = range(round(start_s), round(end_s) + 1)
    return [alert for at_s in times for alert in watched.due(T0 + at_s * S)]


def test_a_stream_that_falls_silent_is_said_until_it_speaks_again() -> None:
    watched = silence(streams=["mic"])
    watched.push(window("mic", 0))
    assert due(watched, 1, 30) == []
    (begun,) = due(watched, 31, 40)
    assert spans([begun]) == [("started", 1, 31)]
    assert (begun.stream, begun.modality, begun.measure, begun.on) == (
        "mic",
        "audio",
        "silent_s",
        30,
    )
    watched.push(window("mic", 40))
    (ended,) = due(watched, 41, 60)
    assert spans([ended]) == [("ended", 1, 41)]
    assert ended.id == begun.id
    assert ended.peak_z == 40


def test_a_stream_that_never_said_anything_is_silent_once_it_had_time_to_start() -> None:
    watched = silence()
    for at_s in range(0, 90, 10):
        watched.push(window("mic", at_s))
        assert [a.stream for a in due(watched, at_s, at_s + 9)] == ["camera"] * (at_s == 60)
    assert [a.state for a in watched.flush()] == ["ended"]


def test_a_slow_start_is_no_silence_and_a_first_window_ends_its_privilege() -> None:
    watched = silence(streams=["mic"], silent_s=3)
    assert due(watched, 0, 32) == []
    watched.push(window("mic", 32))
    assert [(a.state, a.end_ns - T0) for a in due(watched, 33, 40)] == [("started", 36 * S)]


def test_a_process_that_stood_still_blames_no_stream() -> None:
    watched = silence()
    assert watched.due(T0) == []
    assert watched.due(T0 + 3600 * S) == []


def test_a_recording_that_is_over_is_not_silent() -> None:
    watched = silence()
    watched.over("mic")
    assert [a.stream for a in due(watched, 0, 70)] == ["camera"]


@pytest.mark.parametrize("cooldown_s", [0, 100])
def test_the_next_silence_waits_for_the_cooldown(cooldown_s: float) -> None:
    watched = silence(streams=["mic"], cooldown_s=cooldown_s)
    watched.push(window("mic", 0))
    assert len(due(watched, 0, 40)) == 1
    watched.push(window("mic", 40))
    begun = [a.state for a in due(watched, 41, 100)]
    assert begun == ["ended", *["started"] * (cooldown_s == 0)]


def test_a_reading_that_goes_on_elsewhere_is_the_same_event() -> None:
    for limits, values in (({"above": 60}, [61, 80]), ({"below": 5, "until": 8}, [4, -2])):
        before, after = reading(**limits), reading(**limits)
        (begun,) = run(before, values)
        (event,) = before.open
        assert (event.alert.measure, event.alert.scores) == ("max_c", tuple(values))
        assert after.carry_on(event)
        (ended,) = run(after, [*values, 30])
        assert (ended.id, ended.state) == (begun.id, "ended")
        assert (ended.peak_z, ended.on) == (values[1], begun.on)
        assert not reading(**limits, streams="yard").carry_on(event)
        assert not reading(above=99).carry_on(event)


def test_the_cooldown_of_a_reading_elsewhere_holds_here() -> None:
    _, ended = run(reading(above=60), [61, 20])
    after = reading(above=60, cooldown_s=60)
    after.rest_after(ended)
    assert run(after, [61, 61, 61, 20]) == []


def quiet_elsewhere() -> tuple[Alert, SilenceWatch]:
    before, after = silence(streams=["mic"]), silence(streams=["mic"])
    before.push(window("mic", 0))
    begun = [a for i in range(0, 40) for a in before.due(T0 + i * S)]
    (event,) = before.open
    assert spans([event.alert]) == [("started", 0, 39)]
    assert after.carry_on(event)
    return begun[0], after


def test_a_silence_that_goes_on_elsewhere_ends_when_the_stream_speaks() -> None:
    begun, watched = quiet_elsewhere()
    assert watched.due(T0 + 45 * S) == []
    watched.push(window("mic", 46))
    (ended,) = watched.due(T0 + 47 * S)
    assert (ended.id, spans([ended])) == (begun.id, [("ended", 0, 47)])


def test_a_silence_that_nobody_followed_ends_where_it_was_left() -> None:
    begun, watched = quiet_elsewhere()
    (ended,) = watched.due(T0 + 4000 * S)
    assert (ended.id, spans([ended])) == (begun.id, [("ended", 0, 39)])
    again = [a for i in range(4000, 4070) for a in watched.due(T0 + i * S)]
    assert [a.state for a in again] == ["started"]
    assert not silence(streams=["camera"]).carry_on(watched.open[0])


def test_the_cooldown_of_a_silence_elsewhere_holds_here() -> None:
    _, watched = quiet_elsewhere()
    (ended,) = watched.flush()
    after = silence(streams=["mic"], cooldown_s=600)
    after.rest_after(ended)
    after.push(window("mic", 39))
    assert [a for i in range(40, 600) for a in after.due(T0 + i * S)] == []
    assert [a.state for i in range(600, 700) for a in after.due(T0 + i * S)] == ["started"]
