"""Embedding: windows batched by modality across streams, through the towers, to the joint space."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from bindstream.accounts import Published
from bindstream.clocks.host import Now
from bindstream.errors import BindstreamError
from bindstream.records import Embedding, ModalityName, Stages, Window

Vectors = NDArray[np.float32]

REMEMBERED_NS = 10_000_000_000
"""A stream that sent nothing for this long is not waited for."""
KEPT = 8
"""Vectors a stream that are kept to stand for later windows: what its gate refers to is the newest
or, while windows are on their way, one of the last few."""
Outcome = Published | Literal["failed", "unknown"]
"""What became of a window that was to be embedded. failed: no usable vector came out. unknown: the
vector that was to stand for it is not kept; it has to be embedded itself."""


class Encoder(Protocol):
    """A model as the pipeline sees it; `bindstream.models.encoder.Model` is one."""

    fingerprint: str

    def encode(self, modality: ModalityName, batch: Vectors) -> Vectors:
        """Model inputs (B, *model_input) float32 to unit vectors (B, dim) float32. Blocks.

        Raises:
            BindstreamError: an input is not finite, or no finite vector comes out of one.
        """


class Batcher:
    """Gathers windows of one modality until there are enough or one has waited long enough.

    Windows of different streams lie on one grid and close together, so a batch is complete when
    every stream of its modality is in it: then nobody else is worth waiting for.

    Args:
        most: windows a batch may have.
        wait_ns: how long the first window of a batch may wait for company.
    """

    def __init__(self, most: int, wait_ns: int) -> None:
        self._most, self._wait_ns = most, wait_ns
        self._waiting: dict[ModalityName, list[tuple[int, Window]]] = {}
        self._streams: dict[ModalityName, dict[str, int]] = {}

    def push(self, window: Window, now_ns: int) -> None:
        self._waiting.setdefault(window.modality, []).append((now_ns, window))
        seen = self._streams.setdefault(window.modality, {})
        seen[window.stream] = now_ns
        self._streams[window.modality] = {
            stream: at for stream, at in seen.items() if now_ns - at < REMEMBERED_NS
        }

    def _complete(self, modality: ModalityName) -> bool:
        waiting = self._waiting[modality]
        streams = {window.stream for _, window in waiting}
        return len(waiting) >= self._most or streams >= self._streams[modality].keys()

    def due(self, now_ns: int) -> list[Window]:
        """The batch to compute now: complete, or past its deadline; the one that waited longest."""
        ripe = [
            (waiting[0][0], modality)
            for modality, waiting in self._waiting.items()
            if self._complete(modality) or now_ns - waiting[0][0] >= self._wait_ns
        ]
        if not ripe:
            return []
        _, modality = min(ripe)
        waiting = self._waiting.pop(modality)
        if len(waiting) > self._most:
            self._waiting[modality] = waiting[self._most :]
        return [window for _, window in waiting[: self._most]]

    def wait_ns(self, now_ns: int) -> int | None:
        """How long until a batch is due; None while nothing waits."""
        if any(self._complete(modality) for modality in self._waiting):
            return 0
        first = [waiting[0][0] for waiting in self._waiting.values()]
        return max(0, min(first) + self._wait_ns - now_ns) if first else None

    def excuse(self, stream: str, modality: ModalityName) -> None:
        """Nobody is to wait for this stream until it sends a window again."""
        self._streams.get(modality, {}).pop(stream, None)


class Embedder:
    """Runs batches through a model, and says aloud when what comes out cannot be right.

    `warnings` maps a stream to what is wrong with its vectors now.
    """

    def __init__(self, encoder: Encoder, clock: Now) -> None:
        self._encoder = encoder
        self._clock = clock
        self._kept: dict[str, deque[tuple[int, Vectors]]] = {}
        self._spent: dict[str, tuple[int, int]] = {}  # windows and ns in the tower
        self.warnings: dict[str, str] = {}

    def embed(self, windows: Sequence[Window]) -> list[Embedding | None]:
        """One embedding a window, all of one modality; None where no finite vector came out."""
        begun_ns = self._clock.now_ns()
        vectors = self._vectors(windows)
        done_ns = self._clock.now_ns()
        stages = {"batched": begun_ns, "embedded": done_ns}
        made: list[Embedding | None] = []
        for window, vector in zip(windows, vectors, strict=True):
            count, ns = self._spent.get(window.stream, (0, 0))
            self._spent[window.stream] = (count + 1, ns + (done_ns - begun_ns) // len(windows))
            if vector is not None:
                kept = self._kept.setdefault(window.stream, deque(maxlen=KEPT))
                kept.append((window.seq, vector))
                self.warnings.pop(window.stream, None)
            made.append(None if vector is None else self._embedding(window, vector, stages))
        return made

    def reuse(self, window: Window) -> Embedding | None:
        """The window with the vector of the one it is the same as; None if that is not kept.

        Takes microseconds, and may be called from another thread than `embed`.
        """
        # The latest first: a stream whose accounts are lost counts from the beginning again.
        for seq, vector in reversed(tuple(self._kept.get(window.stream, ()))):
            if seq == window.same_as:
                return self._embedding(window, vector, {})
        return None

    def take(self, window: Window) -> tuple[Embedding | None, Outcome]:
        """One window by itself: embedded, or with the vector of the one it is the same as; and what
        became of it."""
        if window.same_as is None:
            embedding = self.embed([window])[0]
            return embedding, "failed" if embedding is None else "embedded"
        embedding = self.reuse(window)
        return embedding, "unknown" if embedding is None else "reused"

    def tower_s(self) -> dict[str, float]:
        """For each stream the mean time in the tower of a window that was computed, seconds."""
        return {stream: ns / 1e9 / count for stream, (count, ns) in dict(self._spent).items()}

    def _vectors(self, windows: Sequence[Window]) -> list[Vectors | None]:
        try:
            return list(
                self._encoder.encode(windows[0].modality, np.stack([w.data for w in windows]))
            )
        except BindstreamError as error:
            if len(windows) == 1:
                self.warnings[windows[0].stream] = str(error)
                return [None]
            # One stream's bad window must not cost the others theirs.
            return [self._vectors([window])[0] for window in windows]

    def _embedding(self, window: Window, vector: Vectors, stages: Stages) -> Embedding:
        return Embedding(
            stream=window.stream,
            modality=window.modality,
            seq=window.seq,
            start_ns=window.start_ns,
            end_ns=window.end_ns,
            vector=vector,
            model=self._encoder.fingerprint,
            coverage=window.coverage,
            uncertainty_ns=window.uncertainty_ns,
            clock=window.clock,
            readings=window.readings,
            stages={**window.stages, **stages},
            same_as=window.same_as,
            offset_ns=window.offset_ns,
        )


def stamped(embedding: Embedding, stage: str, now_ns: int) -> Embedding:
    """The embedding with one more stage's time."""
    return dataclasses.replace(embedding, stages={**embedding.stages, stage: now_ns})
