"""What recording costs: processor and room, of each modality at a usual rate.

    OMP_NUM_THREADS=1 taskset -c 1 python bench/recording.py [--seconds 10] [--only door]

Each line records one made-up stream at real-time pace and tells the share of one core that this
process took (pushing, encoding, compressing, writing), and what lies on the disk a second. Pictures
are smooth surfaces with edges and a sensor's noise, which moves: real ones are about as large.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bindstream.config.record import RecordConfig
from bindstream.recording import Recorder
from bindstream.records import ModalityName, Sample

S = 10**9
DIFFERENT = 12
"""Samples made of each stream, recorded in turn."""


class Line(NamedTuple):
    """A stream: its Samples a second, and how one is made."""

    what: str
    modality: ModalityName
    rate_hz: float
    make: Callable[[np.random.Generator, int], Any]
    config: RecordConfig = RecordConfig()


def picture(width: int, height: int) -> Callable[[np.random.Generator, int], Any]:
    def make(rng: np.random.Generator, number: int) -> Any:
        y, x = np.mgrid[0:height, 0:width]
        surface = 90 + 60 * np.sin((x + 9 * number) / 97) + 40 * np.cos(y / 61)
        surface += 50 * ((x // 160 + y // 90) % 2)
        noise = rng.normal(0, 3, (height, width, 3))
        return np.clip(surface[..., None] * (1.0, 0.9, 0.8) + noise, 0, 255).astype(np.uint8)

    return make


def sound(rng: np.random.Generator, number: int) -> Any:
    t = number / 10 + np.arange(1600) / 16000
    loud = 0.2 * np.sin(2 * np.pi * 440 * t) + rng.normal(0, 0.01, 1600)
    return (np.rint(loud * 32768) / 32768).astype(np.float32)


def heat(width: int, height: int) -> Callable[[np.random.Generator, int], Any]:
    def make(rng: np.random.Generator, number: int) -> Any:
        x = np.linspace(20, 30, width) + 0.1 * number
        counts = np.rint((x + rng.normal(0, 0.05, (height, width)) + 273.15) * 100)
        return (counts * np.float64(0.01) - 273.15).astype(np.float32)

    return make


def distance(rng: np.random.Generator, number: int) -> Any:
    y = np.linspace(800, 4000, 480)[:, None] + number
    counts = np.rint(y + rng.normal(0, 3, (480, 640))).astype(np.uint16)
    counts[rng.random(counts.shape) < 0.05] = 0
    return (counts * np.float64(0.001)).astype(np.float32)


def motion(rng: np.random.Generator, number: int) -> Any:
    return rng.normal((0, 0, 9.81, 0, 0, 0), 0.05, (20, 6)).astype(np.float32)


LINES = (
    Line("sound, 16 kHz", "audio", 10, sound),
    Line("pictures 640×480, JPEG 90", "vision", 30, picture(640, 480)),
    Line("pictures 1280×720, JPEG 90", "vision", 30, picture(1280, 720)),
    Line("pictures 1920×1080, JPEG 90", "vision", 25, picture(1920, 1080)),
    Line(
        "pictures 1280×720, lossless",
        "vision",
        30,
        picture(1280, 720),
        RecordConfig(pictures="lossless"),
    ),
    Line("heat 160×120", "thermal", 9, heat(160, 120)),
    Line("heat 256×192", "thermal", 25, heat(256, 192)),
    Line("depth 640×480", "depth", 30, distance),
    Line("motion, 200 readings a second", "imu", 10, motion),
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--only", default="", help="lines with this in their name")
    arguments = parser.parse_args()
    print(f"{'':32s}{'a second':>9s}{'% of a core':>12s}{'MB a second':>12s}{'GB a day':>9s}  lost")
    for line in LINES:
        if arguments.only in line.what:
            measure(line, arguments.seconds)


def measure(line: Line, seconds: float) -> None:
    samples = made(line)
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(
            Path(folder) / "run", "sensors", line.config, {}, sensors={"one": line.modality}
        )
        begun_s, used_s = time.monotonic(), time.process_time()
        for number in range(round(seconds * line.rate_hz)):
            time.sleep(max(begun_s + number / line.rate_hz - time.monotonic(), 0))
            recorder.push(moved(samples[number % DIFFERENT], round(number / line.rate_hz * S)))
        recorder.close()
        used_s, took_s = time.process_time() - used_s, time.monotonic() - begun_s
        health = recorder.health()
        rate = health.disk_bytes / took_s
        print(
            f"{line.what:32s}{line.rate_hz:9.0f}{100 * used_s / took_s:12.1f}{rate / 1e6:12.3f}"
            f"{rate * 86400 / 1e9:9.1f}  {sum(health.lost.values())}",
            flush=True,
        )


def made(line: Line) -> list[Sample]:
    rng = np.random.default_rng(3)
    samples = []
    for number in range(DIFFERENT):
        data = line.make(rng, number)
        times_ns = np.arange(len(data)) * 5_000_000 if line.modality == "imu" else None
        samples.append(Sample("one", line.modality, data, 0, 0, 0, times_ns=times_ns))
    return samples


def moved(sample: Sample, by_ns: int) -> Sample:
    """The Sample at another time."""
    at_ns = 1_795_000_000 * S + by_ns
    times_ns = None if sample.times_ns is None else sample.times_ns + at_ns
    return dataclasses.replace(
        sample, start_ns=at_ns, end_ns=at_ns + S // 10, receive_ns=at_ns, times_ns=times_ns
    )


if __name__ == "__main__":
    main()
