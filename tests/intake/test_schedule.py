"""How far what is played has fallen behind: by a clock that is set by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from bindstream.clocks.host import Clock
from bindstream.config import StreamConfig
from bindstream.intake.schedule import Schedule, schedule_of
from bindstream.records import Sample
from bindstream.sources import SourceContext
from bindstream.sources.registry import open_source

S = 1_000_000_000
START_NS = 1_700_000_000 * S


@dataclass(frozen=True)
class HandClock(Clock):
    """Stands still unless it is set."""

    offset_ns: int = 0
    id: str = "host:hand"
    said_ns: list[int] = field(default_factory=lambda: [START_NS])

    def now_ns(self) -> int:
        return self.said_ns[-1]

    def set(self, into_run_s: float) -> None:
        self.said_ns.append(START_NS + round(into_run_s * S))


def reading(end_s: float, *, from_ns: int = START_NS, offset_s: float = 0) -> Sample:
    """One that ends so long after `from_ns` on the run's clock, which is `offset_s` ahead."""
    end_ns = from_ns + round((end_s - offset_s) * S)
    data = np.zeros(1600, np.float32)
    offset_ns = round(offset_s * S)
    return Sample("hall", "audio", data, end_ns - S // 10, end_ns, 0, offset_ns=offset_ns)


def schedule(
    clock: Clock, speed: float = 1.0, *, begins_ns: int = START_NS, resume_s: float = 0
) -> Schedule:
    resume_ns = START_NS + round(resume_s * S) if resume_s else 0
    return Schedule(
        SourceContext("hall", "audio", clock, START_NS, resume_ns), begins_ns, speed=speed
    )


@pytest.mark.parametrize(("speed", "late_s"), [(1.0, 2.0), (2.0, 7.0), (0.5, 0.0)])
def test_a_window_is_as_late_as_the_reading_that_closed_it(speed: float, late_s: float) -> None:
    clock = HandClock()
    one = schedule(clock, speed)
    one.take(reading(10))
    clock.set(12)
    assert one.behind_s(closed=True, waiting=None) == late_s
    one.hand_out()
    clock.set(500)
    assert one.behind_s(closed=False, waiting=None) == late_s  # nothing waits: as it was


def test_what_waits_grows_older_until_it_is_taken() -> None:
    clock = HandClock()
    one = schedule(clock, 2.0)
    for now_s, behind_s in ((3, 0), (5, 0), (6, 1), (45, 40)):
        clock.set(now_s)
        assert one.behind_s(closed=False, waiting=reading(10)) == behind_s
    one.take(reading(10))
    assert one.behind_s(closed=False, waiting=reading(12)) == 39
    assert one.behind_s(closed=True, waiting=reading(12)) == 40  # a window is before it
    assert one.behind_s(closed=False, waiting=None) == 0  # no window went out yet


def test_a_recording_is_due_from_where_its_playing_begins() -> None:
    clock = HandClock()
    long_ago_ns = START_NS - 86400 * S
    one = schedule(clock, 4.0, begins_ns=long_ago_ns)
    clock.set(12)
    for offset_s in (0.0, 0.7):  # of another host's clock
        waiting = reading(20, from_ns=long_ago_ns, offset_s=offset_s)
        assert one.behind_s(closed=False, waiting=waiting) == 7


def test_of_a_clock_that_jumped_back_nothing_is_late() -> None:
    clock = HandClock()
    one = schedule(clock)
    one.take(reading(3600))
    clock.set(3601)
    assert one.behind_s(closed=False, waiting=reading(1)) == 1
    one.take(reading(1))
    one.hand_out()
    assert one.behind_s(closed=False, waiting=None) == 1


def test_what_an_earlier_process_took_in_is_not_late() -> None:
    clock = HandClock()
    one = schedule(clock, resume_s=300)
    clock.set(304)  # a file that is read from its beginning once more
    assert one.behind_s(closed=False, waiting=reading(0.1)) == 4


@pytest.mark.parametrize(("speed", "late_s"), [(1.0, 9.0), (2.0, 9.5)])
def test_what_begins_late_has_twice_as_long_to_catch_up(speed: float, late_s: float) -> None:
    clock = HandClock()
    one = schedule(clock, speed)
    clock.set(10)
    assert one.catching_up  # nothing was taken yet
    one.take(reading(1))
    clock.set(10 + 2 * late_s - 0.1)
    one.take(reading(2))
    assert one.catching_up
    assert one.behind_s(closed=True, waiting=None) > 5
    clock.set(10 + 2 * late_s)
    assert not one.catching_up
    one.take(reading(3))  # it is late, and was given its time
    assert not one.catching_up


def test_what_has_caught_up_is_given_no_more_time() -> None:
    clock = HandClock()
    one = schedule(clock)
    clock.set(20)
    for end_s, catching_up in ((1, True), (10, True), (19.5, False), (10, False)):
        one.take(reading(end_s))
        one.hand_out()
        assert one.catching_up == catching_up
    clock.set(40)
    assert not one.catching_up


def test_what_begins_in_time_and_falls_behind_then_is_not_catching_up() -> None:
    clock = HandClock()
    one = schedule(clock)
    clock.set(1)
    one.take(reading(1))
    assert not one.catching_up
    clock.set(20)
    assert not one.catching_up


def test_a_process_that_goes_on_for_an_earlier_one_is_late_by_what_it_missed() -> None:
    clock = HandClock()
    clock.set(312)
    one = schedule(clock, resume_s=300)
    one.take(reading(300.1))
    clock.set(335)
    assert one.catching_up
    clock.set(336)
    assert not one.catching_up


def scheduled(source: dict[str, Any], modality: str = "vision") -> Schedule | None:
    config = StreamConfig.model_validate({"name": "a", "modality": modality, "source": source})
    context = SourceContext("a", config.modality, HandClock(), START_NS)
    return schedule_of(open_source(config.source, context), config.source, context)


def test_live_sources_and_those_played_as_fast_as_can_be_have_none() -> None:
    assert scheduled({"kind": "camera", "url": "http://192.0.2.7/"}) is None
    assert scheduled({"kind": "scene", "speed": "max"}) is None
    assert scheduled({"kind": "imu", "port": "/dev/ttyUSB0", "format": "witmotion"}, "imu") is None
    for source in (
        {"kind": "scene"},
        {"kind": "camera", "file": "a.mp4", "speed": 0.25},
        {"kind": "camera", "folder": "a", "fps": 2},
        {"kind": "recording", "path": "a"},
    ):
        assert scheduled(source) is not None
    assert scheduled({"kind": "microphone", "file": "a.wav"}, "audio") is not None
    assert scheduled({"kind": "imu", "file": "a.csv", "format": "text"}, "imu") is not None
