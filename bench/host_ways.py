"""How right the offset to another host's clock is, over ways that delay unlike each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sensor_faults import MS, START_NS, S

from bindstream.clocks.exchange import EVERY_S, PROBES
from bindstream.clocks.offset import Exchange, HostOffset

AHEAD_NS, PPM = 3_700 * MS, 80
MINUTES = 10
FROM_S = 10.0
WAYS_MS = ((0.1, 0.1), (1.0, 4.0), (5.0, 20.0))
"""Mean delays there and back beyond 0.2 ms, exponential: a cable, Wi-Fi, a busy network."""


@dataclass(frozen=True)
class Met:
    """Of one way: the error and what was stated of it, ms; `within`: how often the first was no
    larger than the second."""

    out_ms: float
    back_ms: float
    p50_ms: float
    p99_ms: float
    stated_ms: float
    within: float


def burst(rng: np.random.Generator, at_ns: int, out_ms: float, back_ms: float) -> Exchange:
    """The probe of a burst that was back soonest."""
    made = []
    for _ in range(PROBES):
        out_ns, back_ns = (round((0.2 + rng.exponential(ms)) * MS) for ms in (out_ms, back_ms))
        there_ns = at_ns + out_ns + ahead_ns(at_ns)
        exchange = Exchange.of(at_ns, there_ns, there_ns, at_ns + out_ns + back_ns)
        assert exchange is not None
        made.append(exchange)
    return min(made, key=lambda exchange: exchange.round_trip_ns)


def ahead_ns(at_ns: int) -> int:
    return AHEAD_NS + (at_ns - START_NS) * PPM // 10**6


def met(out_ms: float, back_ms: float, runs: int) -> Met:
    off_ms, stated_ms = [], []
    for seed in range(runs):
        rng, line = np.random.default_rng(seed), HostOffset(0)
        for step in range(round(MINUTES * 60 / EVERY_S)):
            at_ns = START_NS + round(step * EVERY_S * S)
            line.push(burst(rng, at_ns, out_ms, back_ms))
            for later_s in (0.1, 0.9 * EVERY_S):
                now_ns = at_ns + round(later_s * S)
                got = line.at(now_ns)
                if step * EVERY_S >= FROM_S:
                    off_ms.append(abs(got.offset_ns - ahead_ns(now_ns)) / MS)
                    stated_ms.append(got.uncertainty_ns / MS)
    p50_ms, p99_ms = (float(p) for p in np.percentile(off_ms, (50, 99)))
    within = float(np.mean(np.array(off_ms) <= np.array(stated_ms)))
    return Met(out_ms, back_ms, p50_ms, p99_ms, float(np.median(stated_ms)), within)


def print_ways(runs: int) -> list[Met]:
    print(f"\nanother host's clock, {AHEAD_NS / S:g} s ahead and {PPM} ppm fast\n")
    print("| delay there, back ms | p50 ms | p99 ms | stated ms | within |\n|" + " --- |" * 5)
    found = [met(*way, runs) for way in WAYS_MS]
    for m in found:
        errors = f"{m.p50_ms:.3f} | {m.p99_ms:.3f} | {m.stated_ms:.3f} | {m.within:.1%}"
        print(f"| {m.out_ms:g}, {m.back_ms:g} | {errors} |")
    return found
