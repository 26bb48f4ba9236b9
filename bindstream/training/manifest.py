"""Manifests: CSV lists that say what each recording is paired with.

The first line names the columns, in any order. A row pairs an interval of a recording with the same
interval of another sensor's recording, or with words:

| column | |
| --- | --- |
| `file` | the recording; relative paths start from the manifest's folder |
| `modality` | what it is of: the tower to train (unless the configuration says it for all rows) |
| `with_file`, `with_modality` | another sensor's recording, and what that is of; or else |
| `text` | words for it, several ways of saying it with a `|` between; or else |
| `class` (or `label`) | the class it is of; `phrases` may hold ways of saying the class, with `|` |
| `start_s`, `end_s` | seconds into `file`: the interval; all of it if left out |
| `offset_s` | how much later the same moment is in `with_file`, seconds |
| `source` | who or where: rows that share one are held out together; else the file is the source |
| `split` | `train` or `held_out`; drawn by source where it is empty |

Exactly one of with_file, text and class says what a row is paired with. Windows are cut from the
interval every hop of the modality (1 s), and a window is paired with the other sensor's window
around the same middle. Here only the list is looked at; `pairs.py` opens the files.
"""

from __future__ import annotations

import csv
import difflib
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bindstream.config import Problem
from bindstream.config.paths import expanded
from bindstream.modalities import SENSORS
from bindstream.records import ModalityName

Split = Literal["train", "held_out", ""]

COLUMNS = (
    "file", "modality", "with_file", "with_modality", "text", "class", "phrases",
    "start_s", "end_s", "offset_s", "source", "split",
)  # fmt: skip
SPLITS: dict[str, Split] = {
    "": "",
    "train": "train",
    "training": "train",
    "held_out": "held_out",
    "test": "held_out",
    "val": "held_out",
    "validation": "held_out",
}
MOST_BYTES = 64 << 20  # half a million rows


@dataclass(frozen=True)
class Words:
    """What a row is said to be: phrases for one thing; `name` of its class, "" if it has none."""

    phrases: tuple[str, ...]
    name: str = ""


@dataclass(frozen=True)
class Other:
    """Another sensor's recording, in which the same moment is `offset_s` later."""

    modality: ModalityName
    file: Path
    offset_s: float = 0.0


@dataclass(frozen=True)
class Row:
    """A row as written; `end_s` is None for the recording's end, `source` "" if none is named."""

    manifest: Path
    line: int
    modality: ModalityName
    file: Path
    anchor: Words | Other
    start_s: float = 0.0
    end_s: float | None = None
    source: str = ""
    split: Split = ""


def read_manifest(
    manifest: Path, modality: ModalityName | None = None, with_modality: ModalityName | None = None
) -> tuple[list[Row], list[Problem]]:
    """Its rows that are right, and what is wrong with the others, by line. Opens no recording.

    Args:
        modality, with_modality: what files are of where the columns do not say.
    """
    try:
        lines = list(_lines(manifest))
    except (OSError, ValueError, csv.Error) as error:
        what = f"cannot be read: {getattr(error, 'strerror', None) or error}"
        return [], [Problem(str(manifest), 1, "", None, what, "Give a CSV list in UTF-8.")]
    if not lines:
        return [], [Problem(str(manifest), 1, "", None, "is empty", "Name its columns first.")]
    names = ["class" if name.strip() == "label" else name.strip() for name in lines[0][1]]
    if problems := list(_header_problems(manifest, names)):
        return [], problems
    rows = []
    for line, cells in lines[1:]:
        reader = _RowReader(manifest, line, {"modality": modality, "with_modality": with_modality})
        row = reader.read(names, cells)
        rows += [row] if row and not reader.problems else []
        problems += reader.problems
    if len(lines) == 1:
        problems.append(Problem(str(manifest), 1, "", None, "holds no row", "Add some."))
    return rows, problems


