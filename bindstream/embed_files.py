"""Files to unit vectors: thousands of them stream through in batches, a bad one is no end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bindstream.averaging import unit_mean
from bindstream.embedding import Encoder
from bindstream.errors import BindstreamError, MissingPackageError
from bindstream.file_inputs import Inputs, file_inputs, file_views
from bindstream.records import ModalityName

BATCH = 16
"""Windows at one go: past it a CPU gains nothing, and memory stays small."""


@dataclass(frozen=True)
class FileVectors:
    """A file's unit vectors, (n, dim) float32: one a window, or the mean over its `views`."""

    file: Path
    vectors: Inputs
    views: int = 0  # that were averaged; 0 if none were


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

    def result(self, average: bool) -> FileVectors | FileError:
        if self.error:
            return FileError(self.file, self.error)
        vectors = np.stack(self.rows)
        if not average:
            return FileVectors(self.file, vectors)
        try:
            return FileVectors(self.file, unit_mean(vectors)[None], views=len(vectors))
        except BindstreamError as error:
            return FileError(self.file, error.what)


def embed_files(
    encoder: Encoder,
    modality: ModalityName,
    files: Iterable[Path],
    batch: int = BATCH,
    *,
    average: bool = False,
) -> Iterator[FileVectors | FileError]:
    """One result a file, in order, each as soon as it is computed. Blocks for the computation.

    Batches are filled across files, so that many short files cost no more than a long one.

    Args:
        average: one vector a file, the mean over its views as ImageBind's published code takes
            them (see `file_views`), instead of one for each window of it.

    Raises:
        MissingPackageError: a library that reads such files is not installed.
    """
    read = file_views if average else file_inputs
    inputs = ((file, read(modality, file)) for file in files)
    return embed_inputs(encoder, modality, inputs, batch, average=average)


def embed_inputs(
    encoder: Encoder,
    modality: ModalityName,
    inputs: Iterable[tuple[Path, Iterable[Inputs]]],
    batch: int = BATCH,
    *,
    average: bool = False,
) -> Iterator[FileVectors | FileError]:
    """As `embed_files`, of model inputs that were made otherwise: of a part of a file, say.

    Args:
        inputs: files, and for each the model inputs of it one by one; what goes wrong while they
            are made is the file's error.

    Raises:
        MissingPackageError: a library that reads such files is not installed.
    """
    waiting: list[_Pending] = []
    rows: list[tuple[_Pending, Inputs]] = []
    for file, made in inputs:
        pending = _Pending(file)
        waiting.append(pending)
        for row in _rows_of(pending, made):
            rows.append((pending, row))
            if len(rows) == batch:
                _encode(encoder, modality, rows)
        while waiting and waiting[0].done:
            yield waiting.pop(0).result(average)
    if rows:
        _encode(encoder, modality, rows)
    yield from (pending.result(average) for pending in waiting)


def _rows_of(pending: _Pending, made: Iterable[Inputs]) -> Iterator[Inputs]:
    """The file's model inputs; then, `pending` says how many there were, or what went wrong."""
    count = 0
    try:
        for row in made:
            count += 1
            yield row
    except MissingPackageError:
        raise
    except BindstreamError as error:
        pending.error = error.said_of(pending.file)
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
