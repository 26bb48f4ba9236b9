"""Host time: close to UTC, never backwards, one clock a host."""

from __future__ import annotations

import pickle
import time

import pytest

from bindstream.clocks import host
from bindstream.clocks.host import Clock
from bindstream.clocks.kernel import KernelClock


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


def test_what_the_kernel_says_of_its_error_counts_beside_the_reading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(host, "read_kernel_clock", lambda: KernelClock(True, 3_000_000))
    read = Clock.read()
    assert read.uncertainty_ns is not None
    assert 3_000_000 < read.uncertainty_ns < 13_000_000
    monkeypatch.setattr(host, "read_kernel_clock", lambda: KernelClock(False, None))
    assert Clock.read().uncertainty_ns is None


@pytest.mark.parametrize(
    ("by_s", "said"), [(3600, "set forward by 3600.0 s"), (-12.5, "back by 12.5")]
)
def test_a_wall_clock_that_was_set_is_said(
    monkeypatch: pytest.MonkeyPatch, by_s: float, said: str
) -> None:
    clock = Clock.read()
    assert clock.trouble() == ""
    true = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: true() + round(by_s * 1e9))
    assert said in clock.trouble()
    assert Clock.read().trouble() == ""


def test_a_host_that_slept_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock.read()
    true = time.clock_gettime_ns
    monkeypatch.setattr(time, "clock_gettime_ns", lambda which: true(which) + 90 * 10**9)
    assert "slept for 90.0 s" in clock.trouble()
