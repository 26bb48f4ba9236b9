"""Host time: close to UTC, never backwards, one clock a host."""

from __future__ import annotations

import pickle
import time

import pytest

from bindstream.clock import Clock


def test_now_is_utc_to_a_millisecond() -> None:
    clock = Clock.read()
    before = time.time_ns()
    now = clock.now_ns()
    after = time.time_ns()
    assert before - 1_000_000 <= now <= after + 1_000_000


def test_time_never_goes_back() -> None:
    clock = Clock.read()
    seen = [clock.now_ns() for _ in range(2000)]
    assert seen == sorted(seen)


def test_readings_of_the_monotonic_clock_are_on_the_same_scale() -> None:
    clock = Clock.read()
    before = clock.now_ns()
    read = clock.from_monotonic_ns(time.monotonic_ns())
    assert before <= read <= clock.now_ns()


def test_a_stepped_wall_clock_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock.read()
    before = clock.now_ns()
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert 0 <= clock.now_ns() - before < 10**9
    assert clock.here() == clock


def test_a_process_of_the_same_host_keeps_the_runs_offset() -> None:
    clock = Clock(offset_ns=Clock.read().offset_ns + 5_000_000, id=Clock.read().id)
    assert pickle.loads(pickle.dumps(clock)).here() == clock


def test_a_process_of_another_host_reads_its_own() -> None:
    elsewhere = Clock(offset_ns=12345, id="host:ffffffff")
    here = elsewhere.here()
    assert here.id == Clock.read().id != elsewhere.id
    assert abs(here.now_ns() - time.time_ns()) < 1_000_000
