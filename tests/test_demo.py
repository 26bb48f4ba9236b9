from __future__ import annotations

from dataclasses import replace

from bindstream.config import load_config
from bindstream.demo import contributors, demo_config, in_house, passed, verdicts
from bindstream.records import Alert

START_NS = 1_700_000_000 * 10**9


def alert(query: str, at_s: float, number: int) -> Alert:
    start_ns = START_NS + round(at_s * 1e9)
    return Alert(
        id=f"{query}-{number}",
        query=query,
        text=query,
        state="started",
        stream="kitchen-mic",
        modality="audio",
        start_ns=start_ns,
        end_ns=start_ns + 2 * 10**9,
        peak_ns=start_ns,
        peak_z=9,
        peak_cosine=0.5,
        on=5,
        off=3,
        scores=(9,),
        model="m",
    )


def test_alerts_are_held_against_what_happened() -> None:
    config = load_config(demo_config())
    alerts = [alert("doorbell", 22, 1), alert("doorbell", 70, 2), alert("dog", 60, 1)]
    found = {verdict.query: verdict for verdict in verdicts(config, alerts, START_NS)}
    assert set(found) == {query.id for query in config.queries}
    assert [event.start_s for event in found["doorbell"].found] == [22]
    assert [each.id for each in found["doorbell"].false] == ["doorbell-2"]
    assert (len(found["dog"].found), len(found["dog"].missed)) == (1, 0)
    assert len(found["fire"].missed) == 1


def test_without_alerts_everything_is_missed() -> None:
    config = load_config(demo_config())
    assert all(verdict.missed and not verdict.found for verdict in verdicts(config, [], START_NS))


def test_what_was_not_played_yet_is_not_missed() -> None:
    config = load_config(demo_config())
    judged = verdicts(config, [alert("doorbell", 22, 1)], START_NS, played_s=24)
    happened = [event.start_s for verdict in judged for event in (*verdict.found, *verdict.missed)]
    assert happened == [22]


def test_a_demonstration_passes_if_most_is_found_little_false_and_every_sensor_helped() -> None:
    config = load_config(demo_config())
    (events,) = {stream.source.script().events for stream in config.streams}  # type: ignore[union-attr]
    streams = [stream.name for stream in config.streams]
    good = [
        replace(alert(event.kind, event.start_s, i), stream=streams[i % len(streams)])
        for i, event in enumerate(events)
    ]
    judged = verdicts(config, good, START_NS)
    assert contributors(judged, good) == set(streams)
    assert passed(config, judged, good)
    noisy = [*good, alert("doorbell", 60, 90), alert("doorbell", 70, 91)]
    assert not passed(config, verdicts(config, noisy, START_NS), noisy)
    few = good[: len(events) // 2]
    assert not passed(config, verdicts(config, few, START_NS), few)
    lopsided = [replace(a, stream=streams[0]) for a in good]
    assert not passed(config, verdicts(config, lopsided, START_NS), lopsided)


def test_the_same_happens_in_every_house() -> None:
    config = load_config(demo_config())
    other = in_house(config, 99)
    assert {s.source.seed for s in other.streams} == {99}  # type: ignore[union-attr]
    scripts = [c.streams[0].source.script() for c in (config, other)]  # type: ignore[union-attr]
    assert scripts[0].events == scripts[1].events
