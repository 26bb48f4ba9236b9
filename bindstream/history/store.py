"""A history's tables on disk, as LanceDB keeps them. Everything here blocks for the disk.

LanceDB only ever adds files and then names them in a new manifest, so that a writer may be killed
at any moment, and readers go on with what they opened.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bindstream.errors import BindstreamError, HistoryError, MissingPackageError
from bindstream.history.parts import Part, live, part_named
from bindstream.history.rows import FORMAT, VECTOR, schema

if TYPE_CHECKING:
    import pyarrow as pa

READ_AHEAD_BYTES = 64 * 2**20
"""What a scan may have read before it is asked for; LanceDB alone would take 2 GiB."""
CACHE_BYTES = 8 * 2**20
"""LanceDB's memory of manifests and of indices."""
BATCH = 8192
"""Rows at a time: of fewer, LanceDB takes twice as long for a period as for everything."""
_SUFFIX = ".lance"


@dataclass(frozen=True)
class Kind:
    """What a table says of itself: its model's fingerprint and the dimension of its vectors."""

    model: str
    dim: int


class Store:
    """The tables in a folder, which is made if it is not there.

    Raises:
        MissingPackageError: LanceDB is not installed.
        HistoryError: there can be no history in this place.
    """

    def __init__(self, folder: Path) -> None:
        # Read when LanceDB is imported first; whoever set it knows better.
        os.environ.setdefault("LANCE_DEFAULT_IO_BUFFER_SIZE", str(READ_AHEAD_BYTES))
        try:
            import lancedb
        except ImportError as error:
            raise MissingPackageError(
                f"a history needs {error.name}, which is not installed.",
                fix="Run: pip install 'bindstream[history]'.",
            ) from error
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # Left to itself it would remember every version it ever saw, up to gigabytes.
            session = lancedb.Session(CACHE_BYTES, CACHE_BYTES)
            self._database = lancedb.connect(folder, session=session)
        except OSError as error:
            raise HistoryError(
                f"no history can be kept there: {error.strerror or error}.",
                where=str(folder),
                fix="Choose a folder that you may write to.",
            ) from None

    def parts(self) -> list[Part]:
        """The parts that hold the history, oldest first."""
        return live(self.tables())

    def tables(self) -> list[Part]:
        """All tables that are whole, also hours that a day's table stands in for."""
        return [part for part in self._folders() if self.exists(part)]

    def unfinished(self) -> list[Part]:
        """Tables whose writer died before they held anything."""
        return [part for part in self._folders() if not self.exists(part)]

    def _folders(self) -> Iterator[Part]:
        names = sorted(os.listdir(self.folder)) if self.folder.is_dir() else []
        for name in names:
            if name.endswith(_SUFFIX) and (part := part_named(name.removesuffix(_SUFFIX))):
                yield part

    def path(self, part: Part) -> Path:
        return self.folder / f"{part.name}{_SUFFIX}"

    def exists(self, part: Part) -> bool:
        """Whether a first version of it was committed; until then it is not there for anyone."""
        try:
            with os.scandir(self.path(part) / "_versions") as versions:
                return any(version.name.endswith(".manifest") for version in versions)
        except OSError:
            return False

    def open(self, part: Part) -> Any:
        """A LanceDB table, of the version that is newest now. Raises whatever LanceDB raises.

        Raises:
            HistoryError: a newer bindstream wrote it.
        """
        table = self._database.open_table(part.name)
        written = _said(table).get("format", FORMAT)
        if written != FORMAT:
            raise HistoryError(
                f"it has format {written}, this bindstream reads {FORMAT}.",
                where=str(self.path(part)),
                fix="Update bindstream.",
            )
        return table

    def damaged(self, part: Part) -> bool:
        """Whether it is there and its newest version cannot be opened."""
        try:
            self.open(part)
        except BindstreamError:  # a newer format
            return False
        except Exception:  # whatever LanceDB makes of broken files
            return self.exists(part)
        return False

    def kind(self, part: Part) -> Kind:
        """As `open`."""
        table = self.open(part)
        return Kind(_said(table).get("model", part.key), table.schema.field(VECTOR).type.list_size)

    def create(self, part: Part, kind: Kind, rows: Iterator[pa.RecordBatch] | None = None) -> None:
        """Make a table, which is there as soon as all of its rows are."""
        import pyarrow as pa

        columns = schema(kind.model, kind.dim)
        data = None if rows is None else pa.RecordBatchReader.from_batches(columns, rows)
        self._database.create_table(part.name, data=data, schema=columns)

    def append(self, part: Part, rows: pa.Table) -> None:
        """Add rows at one go: all of them are there afterwards, or none."""
        # LanceDB would write into a folder that somebody removed, and never find its rows again.
        if not self.exists(part):
            self.remove(part)
            self._database.create_table(part.name, schema=rows.schema)
        self.open(part).add(rows)

    def scan(
        self, part: Part, columns: tuple[str, ...], where: str = ""
    ) -> Iterator[pa.RecordBatch]:
        """Rows as they lie in the table. Raises whatever LanceDB raises."""
        asked = self.open(part).search().select(list(columns))
        if where:
            asked = asked.where(where)
        yield from asked.to_batches(batch_size=BATCH)

    def remove(self, part: Part) -> None:
        """Delete a table, if it is there; readers that are in the middle of it lose it."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.path(part))

    def size_bytes(self, part: Part) -> int:
        return folder_bytes(self.path(part))


def ordered(batches: Sequence[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """The same rows, all of one stream, in order of time."""
    import pyarrow as pa

    if not batches:
        return []
    order = [("start_ns", "ascending"), ("seq", "ascending")]
    rows = pa.Table.from_batches(batches).sort_by(order)
    return list(rows.to_batches(max_chunksize=BATCH))


def _said(table: Any) -> dict[str, str]:
    """What a table says of itself beside its columns."""
    return {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}


def folder_bytes(folder: Path) -> int:
    """What lies in a folder; files that go meanwhile do not count."""
    total = 0
    for at, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.stat(os.path.join(at, name)).st_size
    return total


def quoted(text: str) -> str:
    """A string literal of a `where`."""
    return "'" + text.replace("'", "''") + "'"