def _lines(manifest: Path) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not empty, each with the line on which it begins."""
    if manifest.stat().st_size > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES >> 20} MiB")
    text = manifest.read_text(encoding="utf-8-sig")
    reader, line = csv.reader(io.StringIO(text, newline=""), strict=True), 1
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield line, cells
        line = reader.line_num + 1


def _header_problems(manifest: Path, names: list[str]) -> Iterator[Problem]:
    for name in dict.fromkeys(names):
        if name not in COLUMNS:
            close = difflib.get_close_matches(name, COLUMNS, n=1)
            fix = f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(COLUMNS)}."
            yield Problem(str(manifest), 1, "", name, "unknown column", fix)
        elif names.count(name) > 1:
            yield Problem(str(manifest), 1, "", name, "is there twice", "Leave one of them out.")
    if "file" not in names:
        fix = f"The first line has to name the columns: {', '.join(COLUMNS)}."
        yield Problem(str(manifest), 1, "", None, "has no column file", fix)


class _RowReader:
    """Reads one row, and gathers its problems."""

    def __init__(self, manifest: Path, line: int, default: dict[str, ModalityName | None]) -> None:
        self._manifest, self._line, self._default = manifest, line, default
        self._cells: dict[str, str] = {}
        self.problems: list[Problem] = []

    def read(self, names: list[str], cells: list[str]) -> Row | None:
        if len(cells) > len(names):
            what = f"has {len(cells)} cells, there are {len(names)} columns"
            self._add("", None, what, "Put cells that hold a comma in quotes.")
            return None
        self._cells = dict(zip(names, (cell.strip() for cell in cells), strict=False))
        start_s, end_s = self._number("start_s"), self._number("end_s")
        offset_s = self._number("offset_s", signed=True)
        if end_s is not None and end_s <= (start_s or 0):
            what = f"is not after the interval's start ({start_s or 0:g})"
            self._add("end_s", end_s, what, "Both are seconds from the recording's beginning.")
        split = SPLITS.get(self._cell("split").lower().replace("-", "_"))
        if split is None:
            self._add("split", self._cell("split"), "is no split", "Write train or held_out.")
        file, modality = self._file("file"), self._modality("modality")
        anchor = self._anchor(offset_s or 0.0)
        if file is None or modality is None or anchor is None:
            return None
        if not isinstance(anchor, Other) and offset_s is not None:
            self._add("offset_s", offset_s, "is for a with_file, and there is none", "Empty it.")
        return Row(
            self._manifest, self._line, modality, file, anchor, start_s or 0.0, end_s,
            self._cell("source"), split or "",
        )  # fmt: skip

    def _add(self, column: str, value: object, what: str, fix: str = "") -> None:
        self.problems.append(Problem(str(self._manifest), self._line, column, value, what, fix))

    def _cell(self, column: str) -> str:
        return self._cells.get(column, "")

    def _anchor(self, offset_s: float) -> Words | Other | None:
        given = [name for name in ("with_file", "text", "class") if self._cell(name)]
        if len(given) != 1:
            what = f"says {' and '.join(given)}" if given else "says nothing it is paired with"
            self._add("", None, what, "Give exactly one of with_file, text and class.")
            return None
        if self._cell("phrases") and given != ["class"]:
            self._add("phrases", self._cell("phrases"), "are of a class", "Write them in text.")
        if given == ["with_file"]:
            file, modality = self._file("with_file"), self._modality("with_modality")
            return Other(modality, file, offset_s) if file and modality else None
        name = self._cell("class")
        column = "phrases" if name else "text"
        phrases = tuple(part.strip() for part in self._cell(column).split("|") if part.strip())
        for said in (*phrases, name) if name else phrases or (self._cell("text"),):
            if not any(letter.isalnum() for letter in said):
                self._add(column, said, "has no word in it", "Say what it is in words.")
        return Words(phrases, name)

    def _file(self, column: str) -> Path | None:
        if not self._cell(column):
            self._add(column, None, "is empty", "Name a file.")
            return None
        return self._manifest.parent / expanded(Path(self._cell(column)))

    def _modality(self, column: str) -> ModalityName | None:
        said = self._cell(column)
        if not said and self._default[column]:
            return self._default[column]
        for name in SENSORS:
            if name == said:
                return name
        what = "is no modality of files" if said else "is not said"
        self._add(column, said or None, what, f"Choose one of {', '.join(SENSORS)}.")
        return None

    def _number(self, column: str, signed: bool = False) -> float | None:
        said = self._cell(column)
        if not said:
            return None
        try:
            value = float(said)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or (value < 0 and not signed):
            least = "" if signed else ", 0 or more"
            self._add(column, said, "is no number of seconds", f"Write seconds{least}, as 12.5.")
            return None
        return value
