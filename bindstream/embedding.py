"""Embedding: windows batched by modality across streams, through the towers, to the joint space."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bindstream.clock import Clock
from bindstream.errors import BindstreamError
from bindstream.records import Embedding, ModalityName, Window

Vectors = NDArray[np.float32]

REMEMBERED_NS = 10_000_000_000
"""A stream that sent nothing for this long is not waited for."""
FROZEN_AFTER = 30
"""Windows with the very same model input in a row after which a stream is called frozen."""


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
        return len(waiting) >= self._most or len(streams) >= len(self._streams[modality])

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


class Embedder:
    """Runs batches through a model, and says aloud when what comes out cannot be right.

    `warnings` maps a stream to what is wrong with its vectors now.
    """

    def __init__(self, encoder: Encoder, clock: Clock) -> None:
        self._encoder = encoder
        self._clock = clock
        self._same: dict[str, tuple[int, int]] = {}  # checksum of an input, times in a row
        self.warnings: dict[str, str] = {}

    def embed(self, windows: Sequence[Window]) -> list[Embedding | None]:
        """One embedding a window, all of one modality; None where no finite vector came out."""
        begun_ns = self._clock.now_ns()
        vectors = self._vectors(windows)
        done_ns = self._clock.now_ns()
        return [
            None if vector is None else self._embedding(window, vector, begun_ns, done_ns)
            for window, vector in zip(windows, vectors, strict=True)
        ]

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

    def _embedding(self, window: Window, vector: Vectors, begun_ns: int, done_ns: int) -> Embedding:
        self._notice_frozen(window)
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
            stages={**window.stages, "batched": begun_ns, "embedded": done_ns},
        )

    def _notice_frozen(self, window: Window) -> None:
        # Not the vector: the same input gives another in its last bits in a batch of another size.
        now = zlib.crc32(np.ascontiguousarray(window.data).data)
        last, times = self._same.get(window.stream, (-1, 0))
        times = times + 1 if last == now else 1
        self._same[window.stream] = (now, times)
        if times >= FROZEN_AFTER:
            self.warnings[window.stream] = (
                f"the last {times} windows are identical: is the sensor frozen?"
            )
        else:
            self.warnings.pop(window.stream, None)


def stamped(embedding: Embedding, stage: str, now_ns: int) -> Embedding:
    """The embedding with one more stage's time."""
    return dataclasses.replace(embedding, stages={**embedding.stages, stage: now_ns})
