"""Samples of made-up sensors, and recordings of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bindstream.config.record import RecordConfig
from bindstream.recording import Recorder
from bindstream.records import ModalityName, Sample

S = 10**9
BEGIN_NS = 1_795_000_000 * S
STREAMS: dict[str, ModalityName] = {
    "door": "vision",
    "kitchen": "audio",
    "stove": "thermal",
    "hall": "depth",
    "wrist": "imu",
}


def sample(stream: str, number: int, **other: Any) -> Sample:
    """The Sample of this number, a tenth of a second after the one before; seeded."""
    rng = np.random.default_rng([number, len(stream)])
    start_ns = BEGIN_NS + number * S // 10
    end_ns, times_ns = start_ns, None
    data: Any
    match STREAMS[stream]:
        case "vision":
            data = np.kron(rng.integers(0, 255, (6, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
        case "audio":
            end_ns = start_ns + S // 10
            data = (rng.integers(-20000, 20000, 1600) / 32768).astype(np.float32)
        case "thermal":
            data = rng.normal(21, 2, (24, 32)).astype(np.float32)
        case "depth":
            data = (rng.integers(0, 9000, (24, 32)) * np.float64(0.001)).astype(np.float32)
        case _:
            times_ns = start_ns + np.arange(10) * (S // 100)
            end_ns = start_ns + S // 10
            data = rng.normal(0, 1, (10, 6)).astype(np.float32)
    said = {"receive_ns": end_ns + 3_000_000, "times_ns": times_ns, "clock": "host:1", **other}
    return Sample(stream, STREAMS[stream], data, start_ns, end_ns, **said)


def record(folder: Path, samples: list[Sample], **config: Any) -> Path:
    """A recording of these samples, closed."""
    recorder = Recorder(
        folder, "sensors", RecordConfig(**config), {"config": "streams: []"}, sensors=STREAMS
    )
    for each in samples:
        recorder.push(each)
    recorder.close()
    assert recorder.health().lost == {}
    return folder


def assert_same(got: Sample, expected: Sample, *, data: bool = True) -> None:
    """Every field is the same, and the readings bit for bit."""
    for name in Sample.__dataclass_fields__:
        if name not in ("data", "times_ns"):
            assert getattr(got, name) == getattr(expected, name), name
    assert got.data.dtype == expected.data.dtype
    assert got.data.shape == expected.data.shape
    if data:
        assert got.data.tobytes() == expected.data.tobytes()
    assert (got.times_ns is None) == (expected.times_ns is None)
    if got.times_ns is not None and expected.times_ns is not None:
        assert got.times_ns.dtype == np.int64
        assert got.times_ns.tolist() == expected.times_ns.tolist()
