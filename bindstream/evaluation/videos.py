"""Readers of datasets of video: Kinetics-400 and MSR-VTT."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bindstream.errors import DataError
from bindstream.evaluation.files import (
    Shelf,
    find,
    number,
    read_lines,
    read_pairs,
    read_table,
)
from bindstream.evaluation.records import Asked, Dataset, Item, LayoutError
from bindstream.file_inputs import VIDEOS

AUDIO_SHARE = 0.05  # of the score of picture and sound together, in the published figure


def read_kinetics400(asked: Asked) -> Dataset:
    """A validation list, DeepMind's CSV or lines of path and class number, and the videos."""
    shelf = Shelf(asked.path, VIDEOS)
    table = _validation_list(asked.path)
    rows = _of_csv(table, shelf) if _is_csv(table) else _of_list(asked.path, table)
    labels = {label for label, _ in rows}
    items = [Item(file, (label,)) for label, file in rows if file is not None]
    if not items:
        raise LayoutError(f"of {len(rows)} listed videos there is none.", where=str(asked.path))
    return Dataset(
        items,
        "classes",
        ("vision",),
        {label: (label.replace("_", " "),) for label in sorted(labels)},
        absent=len(rows) - len(items),
    )


def read_msrvtt(asked: Asked) -> Dataset:
    """MSRVTT_JSFUSION_test.csv (video_id, sentence), the 1k-A split, and the videos."""
    table = find(asked.path, "MSRVTT_JSFUSION_test.csv")
    shelf = Shelf(asked.path, VIDEOS)
    items = [
        Item(
            shelf.get(row["video_id"]) or asked.path / f"{row['video_id']}.mp4",
            captions=(row["sentence"],),
        )
        for row in read_table(table, "video_id", "sentence")
    ]
    return Dataset(
        items,
        "retrieval",
        ("vision", "audio"),
        weights=(1 - AUDIO_SHARE, AUDIO_SHARE),
    )


def _validation_list(folder: Path) -> Path:
    """A CSV with validation in its name, else a list with it."""
    for place in (folder, folder / "annotations"):
        for pattern in ("*val*.csv", "*val*.txt"):
            for path in sorted(place.glob(pattern)):
                return path
    raise LayoutError("there is no list with val in its name.", where=str(folder))


def _is_csv(table: Path) -> bool:
    return "youtube_id" in next(iter(read_lines(table)), "")


def _of_csv(table: Path, shelf: Shelf) -> list[tuple[str, Path | None]]:
    rows = read_table(table, "label", "youtube_id", "time_start", "time_end")
    return [
        (
            row["label"],
            shelf.segment(
                row["youtube_id"],
                number(row["time_start"], table),
                number(row["time_end"], table),
            ),
        )
        for row in rows
    ]


def _of_list(folder: Path, table: Path) -> list[tuple[str, Path | None]]:
    """Lines of path and class number; names are those of a label map, or of the paths' folders."""
    pairs = read_pairs(table)
    names = dict(_label_map(folder))
    rows: list[tuple[str, Path | None]] = []
    for path, place in pairs:
        name = names.get(place) or Path(path).parent.name
        if not name:
            raise DataError(
                f"class {place} has no name.",
                where=str(table),
                fix="Put a file *label_map*.txt beside it, a name a line.",
            )
        found = [p for p in _places(folder, table, path) if p.is_file()]
        rows.append((name, found[0] if found else None))
    return rows


def _label_map(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.glob("*label_map*.txt")):
        yield from ((str(place), line.strip()) for place, line in enumerate(read_lines(path)))
        return


def _places(folder: Path, table: Path, path: str) -> list[Path]:
    """Where a listed path may lie: as it is, beside its list, and in the usual folders."""
    return [
        Path(path),
        *(place / path for place in (table.parent, folder, folder / "val", folder / "videos_val")),
    ]
