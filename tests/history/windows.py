"""Windows of made-up streams, and writers that do not wait for anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bindstream.history import History, Writer
from bindstream.history.parts import DAY_NS
from bindstream.history.rows import Vectors
from bindstream.records import Embedding

MODEL = "0123456789ab"
DIM = 16
MIDNIGHT_NS = 20_000 * DAY_NS  # of 4 October 2024
NOON_NS = MIDNIGHT_NS + DAY_NS // 2
RUN_NS = NOON_NS
SECOND_NS = 10**9


def unit(seed: int, dim: int = DIM) -> Vectors:
    vector = np.random.default_rng(seed).normal(size=dim)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def window(stream: str = "door", seq: int = 0, **over: Any) -> Embedding:
    """Window `seq` of a stream that began at noon: two seconds long, one a second."""
    start_ns = NOON_NS + seq * SECOND_NS
    given: dict[str, Any] = {
        "stream": stream,
        "modality": "vision",
        "seq": seq,
        "start_ns": start_ns,
        "end_ns": start_ns + 2 * SECOND_NS,
        "vector": unit(seq),
        "model": MODEL,
        "clock": "host:1",
    }
    return Embedding(**{**given, **over})


def halved(embedding: Embedding) -> Embedding:
    """As it comes back: its vector in float16's precision, without stages."""
    from dataclasses import replace

    vector = embedding.vector.astype(np.float16).astype(np.float32)
    return replace(embedding, vector=vector, stages={})


def same(one: Embedding, other: Embedding) -> bool:
    from dataclasses import replace

    nothing = np.zeros(0, np.float32)
    apart = (replace(one, vector=nothing), replace(other, vector=nothing))
    return np.array_equal(one.vector, other.vector) and repr(apart[0]) == repr(apart[1])


def writer(folder: Path, run_ns: int = RUN_NS, **over: Any) -> Writer:
    given: dict[str, Any] = {"keep_days": 3650, "keep_bytes": 10**9}
    made = Writer(folder, run_ns, **{**given, **over})
    made.open()
    return made


def kept(folder: Path, model: str = MODEL) -> list[Embedding]:
    """All windows of a model, by stream and time."""
    history = History(folder)
    return [e for stream in history.streams(model) for e in history.embeddings(model, stream)]


def numbers(folder: Path, stream: str = "door") -> list[int]:
    """Those of a stream's windows, in order of time."""
    return [e.seq for e in kept(folder) if e.stream == stream]


def written(folder: Path, windows: list[Embedding], **over: Any) -> None:
    """A history that holds these windows and was closed."""
    made = writer(folder, **over)
    for each in windows:
        made.push(each)
    made.close(NOON_NS)
