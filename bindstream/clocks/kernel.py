"""What the kernel says of its own clock: whether anything keeps it right, and how wrong it may be.

Read with adjtimex(2), which changes nothing when its `modes` are 0; fields and bits are those of
Linux' <sys/timex.h>.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

_STA_UNSYNC = 0x0040
_TIME_ERROR = 5  # what adjtimex returns while the clock is not synchronised


class _Timex(ctypes.Structure):
    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        # Constant, precision, tolerance, time, tick and the statistics of a pulse a second: unused
        # here, and room for what later kernels add.
        ("rest", ctypes.c_long * 48),
    )


@dataclass(frozen=True)
class KernelClock:
    """`synchronised`: a service (chrony, ntpd, systemd-timesyncd, PTP) keeps the clock on UTC.

    `error_ns` is what that service estimates that the clock is off by, or the bound that the kernel
    lets grow by 0.5 ms a second since it was last heard of, where it gives no estimate. None where
    nothing keeps the clock, and where the kernel does not tell.
    """

    synchronised: bool
    error_ns: int | None


def read_kernel_clock() -> KernelClock:
    """The kernel's word, now; does not block, needs no rights."""
    told = _Timex()
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(told))
    except (OSError, AttributeError):  # no Linux
        return KernelClock(False, None)
    if state < 0 or state == _TIME_ERROR or told.status & _STA_UNSYNC:
        return KernelClock(False, None)
    return KernelClock(True, (told.esterror or told.maxerror) * 1000)
