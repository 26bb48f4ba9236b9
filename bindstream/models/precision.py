"""In which numbers a tower computes: what was asked for, what the machine can, what is left.

A tower that does not give its golden vectors in a precision is computed in the next of `fallbacks`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Arithmetic = Literal["float32", "bfloat16", "float16", "int8"]
Precision = Literal["auto", "float32", "bfloat16", "float16", "int8"]

LEAST_COSINE: dict[Arithmetic, float] = {
    # Golden vectors are computed in float32 themselves: another processor's rounding stays a
    # hundred times closer than this, a wrong tower does not.
    "float32": 0.99999,
    "bfloat16": 0.999,
    "float16": 0.999,
    "int8": 0.99,
}
"""Least cosine of a tower's golden vectors to the stored ones, by the precision it computes in."""

LEAST_USABLE = 0.99
"""A tower whose float32 is further than this from its golden vectors is not used: no rounding does
that, its weights or the code here are others than those it was saved with."""

# As Linux names them in /proc/cpuinfo: AVX-512 and AMX on x86, then ARM.
HARDWARE: dict[Arithmetic, tuple[str, ...]] = {
    "bfloat16": ("avx512_bf16", "amx_bf16", "bf16"),
    "float16": ("avx512_fp16", "amx_fp16", "asimdhp"),
}
"""Flags of processors that compute in a precision; one is enough."""
VNNI = ("avx512_vnni", "avx_vnni", "amx_int8")
"""Flags of x86 processors that add up products of int8 without an overflow in between."""


@dataclass(frozen=True)
class Choice:
    """A precision, why it is this one ("in float32: ..."), and what to warn of ("" if nothing)."""

    precision: Arithmetic
    reason: str
    warning: str = ""


@dataclass(frozen=True)
class Settled(Choice):
    """As `Choice`, once golden vectors were computed: `cosine` is their least one."""

    cosine: float = 1.0

    @property
    def sound(self) -> bool:
        """Whether the tower gives the vectors that it was saved with."""
        return self.cosine >= LEAST_COSINE[self.precision]


def cpu_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """What the processor can, as Linux states it; nothing is known on other systems."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    stated = (line.partition(":") for line in lines)
    for name, _, flags in stated:
        if name.strip() in ("flags", "Features"):  # x86, ARM
            return frozenset(flags.split())
    return frozenset()


def choose(asked: Precision, device: str, flags: frozenset[str]) -> Choice:
    """What to compute in, before golden vectors are looked at.

    Args:
        asked: "auto" takes float16 on CUDA, bfloat16 on a CPU that computes in it, else float32.
        device: torch's type of device: "cpu", "cuda", "mps".
        flags: of the processor, see `cpu_flags`.
    """
    if asked == "auto":
        return _automatic(device, flags)
    if asked == "int8" and device != "cpu":
        instead = _automatic(device, flags).precision
        why = f"int8 is for CPUs, not for {device}"
        return Choice(instead, why, f"computes in {instead}: {why}")
    if device == "cpu" and asked in HARDWARE and not _found(asked, flags):
        why = _lack(asked, flags)
        is_slow = f"{asked} {'is' if flags else 'may be'} emulated, slower than float32"
        slow = f"{is_slow}: {why}. Leave out the precision."
        return Choice(asked, f"asked for, though {why}", slow)
    return Choice(asked, "asked for")


def fallbacks(precision: Arithmetic, device: str, flags: frozenset[str]) -> tuple[Arithmetic, ...]:
    """What is tried where golden vectors fail, in order: bfloat16, which has float32's range, but
    not on a CPU that would emulate it; at last float32."""
    bfloat16 = device != "cpu" or _found("bfloat16", flags)
    if precision in ("int8", "float16") and bfloat16:
        return ("bfloat16", "float32")
    return () if precision == "float32" else ("float32",)


def _automatic(device: str, flags: frozenset[str]) -> Choice:
    if device == "cuda":
        return Choice("float16", "CUDA computes fastest in it")
    if device != "cpu":
        return Choice("float32", f"nothing else was tried on {device}")
    if found := _found("bfloat16", flags):
        return Choice("bfloat16", f"this CPU computes in it ({', '.join(found)})")
    return Choice("float32", _lack("bfloat16", flags))


def _lack(precision: Arithmetic, flags: frozenset[str]) -> str:
    if not flags:
        return "what this CPU can is not known here"
    looked_for = HARDWARE[precision][:2] if "sse2" in flags else HARDWARE[precision][2:]
    return f"this CPU has no {precision} arithmetic ({', '.join(looked_for)})"


def _found(precision: Arithmetic, flags: frozenset[str]) -> list[str]:
    return [flag for flag in HARDWARE[precision] if flag in flags]
