"""Sensors whose readings come late, in bursts, twice, out of order or not at all, whose clocks run
fast and jump: what a host sees of them, and the truth beside it. Seeded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

MS = 1_000_000
S = 1_000_000_000
START_NS = 1_700_000_000 * S
LEAST_DELAY_NS = MS // 2
"""What the fastest reading takes; no method can know it, so it is in every error."""

Times = NDArray[np.int64]


@dataclass(frozen=True)
class Sensor:
    """One sensor and its faults.

    `delay_ms` draws n delays beyond the least; `ordered` says that nothing overtakes, as on a
    wire. `every_ms` are the bounds between which a radio's bursts lie apart (None: no bursts).
    `loss`, `twice`: shares of readings. `steps`: (when, s; by how much the device's clock is set,
    s). `reboot_s`: when it begins anew at zero, after two seconds of nothing; `stall_s`: (from,
    until), in which nothing gets through, all of it arriving from the end on, `drain_ms` apart.
    `hole_s`: readings between
    are lost. `timed`: it tells its own time; `numbered`: it numbers its readings.
    """

    name: str
    rate_hz: float = 200.0
    length_s: float = 60.0
    delay_ms: Callable[[np.random.Generator, int], NDArray[np.float64]] = field(
        default=lambda rng, n: rng.uniform(0, 10, n)
    )
    ordered: bool = True
    skew_ppm: float = 100.0
    every_ms: tuple[float, float] | None = None
    loss: float = 0.0
    twice: float = 0.0
    steps: tuple[tuple[float, float], ...] = ()
    reboot_s: float | None = None
    stall_s: tuple[float, float] | None = None
    drain_ms: float = 0.0
    hole_s: tuple[float, float] | None = None
    timed: bool = True
    numbered: bool = False


@dataclass(frozen=True)
class Arrivals:
    """What came, in order of arrival; all (n,) int64.

    `ticks`: the device's own time, ns. `numbers`: how many readings it had made. `true_ns`: when
    they were made; `side`: how many times its clock had been set or had begun anew by then.
    """

    ticks: Times
    numbers: Times
    arrivals_ns: Times
    true_ns: Times
    side: Times


def arrivals_of(sensor: Sensor, seed: int) -> Arrivals:
    """A run of the sensor."""
    rng = np.random.default_rng(seed)
    n = round(sensor.rate_hz * sensor.length_s)
    since_ns = np.round(np.arange(n) * S / sensor.rate_hz).astype(np.int64)
    true_ns = START_NS + since_ns
    ticks, side = _device_time(sensor, since_ns)
    delays_ns = LEAST_DELAY_NS + np.round(sensor.delay_ms(rng, n) * MS).astype(np.int64)
    arrivals_ns = _received(sensor, rng, true_ns, delays_ns)
    kept = rng.random(n) >= sensor.loss
    for span in (sensor.hole_s, _silence(sensor)):
        if span is not None:
            kept &= (since_ns < span[0] * S) | (since_ns >= span[1] * S)
    order = np.repeat(np.arange(n), kept * (1 + (rng.random(n) < sensor.twice)))
    order = order[np.argsort(arrivals_ns[order], kind="stable")]
    return Arrivals(ticks[order], order, arrivals_ns[order], true_ns[order], side[order])


def _device_time(sensor: Sensor, since_ns: Times) -> tuple[Times, Times]:
    ticks = 400 * S + np.round(since_ns * (1 + sensor.skew_ppm * 1e-6)).astype(np.int64)
    side = np.zeros(len(ticks), np.int64)
    for at_s, by_s in sensor.steps:
        after = since_ns >= at_s * S
        ticks[after] += round(by_s * S)
        side[after] += 1
    if sensor.reboot_s is not None:
        after = since_ns >= sensor.reboot_s * S
        ticks[after] -= ticks[after][0]
        side[after] += 1
    return ticks, side


def _silence(sensor: Sensor) -> tuple[float, float] | None:
    return None if sensor.reboot_s is None else (sensor.reboot_s - 2, sensor.reboot_s)


def _received(sensor: Sensor, rng: np.random.Generator, true_ns: Times, delays_ns: Times) -> Times:
    arrivals_ns = true_ns + delays_ns
    if sensor.every_ms is not None:
        low, high = sensor.every_ms
        gaps = rng.uniform(low, high, round(2 * sensor.length_s * 1000 / low)) * MS
        sent_ns = START_NS + np.cumsum(gaps).astype(np.int64)
        arrivals_ns = sent_ns[np.searchsorted(sent_ns, arrivals_ns)]
    if sensor.stall_s is not None:
        from_ns, until_ns = (START_NS + round(at * S) for at in sensor.stall_s)
        apart_ns = round(sensor.drain_ms * MS)
        for i in np.flatnonzero(arrivals_ns >= from_ns):
            soonest_ns = max(until_ns, arrivals_ns[i - 1] + apart_ns)
            if arrivals_ns[i] >= soonest_ns:
                break
            arrivals_ns[i] = soonest_ns
    return np.maximum.accumulate(arrivals_ns) if sensor.ordered else arrivals_ns


def _half_normal(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    return np.abs(rng.normal(0, 10, n))


def _wide(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    return rng.uniform(0, 20, n)


def _little(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    return rng.uniform(0, 1, n)


BURSTS = (30.0, 50.0)
"""Milliseconds between two packets of a Bluetooth link, each with all readings since the last."""

SENSORS = (
    Sensor("jitter 0-10 ms"),
    Sensor("jitter 0-10 ms, -100 ppm", skew_ppm=-100),
    Sensor("jitter 0-20 ms", delay_ms=_wide),
    Sensor("jitter half-normal, 10 ms", delay_ms=_half_normal),
    Sensor("bursts every 30-50 ms", delay_ms=_little, every_ms=BURSTS),
    Sensor("5 % lost, 2 % twice, reordered", ordered=False, loss=0.05, twice=0.02),
    Sensor("nothing for 1 s, then all of it", stall_s=(20, 21)),
    Sensor("nothing for 1 s, then slowly all of it", stall_s=(20, 21), drain_ms=3),
    Sensor("clock set forward 15 s", steps=((20, 15.0),)),
    Sensor("clock set back 12 s", steps=((20, -12.0),)),
    Sensor("clock set forward 0.3 s", steps=((20, 0.3),)),
    Sensor("clock set back 0.3 s", steps=((20, -0.3),)),
    Sensor("bursts, clock set back 12 s", delay_ms=_little, every_ms=BURSTS, steps=((20, -12.0),)),
    Sensor(
        "bursts, clock set forward 15 s", delay_ms=_little, every_ms=BURSTS, steps=((20, 15.0),)
    ),
    Sensor("reboot, 2 s of nothing", reboot_s=20),
    Sensor("set 15 s forward, 12 s back, reboot", steps=((15, 15.0), (30, -12.0)), reboot_s=45),
    Sensor("no times: jitter 0-10 ms", timed=False),
    Sensor("no times: bursts every 30-50 ms", delay_ms=_little, every_ms=BURSTS, timed=False),
    Sensor("no times: 0.4 s lost", timed=False, hole_s=(20, 20.4)),
    Sensor("numbers: 5 % lost", timed=False, numbered=True, loss=0.05),
)
