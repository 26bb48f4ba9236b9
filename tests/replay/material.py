"""Recordings for tests, made of simulated scenes: small, coarse, the same each time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bindstream.clocks.host import Clock
from bindstream.config import Config
from bindstream.config.record import RecordConfig
from bindstream.recording import Recorder
from bindstream.recording.facts import facts_of
from bindstream.records import ModalityName, Sample
from bindstream.sources import EndOfStream, SourceContext
from bindstream.sources.scene import SceneOptions, SceneSource

SECOND_NS = 1_000_000_000
START_NS = 1_790_000_000 * SECOND_NS
CLOCK = Clock(0, "host:scene")
RATES_HZ: Mapping[ModalityName, float | None] = {
    "audio": None,
    "vision": 2,
    "thermal": 2,
    "depth": 2,
    "imu": 50,
}
"""So few readings a second as their windows can do with."""
SHARE = 4
"""One pixel of so many each way is kept."""
Fault = Callable[[Iterable[Sample]], Iterable[Sample]]


def sensed(
    name: str,
    modality: ModalityName,
    seed: int,
    length_s: float,
    events: Sequence[Mapping[str, Any]],
) -> Iterator[Sample]:
    """What one sensor gives of a scene that begins at `START_NS`; it arrives 20 ms later."""
    options = SceneOptions.model_validate(
        {
            "kind": "scene",
            "seed": seed,
            "length_s": length_s,
            "events": list(events),
            "rate_hz": RATES_HZ[modality],
            "speed": "max",
        }
    )
    source = SceneSource(options, SourceContext(name, modality, CLOCK, START_NS))
    source.open()
    try:
        while True:
            for sample in source.read():
                yield dataclasses.replace(
                    sample,
                    data=coarse(sample),
                    receive_ns=sample.end_ns + SECOND_NS // 50,
                    uncertainty_ns=1_000_000,
                )
    except EndOfStream:
        return
    finally:
        source.close()


def coarse(sample: Sample) -> Any:
    """Readings that take little room: fewer pixels, and steps that noise does not fill."""
    if sample.modality == "audio":
        return (np.round(sample.data * 256) / 256).astype(np.float32)
    if sample.modality == "imu":
        return (np.round(sample.data * 64) / 64).astype(np.float32)
    data = sample.data[::SHARE, ::SHARE]
    return data if sample.modality == "vision" else (np.round(data * 8) / 8).astype(np.float32)


def missing(from_s: float, to_s: float) -> Fault:
    """Nothing came from `from_s` to `to_s` seconds after the beginning."""

    def faulty(samples: Iterable[Sample]) -> Iterator[Sample]:
        gap = ""
        for sample in samples:
            if from_s <= (sample.start_ns - START_NS) / SECOND_NS < to_s:
                gap = "unplugged"
                continue
            yield dataclasses.replace(sample, gap=gap)
            gap = ""

    return faulty


def set_back(at_s: float, by_s: float) -> Fault:
    """The sensor's clock is set back by `by_s` at `at_s` seconds after the beginning."""

    def faulty(samples: Iterable[Sample]) -> Iterator[Sample]:
        for sample in samples:
            if sample.start_ns - START_NS < at_s * SECOND_NS:
                yield sample
                continue
            by_ns = round(by_s * SECOND_NS)
            times = None if sample.times_ns is None else sample.times_ns - by_ns
            yield dataclasses.replace(
                sample,
                start_ns=sample.start_ns - by_ns,
                end_ns=sample.end_ns - by_ns,
                times_ns=times,
            )

    return faulty


def record(folder: Path, config: Config, streams: Mapping[str, Iterable[Sample]]) -> Path:
    """Records streams into `folder`, as they would have come: by the time of their arrival.

    Args:
        config: is recorded with them.
        streams: their Samples, by name.
    """
    modality_of = {stream.name: stream.modality for stream in config.streams}
    sensors = {name: modality_of[name] for name in streams}
    facts = facts_of(config, CLOCK, START_NS)
    recorder = Recorder(folder, "sensors", RecordConfig(), facts, sensors=sensors, played=sensors)
    came = [
        (sample.receive_ns, name, i, sample)
        for name, them in streams.items()
        for i, sample in enumerate(them)
    ]
    try:
        for _, _, _, sample in sorted(came, key=lambda one: one[:3]):
            recorder.push(sample)
    finally:
        recorder.close()
    health = recorder.health()
    assert not health.lost, health
    return folder
