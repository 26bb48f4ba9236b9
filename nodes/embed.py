"""The embed actor: windows of all streams, batched by modality, through the towers, to the bus."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from bindstream.accounts import Published
from bindstream.bus import Publisher
from bindstream.clocks.host import Now
from bindstream.config import ModelConfig
from bindstream.embedding import Batcher, Embedder, Outcome, stamped
from bindstream.records import Embedding, ModalityName, Window
from nodes.timekeeping import run_time
from nodes.wiring import Wiring

REMEMBERED = 64
"""Windows a stream of which the actor remembers what became."""
COMING_S = 3.0
"""How long whoever asks what was published may be kept waiting for what is being computed."""
WORK_MOST_S = 300.0
"""A batch, or reading a tower again, may take this long: eight pictures in imagebind_huge's vision
tower take a minute on two cores in float32. What takes longer stands still."""


@dataclass(frozen=True)
class EmbedHealth:
    """What an embed actor says of itself.

    `beat_s` is the age of its loop's last turn, 0 while a tower is at work. `tower_cpu_s` is the
    processor time spent in towers, `tower_s` for each stream the mean time a window that was
    computed spent in its tower. `towers` are those in memory now, `reasons` what each computes in
    and why.
    """

    pid: int
    model: str
    windows: int
    batches: int
    tower_cpu_s: float
    tower_s: dict[str, float]
    towers: tuple[ModalityName, ...]
    reasons: tuple[str, ...]
    beat_s: float
    warnings: dict[str, str]
    error: str
    dim: int = 0  # of its vectors


class EmbedNode:
    """Embeds windows and publishes the vectors. An async actor: a call a window, one tower thread.

    The only kind of process that imports torch, one a device.
    """

    def __init__(
        self, config: ModelConfig, wiring: Wiring, modalities: Sequence[ModalityName]
    ) -> None:
        from bindstream.models import load_model
        from bindstream.models.keeping import TextKeeping

        self._clock: Now = run_time(wiring) or wiring.clock  # stages are compared across hosts
        self._model = load_model(
            config.name,
            modalities=modalities,
            device=config.device,
            threads=config.threads,
            precision=config.precision,
            compile=config.compile,
        )
        self._keeping = TextKeeping(self._model, config.keep_text_s)
        self._embedder = Embedder(self._model, self._clock)
        self._batcher = Batcher(config.batch, round(config.wait_ms * 1e6))
        self._publisher = Publisher(wiring.inbound, wiring.keys)
        self._publishing = threading.Lock()
        self._arrivals: deque[Window] = deque()
        self._wake = threading.Event()
        self._futures: dict[tuple[str, int], Future[Outcome]] = {}
        self._done: dict[str, deque[tuple[int, Published]]] = {}
        self._barred: dict[str, int] = {}
        self._windows = self._batches = 0
        self._tower_cpu_s = 0.0
        self._beat_s = time.monotonic()
        self._error = ""
        self._model_lock = threading.Lock()
        self._work_began_s: float | None = None
        threading.Thread(target=self._run, name="tower", daemon=True).start()

    async def embed(self, window: Window) -> Outcome:
        """Embed and publish, or publish with the vector of the window that it is the same as.

        The latter waits for nothing but that vector, if it is being computed.
        """
        stages = {**window.stages, "arrived": self._clock.now_ns()}
        window = dataclasses.replace(window, stages=stages)
        if window.same_as is not None:
            return await self._reuse(window, window.same_as)
        future: Future[Outcome] = Future()
        future.set_running_or_notify_cancel()  # it is computed even if whoever asks dies
        self._futures[window.stream, window.seq] = future
        self._arrive(window)
        return await asyncio.wrap_future(future)

    async def _reuse(self, window: Window, same_as: int) -> Outcome:
        self._arrive(window)
        if computing := self._futures.get((window.stream, same_as)):
            await asyncio.wrap_future(computing)
        embedding = self._embedder.reuse(window)
        return "unknown" if embedding is None else self._publish(embedding, "reused")

    def _arrive(self, window: Window) -> None:
        self._arrivals.append(window)
        self._wake.set()

    async def published(
        self, stream: str, before: int = 0, wait_s: float = COMING_S
    ) -> dict[int, Published]:
        """What became of the last windows of this stream that were published, by their numbers.

        Waits a little for those that are on their way.

        Args:
            before: windows with lower numbers are not published any more after this answer, from
                which their stream's accounts are closed.
            wait_s: how long to wait at most.
        """
        if coming := [f for (name, _), f in tuple(self._futures.items()) if name == stream]:
            await asyncio.wait([asyncio.wrap_future(f) for f in coming], timeout=wait_s)
        with self._publishing:
            self._barred[stream] = before
            return dict(self._done.get(stream, ()))

    async def health(self) -> EmbedHealth:
        return EmbedHealth(
            pid=os.getpid(),
            model=self._model.fingerprint,
            windows=self._windows,
            batches=self._batches,
            tower_cpu_s=self._tower_cpu_s,
            tower_s=self._embedder.tower_s(),
            towers=self._model.in_memory,
            reasons=tuple(self._model.reasons),
            beat_s=self._stood_still_s(),
            warnings={**self._model.warnings, **self._embedder.warnings},
            error=self._error,
            dim=self._model.dim,
        )

    def _stood_still_s(self) -> float:
        now_s, began_s = time.monotonic(), self._work_began_s
        at_work = began_s is not None and now_s - began_s < WORK_MOST_S
        return 0.0 if at_work else now_s - self._beat_s

    @contextlib.contextmanager
    def _at_work(self) -> Iterator[None]:
        """Holds the model, alone; the tower thread, too, may have to wait here."""
        with self._model_lock:
            self._work_began_s = time.monotonic()
            try:
                yield
            finally:
                self._work_began_s, self._beat_s = None, time.monotonic()

    async def encode_text(self, texts: list[str]) -> Any:
        """Unit vectors (n, dim) float32 of texts."""
        return await asyncio.to_thread(self._encode_text, texts)

    def _encode_text(self, texts: list[str]) -> Any:
        with self._at_work():
            self._model.load("text")  # if nobody wanted it before
            vectors = self._model.encode_text(texts)
            self._keeping.due(time.monotonic())
        return vectors

    async def encode(self, modality: ModalityName, batch: Any) -> Any:
        """Unit vectors (n, dim) float32 of model inputs that are of no stream: a query's files."""
        return await asyncio.to_thread(self._encode, modality, batch)

    def _encode(self, modality: ModalityName, batch: Any) -> Any:
        with self._at_work():
            return self._model.encode(modality, batch)

    async def unknown_words(self, texts: list[str]) -> list[str]:
        """Words in these texts that the model has never seen."""
        return sorted({word for text in texts for word in self._model.unknown_words(text)})

    async def background(self, modality: ModalityName) -> list[str]:
        """Phrases the model knows for what this modality perceives when nothing happens."""
        return list(self._model.background(modality))

    def _run(self) -> None:
        while True:
            wait_ns = self._batcher.wait_ns(self._clock.now_ns())
            self._wake.wait(1.0 if wait_ns is None else wait_ns / 1e9)
            self._wake.clear()
            self._beat_s = time.monotonic()
            while self._arrivals:
                window = self._arrivals.popleft()
                if window.same_as is None:
                    self._batcher.push(window, self._clock.now_ns())
                else:
                    self._batcher.excuse(window.stream, window.modality)
            if batch := self._batcher.due(self._clock.now_ns()):
                self._compute(batch)
            with self._at_work():
                self._keeping.due(time.monotonic())

    def _compute(self, batch: list[Window]) -> None:
        begun_s = time.process_time()
        try:
            with self._at_work():
                embeddings = self._embedder.embed(batch)
        except Exception as error:  # one bad batch must not stop the tower thread
            self._error = f"{type(error).__name__}: {error}"
            embeddings = [None] * len(batch)
        self._batches += 1
        self._tower_cpu_s += time.process_time() - begun_s
        for window, embedding in zip(batch, embeddings, strict=True):
            outcome: Outcome = "failed"
            if embedding is not None:
                outcome = self._publish(embedding, "embedded")
                self._windows += 1
            # Two of one number: its stream lost its accounts, and counts from the beginning again.
            if (asked := self._futures.pop((window.stream, window.seq), None)) is not None:
                asked.set_result(outcome)

    def _publish(self, embedding: Embedding, how: Published) -> Outcome:
        """What is to be counted: `how`, or that it could not be published any more."""
        stream = embedding.stream
        with self._publishing:  # vectors are computed in one thread and reused in another
            if embedding.seq < self._barred.get(stream, 0):
                return "failed"
            try:
                self._publisher.publish(stamped(embedding, "published", self._clock.now_ns()))
            except Exception as error:  # it must not stop the tower thread, and is counted
                self._error = f"{type(error).__name__}: {error}"
                return "failed"
            self._done.setdefault(stream, deque(maxlen=REMEMBERED)).append((embedding.seq, how))
        return how
