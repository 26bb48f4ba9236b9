"""Readings of made-up sensors, and alerts on them."""

from __future__ import annotations

from typing import Any

import numpy as np

from bindstream.records import Alert, ModalityName, Sample

S = 10**9
BEGIN_NS = 1_795_000_000 * S
RNG = np.random.default_rng(3)


def sample(modality: ModalityName, at_s: float, length_s: float = 0.25) -> Sample:
    """The readings from `at_s` after the beginning on; frames are of that moment."""
    start_ns = BEGIN_NS + round(at_s * S)
    data: Any
    times, end_ns = None, start_ns
    match modality:
        case "vision":
            data = np.full((90, 121, 3), 100, np.uint8)
            data[:, :60] = round(at_s * 10) % 200
        case "audio":
            n = round(length_s * 16000)
            t = at_s + np.arange(n) / 16000
            data = (0.5 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)
            end_ns = start_ns + round(n * S / 16000)
        case "thermal":
            data = np.full((24, 32), 21.5, np.float32)
            data[4:8, 4:8] = 60.25 + at_s
        case "depth":
            data = np.full((24, 32), 2.5, np.float32)
            data[0] = 0
        case _:
            n = round(length_s * 100)
            times = start_ns + np.arange(n, dtype=np.int64) * 10_000_000
            data = RNG.normal(0, 1, (n, 6)).astype(np.float32)
            data[:, 2] += np.float32(9.81)
            end_ns = start_ns + n * 10_000_000
    return Sample("s1", modality, data, start_ns, end_ns, end_ns, times_ns=times)


def alert(
    modality: ModalityName, start_s: float, end_s: float, state: str = "started", **over: Any
) -> Alert:
    start_ns, end_ns = (BEGIN_NS + round(at * S) for at in (start_s, end_s))
    scores = tuple(4.0 + i % 3 for i in range(max(round(end_s - start_s) - 1, 1)))
    return Alert(
        **{
            "id": f"dog/s1/{start_ns}",
            "query": "dog",
            "text": "ein bellender Hund 狗",
            "state": state,
            "stream": "s1",
            "modality": modality,
            "start_ns": start_ns,
            "end_ns": end_ns,
            "peak_ns": start_ns + S,
            "peak_z": 6.0,
            "peak_cosine": 0.3,
            "on": 3.5,
            "off": 2.0,
            "scores": scores,
            "model": "m1",
            **over,
        }
    )
