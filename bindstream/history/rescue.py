"""A table that a disk, or a power cut, left damaged: what can be read of it is put in a new one.

Nothing is deleted: the damaged table moves to `damaged/` in the history's folder.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bindstream.errors import BindstreamError
from bindstream.history.parts import Part
from bindstream.history.rows import VECTOR
from bindstream.history.store import Kind, Store

if TYPE_CHECKING:
    import pyarrow as pa

ASIDE = "damaged"
ROWS = 1024
"""Read at one go as long as all goes well; around damage ever fewer, down to one."""


@dataclass(frozen=True)
class Rescued:
    """What came of a damaged part: `windows` are back in it, `lost` could not be read (None where
    nobody can say how many there were), and what was found lies in `aside`."""

    part: Part
    windows: int
    lost: int | None
    aside: Path

    def __str__(self) -> str:
        lost = "nobody can say how many" if self.lost is None else str(self.lost)
        return (
            f"the vectors of {self.part} were damaged: {self.windows} could be read, {lost} not; "
            f"the files are in {self.aside}"
        )


def readable(store: Store, part: Part) -> bool:
    """Whether every row of a part can be read."""
    try:
        for _ in store.scan(part, store.open(part).schema.names):
            pass
    except BindstreamError:  # a newer format, which is no damage
        return True
    except Exception:  # whatever LanceDB makes of broken files
        return False
    return True


def rescue(store: Store, part: Part) -> Rescued:
    """Replace a damaged part by what can be read of it. Blocks for the reading."""
    aside = _place_aside(store, part)
    shutil.move(store.path(part), aside)
    damaged = _Damaged(aside)
    newest, older = damaged.newest()
    if newest is None:
        return Rescued(part, 0, None, aside)
    said = newest.schema.metadata or {}
    model = said.get(b"model", part.key.encode()).decode()
    store.create(part, Kind(model, newest.schema.field(VECTOR).type.list_size), damaged.rows())
    kept = store.open(part).count_rows()
    return Rescued(part, kept, None if older else newest.count_rows() - kept, aside)


def _place_aside(store: Store, part: Part) -> Path:
    folder = store.folder / ASIDE
    folder.mkdir(exist_ok=True)
    number = 0
    while (place := folder / f"{part.name}-{number}.lance").exists():
        number += 1
    return place


class _Damaged:
    """A table whose newest manifests, or some of whose rows, cannot be read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._table: Any = None

    def newest(self) -> tuple[Any, bool]:
        """The newest version that opens, None if none does; and whether newer ones did not.

        A manifest that cannot be read is renamed: LanceDB looks for no older one while it is there.
        """
        import lancedb

        versions = self._path / "_versions"
        damaged = False
        # Newest first: LanceDB's names count down from 2⁶⁴ - 1.
        for manifest in sorted(versions.glob("*.manifest")) if versions.is_dir() else ():
            (versions / "latest_version_hint.json").unlink(missing_ok=True)
            try:
                self._table = lancedb.connect(self._path.parent).open_table(self._path.stem)
                return self._table, damaged
            except Exception:  # whatever LanceDB makes of broken files
                manifest.rename(manifest.with_suffix(".unreadable"))
                damaged = True
        return None, damaged

    def rows(self) -> Iterator[pa.RecordBatch]:
        """All rows of it that can be read, in their order."""
        total = self._table.count_rows()
        for low in range(0, total, ROWS):
            yield from _between(self._table, low, min(low + ROWS, total))


def _between(table: Any, low: int, high: int) -> Iterator[pa.RecordBatch]:
    try:
        batches = table.search().offset(low).limit(high - low).to_arrow().to_batches()
    except Exception:  # whatever LanceDB makes of broken files
        if high - low > 1:
            middle = (low + high) // 2
            yield from _between(table, low, middle)
            yield from _between(table, middle, high)
        return
    yield from batches
