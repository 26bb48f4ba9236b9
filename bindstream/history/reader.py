"""Reading a history, also while it is written: vectors in order of time, windows, and what is kept.

A part that cannot be read is left out, and `History.warnings` says so; one that retention drops
while it is read is left out without a word.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from bindstream.errors import BindstreamError, HistoryError
from bindstream.history.parts import Part, key_of
from bindstream.history.rows import (
    DETAILS,
    VECTOR,
    Halves,
    Times,
    halves_of,
    numbers_of,
    to_embeddings,
)
from bindstream.history.store import Store, ordered, quoted
from bindstream.history.upkeep import short
from bindstream.records import Embedding, ModalityName

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")
EVER_NS = 2**63 - 1


@dataclass(frozen=True)
class Block:
    """Consecutive windows of one stream, oldest first.

    `starts_ns`, `ends_ns` (n,) int64 UTC ns; `vectors` (n, dim) float16 of unit length to that
    precision, read-only (`bindstream.history.rows.widened` makes float32 of them, faster than
    numpy); `coverage` (n,) float64 in [0, 1]; `seq` (n,) int64 their numbers; `computed` (n,) int64
    the number of the window that each vector was computed of, its own unless it was reused.
    """

    stream: str
    modality: ModalityName
    starts_ns: Times
    ends_ns: Times
    seq: Times
    computed: Times
    coverage: NDArray[np.float64]
    vectors: Halves

    @property
    def reused(self) -> NDArray[np.bool_]:
        """(n,) whether a vector is that of an earlier window, as hardly anything had changed."""
        reused: NDArray[np.bool_] = self.computed != self.seq
        return reused


class History:
    """A history that is there.

    Raises:
        HistoryError: it is not.
        MissingPackageError: LanceDB is not installed.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.warnings: list[str] = []
        if not self.folder.is_dir():
            raise HistoryError(
                "there is no history.",
                where=str(self.folder),
                fix="Put `history: {}` into the configuration that runs, or say where it is.",
            )
        self._store = Store(self.folder)

    def models(self) -> dict[str, int]:
        """How many vectors there are of each model, by its fingerprint."""
        found: dict[str, int] = {}
        for part in self._store.parts():
            for model, count in self._reading(part, self._counted(part)):
                found[model] = found.get(model, 0) + count
        return found

    def _counted(self, part: Part) -> Iterator[tuple[str, int]]:
        yield self._store.kind(part).model, self._store.open(part).count_rows()

    def streams(self, model: str, since_ns: int = -EVER_NS, until_ns: int = EVER_NS) -> list[str]:
        """The streams of which there are windows of `model` that started in the period."""
        found: set[str] = set()
        for part, from_ns in self.parts(model, since_ns, until_ns):
            for batch in self.scan(part, ("stream",), period(None, from_ns, until_ns)):
                found.update(batch.column(0).unique().to_pylist())
        return sorted(found)

    def read(
        self, model: str, stream: str, since_ns: int = -EVER_NS, until_ns: int = EVER_NS
    ) -> Iterator[Block]:
        """The vectors of a stream's windows that started in [since_ns, until_ns), UTC ns, oldest
        first and at most 8192 at a time. Blocks for the disk.

        However long the period, no more is in memory than LanceDB reads ahead (64 MB), or where
        windows came out of order that hour, or day, of the stream.

        Args:
            model: fingerprint; vectors of others are not comparable.
        """
        columns = ("start_ns", "end_ns", "seq", "same_as", "coverage", "modality", VECTOR)
        for batch in self._in_order(model, stream, columns, since_ns, until_ns):
            for some in _by_modality(batch):
                seq = numbers_of(some, "seq")
                same_as = some.column("same_as")
                yield Block(
                    stream=stream,
                    modality=some.column("modality")[0].as_py(),
                    starts_ns=numbers_of(some, "start_ns"),
                    ends_ns=numbers_of(some, "end_ns"),
                    seq=seq,
                    computed=np.where(same_as.is_null(), seq, same_as.fill_null(0)),
                    coverage=some.column("coverage").to_numpy(),
                    vectors=halves_of(some),
                )

    def embeddings(
        self, model: str, stream: str, since_ns: int = -EVER_NS, until_ns: int = EVER_NS
    ) -> Iterator[Embedding]:
        """As `read`, one window at a time and with all that is known of it."""
        columns = (*DETAILS, VECTOR)
        for batch in self._in_order(model, stream, columns, since_ns, until_ns):
            yield from to_embeddings(batch, model)

    def parts(self, model: str, since_ns: int, until_ns: int) -> Iterator[tuple[Part, int]]:
        """The tables that may hold windows of `model` that started in the period, oldest first, and
        the start from which windows are to be read in each, UTC ns.

        Looked up anew for each: upkeep makes days of hours while somebody reads.
        """
        key = key_of(model)
        while True:
            later = (p for p in self._store.parts() if p.key == key and p.until_ns > since_ns)
            part = next(later, None)
            if part is None or part.since_ns >= until_ns:
                return
            yield part, since_ns
            since_ns = part.until_ns

    def scan(self, part: Part, columns: tuple[str, ...], where: str) -> Iterator[pa.RecordBatch]:
        """Rows of a part as they lie there; none, and a warning, where it cannot be read."""
        yield from self._reading(part, self._store.scan(part, columns, where))

    def _in_order(
        self, model: str, stream: str, columns: tuple[str, ...], since_ns: int, until_ns: int
    ) -> Iterator[pa.RecordBatch]:
        for part, from_ns in self.parts(model, since_ns, until_ns):
            where = period([stream], from_ns, until_ns)
            yield from self._reading(part, self._ordered(part, columns, where))

    def _ordered(
        self, part: Part, columns: tuple[str, ...], where: str
    ) -> Iterator[pa.RecordBatch]:
        batches = self._store.scan(part, columns, where)
        yield from batches if self._lies_in_order(part, where) else ordered(list(batches))

    def _lies_in_order(self, part: Part, where: str) -> bool:
        """Whether a stream's rows lie in order of time: in a day's table they do, unless some came
        very late."""
        last_ns = -EVER_NS
        for batch in self._store.scan(part, ("start_ns",), where):
            times = batch.column(0).to_numpy()
            if not len(times):
                continue
            if times[0] < last_ns or bool((np.diff(times) < 0).any()):
                return False
            last_ns = int(times[-1])
        return True

    def _reading(self, part: Part, steps: Iterable[T]) -> Iterator[T]:
        """What comes of reading a part, as far as it can be read."""
        try:
            yield from steps
        except BindstreamError:
            raise
        except Exception as error:  # whatever LanceDB makes of broken files
            said = (
                f"the vectors of {part} cannot be read ({short(error)}); the next run that writes "
                "this history rescues what it can."
            )
            if part.is_hour and self._store.exists(part.day):
                said = f"the vectors of {part} moved while they were read: read them again."
            elif not self._store.exists(part):
                return
            if said not in self.warnings:
                self.warnings.append(said)


def _by_modality(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Runs of rows of one modality: a name may have gone to another sensor."""
    codes = batch.column("modality").dictionary_encode().indices.to_numpy()
    cuts = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)]
    for low, high in pairwise(cuts):
        if low < high:
            yield batch.slice(low, high - low)


def period(streams: Sequence[str] | None, since_ns: int, until_ns: int) -> str:
    """The `where` of windows of these streams that started in [since_ns, until_ns)."""
    said = f"start_ns >= {since_ns} and start_ns < {until_ns}"
    if streams is not None:
        said += f" and stream in ({', '.join(map(quoted, streams)) or quoted('')})"
    return said
