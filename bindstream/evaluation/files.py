"""Finding the files that a dataset's metadata speak of, and reading tables of theirs."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from bindstream.errors import DataError
from bindstream.evaluation.records import LayoutError
from bindstream.features.sound_track import CONTAINERS
from bindstream.file_inputs import SOUNDS, VIDEOS
from bindstream.sources.camera import PICTURES

WITH_SOUND = tuple(dict.fromkeys((*SOUNDS, *CONTAINERS)))
WITH_PICTURES = (*PICTURES, *VIDEOS)


def find(folder: Path, *names: str) -> Path:
    """The first of `names` that lies in the folder, or else anywhere under it.

    Raises:
        LayoutError: there is none.
    """
    for name in names:
        if (folder / name).exists():
            return folder / name
    wanted = {Path(name).name for name in names}
    for path in _walk(folder):
        if path.name in wanted:
            return path
    raise LayoutError(f"there is no {' or '.join(names)}.", where=str(folder))


def subfolder(folder: Path, *names: str) -> Path:
    """The first of `names` that is a folder in `folder`; `folder` itself if none is."""
    return next((folder / name for name in names if (folder / name).is_dir()), folder)


class Shelf:
    """Files under a folder, found by their stem: names without folder and suffix.

    Args:
        suffixes: lower case, with their dot; files of others are not seen.
    """

    def __init__(self, folder: Path, suffixes: Collection[str]) -> None:
        self._paths: dict[str, Path] = {}
        for path in _walk(folder):
            if path.suffix.lower() in suffixes:
                self._paths.setdefault(path.stem, path)

    def get(self, *stems: str) -> Path | None:
        """The file of the first stem that there is."""
        return next((self._paths[stem] for stem in stems if stem in self._paths), None)

    def segment(self, name: str, start_s: float, end_s: float | None = None) -> Path | None:
        """The file of a part of a web video, by the names that programs give such files: the
        video's own, and it with the start, or start and end, in s, zero-padded s, or ms."""
        starts = [f"{start_s:.0f}", f"{start_s:06.0f}", f"{start_s * 1000:.0f}", f"{start_s:.3f}"]
        stems = [f"{name}_{start}" for start in starts]
        if end_s is not None:
            ends = [f"{end_s:.0f}", f"{end_s:06.0f}", f"{end_s * 1000:.0f}", f"{end_s:.3f}"]
            pairs = zip(starts, ends, strict=True)
            stems = [*(f"{name}_{start}_{end}" for start, end in pairs), *stems]
        stems.append(name)
        return self.get(*stems, *(f"Y{stem}" for stem in stems))

    def __len__(self) -> int:
        return len(self._paths)


def media(folder: Path, suffixes: Collection[str]) -> Iterator[Path]:
    """Files of these suffixes under a folder, in order, hidden ones left out."""
    return (path for path in _walk(folder) if path.suffix.lower() in suffixes)


def read_table(file: Path, *columns: str) -> list[dict[str, str]]:
    """The rows of a CSV file with a header, by column.

    Raises:
        DataError: the file cannot be read, or lacks one of `columns`.
    """
    text = _text(file)
    try:
        lines = csv.DictReader(io.StringIO(text, newline=""))
        rows = [{key: value or "" for key, value in row.items() if key} for row in lines]
    except csv.Error as error:
        raise DataError(f"it cannot be read ({error}).", where=str(file)) from error
    if missing := [name for name in columns if name not in (lines.fieldnames or ())]:
        raise DataError(
            f"it has no column {', '.join(missing)} (it has {', '.join(lines.fieldnames or ())}).",
            where=str(file),
            fix=f"Its first line has to name the columns {', '.join(columns)}.",
        )
    for number, row in enumerate(rows, 2):
        if empty := [name for name in columns if not row[name].strip()]:
            raise DataError(f"line {number} has no {', '.join(empty)}.", where=str(file))
    return rows


def read_rows(file: Path, at_least: int) -> list[list[str]]:
    """The rows of a CSV file without a header; lines that begin with # are left out.

    Raises:
        DataError: the file cannot be read, or a row has fewer columns than `at_least`.
    """
    lines = (line for line in read_lines(file) if not line.startswith("#"))
    try:
        rows = [row for row in csv.reader(lines, skipinitialspace=True) if row]
    except csv.Error as error:
        raise DataError(f"it cannot be read ({error}).", where=str(file)) from error
    for row in rows:
        if len(row) < at_least:
            raise DataError(f"{row} has fewer than {at_least} columns.", where=str(file))
    return rows


def read_pairs(file: Path) -> list[tuple[str, str]]:
    """Lines of a name and a number (or a word) after it, split at the last space.

    Raises:
        DataError: the file cannot be read, or a line is not so.
    """
    pairs = []
    for line in read_lines(file):
        name, _, value = line.strip().rpartition(" ")
        if not name:
            raise DataError(f"{line!r} is not a name and a class.", where=str(file))
        pairs.append((name.strip(), value))
    return pairs


def number(text: str, file: Path) -> float:
    """A number in a file.

    Raises:
        DataError: it is none.
    """
    try:
        return float(text)
    except ValueError:
        raise DataError(f"{text!r} is not a number.", where=str(file)) from None


def read_lines(file: Path) -> list[str]:
    """The lines of a text file, empty ones left out.

    Raises:
        DataError: it cannot be read.
    """
    return [line for line in _text(file).splitlines() if line.strip()]


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise DataError(f"it cannot be read ({error}).", where=str(file)) from error


def spoken(label: str) -> str:
    """A label as words: `chirping_birds` is "chirping birds"."""
    return " ".join(label.replace("_", " ").replace("/", " ").split())


def as_classes(labels: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Each different label in order, and the name it goes by."""
    return {label: (spoken(label),) for label in sorted(set(labels))}


def _walk(folder: Path) -> Iterator[Path]:
    """Files under a folder, in order; links to folders are followed once, hidden names left out."""
    entered: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in entered:
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place, name) for name in sorted(names) if not name.startswith("."))
