"""What this process holds in memory, and the most that it held since a moment, as Linux states."""

from __future__ import annotations

import re
from pathlib import Path

PROCESS = Path("/proc/self")


def resident_bytes() -> int:
    return _stated_bytes("VmRSS")


def peak_bytes() -> int:
    """The most that was resident since the process began or `forget_peak`."""
    return _stated_bytes("VmHWM")


def forget_peak() -> None:
    """Let `peak_bytes` begin anew."""
    (PROCESS / "clear_refs").write_text("5", encoding="ascii")  # see proc(5)


def _stated_bytes(name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", (PROCESS / "status").read_text(encoding="ascii"))
    assert found is not None, f"Linux states {name}"
    return int(found[1]) * 1024
