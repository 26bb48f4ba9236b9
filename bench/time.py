"""How right readings' times are, against the truth, for sensors with seeded faults.

    python bench/time.py [--runs 3] [--only NAME] [--json FILE]

Lays the readings of each faulty sensor (bench/sensor_faults.py) on the host's time as the product
does (bindstream/clocks/device.py), with the same clock model but a slope by recursive least
squares, and as the Lab Streaming Layer does (bench/dejitter.py). Prints for each: the error against
the truth, median and 99th percentile from 10 s on in ms, and the 99th percentile once a
constant error is taken away (LSL follows the mean delay, and leaves that to whoever knows the
sensor); how long it took until the 99th percentile of every later second was within 5 ms; how many
readings had come when a jump of the sensor's clock was found, the slowest; and how many readings
were placed by a line that was fitted over both sides of a jump. Errors include the 0.5 ms that the
fastest reading takes. Then: how right another host's clock is met (bench/host_ways.py).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from dejitter import Dejitter
from host_ways import print_ways
from numpy.typing import NDArray
from sensor_faults import MS, SENSORS, START_NS, Arrivals, S, Sensor, arrivals_of
from slopes import RecursiveEnvelope

from bindstream.clocks.device import DeviceClock
from bindstream.sources.imu import device_clock

WITHIN_MS = 5.0
FROM_S = 10.0


@dataclass(frozen=True)
class Result:
    """Of one method with one sensor: `found_after` None where it found no jump that there was."""

    sensor: str
    method: str
    p50_ms: float
    p99_ms: float
    spread_ms: float
    settled_s: float | None
    jumps: int
    found: int
    found_after: int | None
    across: int


@dataclass(frozen=True)
class Run:
    """`placed`: (reading, host ns), as they were settled; `found`: how many readings had come when
    each jump was found; `across`: readings placed by a line over both sides of one."""

    placed: list[tuple[int, int]]
    found: list[int]
    across: int


def by_device_clock(clock: DeviceClock[int], sensor: Sensor, came: Arrivals) -> Run:
    """The product's clock model, or one like it."""
    placed: list[tuple[int, int]] = []
    found: list[int] = []
    across = 0
    side_of: dict[tuple[int, int], int] = {}
    for n, (tick, arrival_ns) in enumerate(_points(sensor, came)):
        side_of[tick, arrival_ns] = int(came.side[n])
        settled = clock.place(tick, arrival_ns, n)
        if clock.jumps > len(found):
            found += [n] * (clock.jumps - len(found))
        if settled and len({side_of[point] for point in clock.points}) > 1:
            across += len(settled)
        placed += [(item.item, item.host_ns) for item in settled]
    placed += [(item.item, item.host_ns) for item in clock.flush()]
    return Run(placed, found, across)


def by_lsl(sensor: Sensor, came: Arrivals) -> Run:
    model = Dejitter(sensor.rate_hz)
    numbers = came.numbers if sensor.numbered else np.arange(len(came.ticks))
    placed = [
        (n, model.place(int(number), int(arrival_ns)))
        for n, (number, arrival_ns) in enumerate(zip(numbers, came.arrivals_ns, strict=True))
    ]
    # It takes no notice of the sensor's clock, which jumps: nothing is there to be averaged.
    return Run(placed, [], 0)


def by_lsl_of_stamps(sensor: Sensor, came: Arrivals) -> Run:
    """The same of what the sensor stamped, laid on the host's time by its first reading: where an
    application hands such stamps on."""
    stamps_ns = came.ticks + (came.arrivals_ns[0] - came.ticks[0])
    handed_on = dataclasses.replace(came, arrivals_ns=stamps_ns)
    run = by_lsl(sensor, handed_on)
    return Run(run.placed, [], int((came.side > 0).sum()))


METHODS: dict[str, Callable[[Sensor, Arrivals], Run]] = {
    "product": lambda sensor, came: by_device_clock(device_clock(timed=sensor.timed), sensor, came),
    "RLS slope": lambda sensor, came: by_device_clock(recursive_clock(sensor), sensor, came),
    "LSL": by_lsl,
    "LSL of stamps": by_lsl_of_stamps,
}
"""LSL sees a sensor's own stamps only where an application hands them on: shown where they jump."""


