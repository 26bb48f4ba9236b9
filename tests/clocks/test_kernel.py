"""The kernel's word on its clock is read as <sys/timex.h> says, and changes nothing."""

from __future__ import annotations

import ctypes
import time
from types import SimpleNamespace
from typing import Any

import pytest

from bindstream.clocks import kernel as kernel_module
from bindstream.clocks.kernel import KernelClock, read_kernel_clock


def kernel(monkeypatch: pytest.MonkeyPatch, state: int, **told: int) -> None:
    """A kernel that says this."""

    def adjtimex(reference: Any) -> int:
        timex = reference._obj
        assert timex.modes == 0, "anything else would set the clock"
        for name, value in told.items():
            setattr(timex, name, value)
        return state

    loaded = SimpleNamespace(adjtimex=adjtimex)
    monkeypatch.setattr(kernel_module.ctypes, "CDLL", lambda *_, **__: loaded)


def test_this_kernel_answers_and_its_clock_goes_on() -> None:
    before = time.time_ns()
    found = read_kernel_clock()
    assert abs(time.time_ns() - before) < 10**9
    assert found.synchronised == (found.error_ns is not None)
    assert found.error_ns is None or 0 <= found.error_ns <= 16 * 10**9  # where the kernel gives up


def test_a_kept_clock_is_as_wrong_as_its_service_estimates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernel(monkeypatch, 0, status=0x2001, esterror=350, maxerror=21_000)
    assert read_kernel_clock() == KernelClock(True, 350_000)


def test_without_an_estimate_the_kernels_bound_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel(monkeypatch, 0, status=0x2001, esterror=0, maxerror=21_000)
    assert read_kernel_clock() == KernelClock(True, 21_000_000)


@pytest.mark.parametrize(("state", "status"), [(5, 0x40), (0, 0x40), (5, 0), (-1, 0)])
def test_a_clock_that_nothing_keeps_is_of_unknown_error(
    monkeypatch: pytest.MonkeyPatch, state: int, status: int
) -> None:
    kernel(monkeypatch, state, status=status, esterror=1, maxerror=2)
    assert read_kernel_clock() == KernelClock(False, None)


def test_where_there_is_no_such_call_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_module.ctypes, "CDLL", lambda *_, **__: SimpleNamespace())
    assert read_kernel_clock() == KernelClock(False, None)


def test_the_kernel_has_room_for_all_that_it_writes() -> None:
    assert ctypes.sizeof(kernel_module._Timex) >= 208  # of 64-bit Linux
