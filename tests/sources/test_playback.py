"""A recording's readings are due at their time, and captured at it whatever the speed."""

from __future__ import annotations

import threading
import time

import pytest

from bindstream.clocks.host import Clock
from bindstream.sources import SourceContext
from bindstream.sources.playback import Playback


def context() -> SourceContext:
    clock = Clock.read()
    return SourceContext("s", "vision", clock, clock.now_ns())


@pytest.mark.parametrize(("speed", "due_s"), [(1.0, 0.3), (3.0, 0.1)])
def test_a_reading_is_released_when_its_time_has_come(speed: float, due_s: float) -> None:
    playback = Playback(context(), speed)
    began_s = time.monotonic()
    assert playback.wait_until_due(0.3)
    assert due_s - 0.005 <= time.monotonic() - began_s < due_s + 0.5


def test_at_max_nothing_waits() -> None:
    began_s = time.monotonic()
    assert Playback(context(), "max").wait_until_due(3600)
    assert time.monotonic() - began_s < 1


def test_capture_time_does_not_depend_on_the_speed() -> None:
    here = context()
    assert Playback(here, 7.0).capture_ns(1.5) == here.start_ns + 1_500_000_000
    assert Playback(here, "max").capture_ns(1.5) == here.start_ns + 1_500_000_000


def test_a_limited_wait_says_that_the_reading_is_not_due() -> None:
    began_s = time.monotonic()
    assert not Playback(context(), 1.0).wait_until_due(60, at_most_s=0.1)
    assert 0.095 <= time.monotonic() - began_s < 2


def test_stop_lets_the_waiting_thread_go() -> None:
    playback = Playback(context(), 1.0)
    waiting = threading.Thread(target=playback.wait_until_due, args=(60,))
    waiting.start()
    playback.stop()
    waiting.join(2)
    assert not waiting.is_alive()