def recursive_clock(sensor: Sensor) -> DeviceClock[int]:
    clock = device_clock(timed=sensor.timed)
    window_s, tick_ns = (15, 1.0) if sensor.timed else (5, None)
    clock._envelope = RecursiveEnvelope(window_s * S, tick_ns)
    return clock


def measured(sensor: Sensor, method: str, runs: int) -> Result:
    """All runs of a sensor together: errors of all, the slowest to settle and to find."""
    late, settled, found_after = [], [], []
    jumps = found = across = 0
    for seed in range(runs):
        came = arrivals_of(sensor, seed)
        run = METHODS[method](sensor, came)
        times_s, errors_ms = errors(run, came)
        late.append(errors_ms[times_s >= FROM_S])
        settled.append(settled_s(times_s, errors_ms))
        at = np.flatnonzero(np.diff(came.side)) + 1
        jumps += len(at)
        found += len(run.found)
        found_after += [n - int(j) + 1 for j, n in zip(at, run.found, strict=False)]
        across += run.across
    off_ms = np.concatenate(late)
    p50_ms, p99_ms = np.percentile(np.abs(off_ms), (50, 99))
    spread_ms = np.percentile(np.abs(off_ms - np.median(off_ms)), 99)
    return Result(
        sensor=sensor.name,
        method=method,
        p50_ms=float(p50_ms),
        p99_ms=float(p99_ms),
        spread_ms=float(spread_ms),
        settled_s=None if None in settled else max(s for s in settled if s is not None),
        jumps=jumps,
        found=found,
        found_after=max(found_after) if jumps and found >= jumps else None,
        across=across,
    )


def errors(run: Run, came: Arrivals) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """True times, s from the beginning, and how far off they were placed, ms; by true time."""
    readings, placed_ns = (np.array(column, np.int64) for column in zip(*run.placed, strict=True))
    true_ns = came.true_ns[readings]
    order = np.argsort(true_ns, kind="stable")
    errors_ms = (placed_ns - true_ns)[order] / MS
    return (true_ns[order] - START_NS) / S, errors_ms


def settled_s(times_s: NDArray[np.float64], errors_ms: NDArray[np.float64]) -> float | None:
    """From which second on the 99th percentile of every second is within bounds; None: never."""
    seconds = np.floor(times_s).astype(np.int64)
    bad = [
        int(second)
        for second in np.unique(seconds)
        if np.percentile(np.abs(errors_ms[seconds == second]), 99) > WITHIN_MS
    ]
    if not bad:
        return 0.0
    return None if bad[-1] >= seconds[-1] else float(bad[-1] + 1)


def _points(sensor: Sensor, came: Arrivals) -> Iterator[tuple[int, int]]:
    if sensor.timed:
        ticks = came.ticks
    else:
        ticks = came.numbers + 1 if sensor.numbered else np.arange(1, len(came.ticks) + 1)
    return zip(ticks.tolist(), came.arrivals_ns.tolist(), strict=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", default="", help="sensors whose name holds this")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    results = []
    print("| sensor | method | p50 ms | p99 ms | p99 about median | settled s |", end="")
    print(" jumps found | after | across |\n|" + " --- |" * 9)
    for sensor in SENSORS:
        if arguments.only not in sensor.name:
            continue
        jumps = bool(sensor.steps) or sensor.reboot_s is not None
        for method in list(METHODS)[: None if jumps else -1]:
            results.append(measured(sensor, method, arguments.runs))
            print(row(results[-1]), flush=True)
    hosts = print_ways(arguments.runs)
    if arguments.json is not None:
        found = {"sensors": [asdict(r) for r in results], "hosts": [asdict(m) for m in hosts]}
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")


def row(r: Result) -> str:
    settled = "never" if r.settled_s is None else f"{r.settled_s:.0f}"
    found = f"{r.found} of {r.jumps}" if r.jumps else f"{r.found} gaps" if r.found else ""
    after = "" if r.found_after is None else str(r.found_after)
    across = str(r.across) if r.jumps else ""
    errors_ms = [f"{ms:.2f}" for ms in (r.p50_ms, r.p99_ms, r.spread_ms)]
    return "| " + " | ".join([r.sensor, r.method, *errors_ms, settled, found, after, across]) + " |"


if __name__ == "__main__":
    main()
