"""Recordings as a stream would have given them: through its windows, its gate and its tower."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bindstream.budget.heard import Heard, Piece
from bindstream.clocks.host import Clock
from bindstream.config import StreamConfig
from bindstream.embedding import Embedder, Encoder
from bindstream.errors import DataError
from bindstream.file_inputs import START_NS, recording_options
from bindstream.intake import Intake
from bindstream.modalities import MODALITIES
from bindstream.models.directory import digest
from bindstream.records import Embedding, Window

Span = tuple[int, int]
"""[start, end) in UTC ns."""


@dataclass(frozen=True)
class Recording:
    """A file as windows of a stream, oldest first; `void` of them could not be used."""

    stream: str
    file: Path
    windows: tuple[Embedding, ...]
    void: int

    @property
    def span(self) -> Span:
        return self.windows[0].start_ns, max(window.end_ns for window in self.windows)


def play(
    stream: StreamConfig,
    file: Path,
    encoder: Encoder,
    report: Callable[[], None] = lambda: None,
) -> Recording:
    """A file as windows of a stream. Blocks for the computation.

    Their times count from `file_inputs.START_NS`, and their clock is named after the content.

    Args:
        encoder: with the stream's tower.
        report: called when a window was embedded.

    Raises:
        DataError: the file is not there, cannot be read, is of another sensor, or holds no window
            that can be used.
        ConfigError: recordings of this sensor cannot be played.
    """
    if not file.is_file():
        raise DataError("there is no such file.", where=str(file))
    source = recording_options(stream.modality, file, stream.source)
    clock = dataclasses.replace(Clock.read(), id=clock_of(file))
    intake = Intake(stream.model_copy(update={"source": source}), clock, START_NS)
    embedder = Embedder(encoder, clock)
    windows: list[Embedding] = []
    intake.start()
    try:
        while not intake.ended:
            for window in intake.poll(0.1):
                for embedding in _embedded(intake, embedder, window):
                    windows.append(embedding)
                    report()
        health = intake.health()
    finally:
        intake.stop()
    if health.reader.state == "failed":
        what = f"it cannot be played into {stream.name} ({stream.modality}): {health.reader.detail}"
        raise DataError(what, where=str(file))
    if not windows:
        length_s = stream.window_s or MODALITIES[stream.modality].window_s
        why = health.void or f"it is shorter than a window ({length_s:g} s)"
        raise DataError(f"no window can be used: {why}.", where=str(file))
    return Recording(stream.name, file, tuple(windows), health.accounts.captured - len(windows))


def _embedded(intake: Intake, embedder: Embedder, window: Window) -> Iterator[Embedding]:
    left: Window | None = window
    while left is not None:
        embedding, outcome = embedder.take(left)
        left = intake.settle(left, outcome)
        if embedding is not None:
            yield embedding


def clock_of(file: Path) -> str:
    """The name of a recording's clock: which content it is."""
    return f"recording:{digest(file)[:16]}"


def hop_ns(stream: StreamConfig) -> int:
    """The grid that a stream's windows lie on."""
    return round((stream.hop_s or MODALITIES[stream.modality].hop_s) * 1e9)


def placed(
    recordings: Sequence[Recording], hop_ns: int, taken: Iterable[Span], now_ns: int
) -> list[Recording]:
    """The recordings of one stream as if the last had ended just now, and each of the others when
    the next began: in time that nothing else was heard in, and on the same grid.

    Args:
        taken: when the stream was heard already.
    """
    latest_first = sorted(taken, key=lambda span: -span[1])
    limit_ns, found = now_ns, list[Recording]()
    for recording in reversed(recordings):
        first_ns, last_ns = recording.span
        shift_ns = _shift(last_ns, limit_ns, hop_ns)
        for start_ns, end_ns in latest_first:
            if start_ns < last_ns + shift_ns and first_ns + shift_ns < end_ns:
                shift_ns = _shift(last_ns, start_ns, hop_ns)
        limit_ns = first_ns + shift_ns
        found.append(_shifted(recording, shift_ns))
    return numbered(found[::-1])


def _shift(last_ns: int, limit_ns: int, hop_ns: int) -> int:
    return (limit_ns - last_ns) // hop_ns * hop_ns


def _shifted(recording: Recording, by_ns: int) -> Recording:
    windows = tuple(
        dataclasses.replace(
            window, start_ns=window.start_ns + by_ns, end_ns=window.end_ns + by_ns, stages={}
        )
        for window in recording.windows
    )
    return dataclasses.replace(recording, windows=windows)


def numbered(recordings: Sequence[Recording]) -> list[Recording]:
    """The recordings of one stream with numbers that go on from one to the next."""
    first, found = 0, list[Recording]()
    for recording in recordings:
        windows = tuple(
            dataclasses.replace(
                window,
                seq=window.seq + first,
                same_as=None if window.same_as is None else window.same_as + first,
            )
            for window in recording.windows
        )
        first = windows[-1].seq + 1
        found.append(dataclasses.replace(recording, windows=windows))
    return found


def pieces(recordings: Sequence[Recording]) -> list[Piece]:
    """What a background is learned from, of recordings that were placed: each computed vector
    once. As much as a running stream remembers (`heard.BYTES_MOST`)."""
    windows = [window for recording in recordings for window in recording.windows]
    if not windows:
        return []
    heard, computed = Heard(len(windows[0].vector)), -1
    for window in windows:
        of = window.seq if window.same_as is None else window.same_as
        heard.push(window, repeated=window.same_as is not None and of == computed)
        computed = of
    return [(*heard.times(), np.concatenate(list(heard.vectors())))]
