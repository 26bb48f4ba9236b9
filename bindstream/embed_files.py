"""Files to unit vectors: thousands of them stream through in batches, a bad one is no end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bindstream.clock import Clock
from bindstream.embedding import Encoder
from bindstream.errors import BindstreamError, DataError, MissingPackageError
from bindstream.features import features_for
from bindstream.features.whole import model_inputs
from bindstream.modalities import MODALITIES
from bindstream.records import ModalityName, Window
from bindstream.sources import EndOfStream, Source, SourceContext
from bindstream.sources.camera import PICTURES
from bindstream.sources.raw16 import PICTURES_16
from bindstream.sources.registry import KINDS, open_source
from bindstream.windows import Windower

BATCH = 16
"""Windows at one go: past it a CPU gains nothing, and memory stays small."""
_KIND_OF: dict[ModalityName, str] = {"vision": "camera", "thermal": "thermal", "depth": "depth"}
"""Which kind of source reads a modality's files, where its name is not the modality's own."""

_START_NS = 3600 * 10**9
"""When recordings are taken to begin: any whole second after 1970 would do."""

Inputs = NDArray[np.float32]


@dataclass(frozen=True)
class FileVectors:
    """A file's unit vectors, (windows, dim) float32."""

    file: Path
    vectors: Inputs


@dataclass(frozen=True)
class FileError:
    """A file that could not be embedded, and why."""

    file: Path
    error: str


@dataclass
class _Pending:
    file: Path
    rows: list[Inputs] = field(default_factory=list)
    windows: int | None = None  # not known before all of the file was read
    error: str = ""

    @property
    def done(self) -> bool:
        return bool(self.error) or self.windows == len(self.rows)

    def result(self) -> FileVectors | FileError:
        if self.error:
            return FileError(self.file, self.error)
        return FileVectors(self.file, np.stack(self.rows))


def embed_files(
    encoder: Encoder, modality: ModalityName, files: Iterable[Path], batch: int = BATCH
) -> Iterator[FileVectors | FileError]:
    """One result a file, in order, each as soon as it is computed. Blocks for the computation.

    Batches are filled across files, so that many short files cost no more than a long one.

    Raises:
        MissingPackageError: a library that reads such files is not installed.
    """
    waiting: list[_Pending] = []
    rows: list[tuple[_Pending, Inputs]] = []
    for file in files:
        pending = _Pending(file)
        waiting.append(pending)
        for row in _rows_of(pending, modality):
            rows.append((pending, row))
            if len(rows) == batch:
                _encode(encoder, modality, rows)
        while waiting and waiting[0].done:
            yield waiting.pop(0).result()
    if rows:
        _encode(encoder, modality, rows)
    yield from (pending.result() for pending in waiting)


def _rows_of(pending: _Pending, modality: ModalityName) -> Iterator[Inputs]:
    """The file's model inputs; then, `pending` says how many there were, or what went wrong."""
    count = 0
    try:
        for row in file_inputs(modality, pending.file):
            count += 1
            yield row
    except MissingPackageError:
        raise
    except BindstreamError as error:
        pending.error = f"{error.what} {error.fix}".strip()
    except (OSError, ValueError) as error:
        pending.error = f"cannot be read: {error}"
    pending.windows = count


def _encode(encoder: Encoder, modality: ModalityName, rows: list[tuple[_Pending, Inputs]]) -> None:
    taken = rows[:]
    rows.clear()
    try:
        vectors = encoder.encode(modality, np.stack([row for _, row in taken]))
    except BindstreamError as error:
        if len(taken) == 1:
            taken[0][0].error = error.what
            return
        for each in taken:  # one file's bad window must not cost the others theirs
            _encode(encoder, modality, [each])
        return
    for (pending, _), vector in zip(taken, vectors, strict=True):
        pending.rows.append(vector)


def file_inputs(modality: ModalityName, file: Path) -> Iterator[Inputs]:
    """Model inputs of a file's windows, one by one.

    Sounds and pictures are taken whole (see `features.whole`); videos, 16-bit videos and motion
    logs are played through the same source, windows and features as live sensors.

    Raises:
        BindstreamError: the file cannot be read, or holds no window that can be used.
    """
    if not file.is_file():
        raise DataError("there is no such file.", where=str(file))
    suffix = file.suffix.lower()
    if modality == "audio" or (modality == "vision" and suffix in PICTURES):
        yield from model_inputs(modality, file)
    elif modality in ("thermal", "depth") and suffix in PICTURES_16:
        yield from model_inputs(modality, _first_frame(modality, file))
    else:
        yield from _played(modality, file)


def _open(modality: ModalityName, file: Path) -> Source:
    kind = _KIND_OF.get(modality, modality)
    options = KINDS[kind].options.model_validate({"kind": kind, "file": file, "speed": "max"})
    source = open_source(options, SourceContext(file.name, modality, Clock.read(), _START_NS))
    source.open()
    return source


def _first_frame(modality: ModalityName, file: Path) -> NDArray[Any]:
    source = _open(modality, file)
    try:
        while not (samples := source.read()):
            pass
        return samples[0].data
    except EndOfStream:
        raise DataError("the file holds no picture.", where=str(file)) from None
    finally:
        source.close()


def _played(modality: ModalityName, file: Path) -> Iterator[Inputs]:
    source = _open(modality, file)
    windower = Windower(file.name, modality)
    features = features_for(modality, file.name)
    why = f"it is shorter than a window ({MODALITIES[modality].window_s:g} s)"
    used = 0
    try:
        for window in _windows(source, windower):
            window = features.push(window)
            if window.void:
                why = window.void
                continue
            used += 1
            yield window.data
    finally:
        source.close()
    if not used:
        raise DataError(f"no window can be used: {why}.", where=str(file))


def _windows(source: Source, windower: Windower) -> Iterator[Window]:
    try:
        while True:
            for sample in source.read():
                yield from windower.push(sample)
    except EndOfStream:
        yield from windower.flush()
