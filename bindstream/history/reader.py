"""Reading a history, also while it is written: vectors in order of time, windows, and what is kept.

A part that cannot be read is left out, and `History.warnings` says so; one that retention drops
while it is read is left out without a word.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from bindstream.errors import BindstreamError, HistoryError
from bindstream.history.parts import Part, key_of
from bindstream.history.rows import (
    DETAILS,
    VECTOR,
    Times,
    Vectors,
    halves_of,
    numbers_of,
    to_embeddings,
    widened,
)
from bindstream.history.store import BATCH, Store, quoted
from bindstream.history.upkeep import short
from bindstream.records import Embedding

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")
EVER_NS = 2**63 - 1


@dataclass(frozen=True)
class Block:
    """Consecutive windows of one stream, oldest first.

    `start_ns`, `end_ns` (n,) UTC ns; `vectors` (n, dim) float32 of unit length (to float16's
    precision); `seq` (n,) their numbers; `computed` (n,) the number of the window that each vector
    was computed of, its own where no earlier one stands for it.
    """

    stream: str
    modality: str
    start_ns: Times
    end_ns: Times
    seq: Times
    computed: Times
    vectors: Vectors


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

    def parts(self, model: str, since_ns: int = -EVER_NS, until_ns: int = EVER_NS) -> list[Part]:
        """The tables that may hold windows of `model` that started in the period."""
        key = key_of(model)
        return [
            part
            for part in self._store.parts()
            if part.key == key and part.since_ns < until_ns and part.until_ns > since_ns
        ]

    def read(
        self,
        model: str,
        streams: Sequence[str] | None = None,
        since_ns: int = -EVER_NS,
        until_ns: int = EVER_NS,
    ) -> Iterator[Block]:
        """The vectors of windows that started in [since_ns, until_ns), UTC ns. Blocks for the disk.

        Blocks of one stream follow each other in order of time; those of different streams take
        turns, by the hour or the day.

        Args:
            model: fingerprint; vectors of others are not comparable.
            streams: these alone; all if None.
        """
        where = period(streams, since_ns, until_ns)
        for part in self.parts(model, since_ns, until_ns):
            for stream, modality in self._reading(part, self._streams(part, where)):
                own = f"{where} and stream = {quoted(stream)} and modality = {quoted(modality)}"
                yield from self._reading(part, self._blocks(part, own, stream, modality))

    def embeddings(
        self,
        model: str,
        streams: Sequence[str] | None = None,
        since_ns: int = -EVER_NS,
        until_ns: int = EVER_NS,
    ) -> Iterator[Embedding]:
        """As `read`, one window at a time and with all that is known of it; streams in turns."""
        columns, where = (*DETAILS, VECTOR), period(streams, since_ns, until_ns)
        for part in self.parts(model, since_ns, until_ns):
            found = [
                e for batch in self.scan(part, columns, where) for e in to_embeddings(batch, model)
            ]
            yield from sorted(found, key=lambda e: (e.stream, e.start_ns, e.seq))

    def scan(
        self, part: Part, columns: tuple[str, ...], where: str = "", batch: int = BATCH
    ) -> Iterator[pa.RecordBatch]:
        """Rows of a part as they lie there; none, and a warning, where it cannot be read."""
        yield from self._reading(part, self._store.scan(part, columns, where, batch))

    def _streams(self, part: Part, where: str) -> Iterator[tuple[str, str]]:
        """Its streams and their modalities."""
        found: set[tuple[str, str]] = set()
        for batch in self._store.scan(part, ("stream", "modality"), where):
            found.update(_distinct(batch))
        yield from sorted(found)

    def _blocks(self, part: Part, where: str, stream: str, modality: str) -> Iterator[Block]:
        batches: Iterable[pa.RecordBatch]
        batches = self._store.scan(part, ("start_ns", "end_ns", "seq", "same_as", VECTOR), where)
        if not self._ordered(part, where):
            batches = _sorted(batches)
        for batch in batches:
            seq = numbers_of(batch, "seq")
            same_as = batch.column("same_as")
            yield Block(
                stream=stream,
                modality=modality,
                start_ns=numbers_of(batch, "start_ns"),
                end_ns=numbers_of(batch, "end_ns"),
                seq=seq,
                computed=np.where(same_as.is_null(), seq, same_as.fill_null(0)),
                vectors=widened(halves_of(batch)),
            )

    def _ordered(self, part: Part, where: str) -> bool:
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
            if self._store.exists(part):
                self.warnings.append(
                    f"the vectors of {part} cannot be read ({short(error)}); the next run that "
                    "writes this history rescues what it can."
                )


def _distinct(batch: pa.RecordBatch) -> set[tuple[str, str]]:
    import pyarrow as pa

    pairs = pa.Table.from_batches([batch]).group_by(["stream", "modality"]).aggregate([])
    columns = pairs.to_pydict()
    return set(zip(columns["stream"], columns["modality"], strict=True))


def _sorted(batches: Iterable[pa.RecordBatch]) -> list[pa.RecordBatch]:
    import pyarrow as pa

    found = list(batches)
    if not found:
        return []
    order = [("start_ns", "ascending"), ("seq", "ascending")]
    rows = pa.Table.from_batches(found).sort_by(order)
    return list(rows.to_batches(max_chunksize=BATCH))


def period(streams: Sequence[str] | None, since_ns: int, until_ns: int) -> str:
    """The `where` of windows of these streams that started in [since_ns, until_ns)."""
    said = f"start_ns >= {since_ns} and start_ns < {until_ns}"
    if streams is not None:
        said += f" and stream in ({', '.join(map(quoted, streams)) or quoted('')})"
    return said
