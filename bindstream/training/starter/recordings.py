"""Recordings on disk as labelled examples, split so that no source is in both halves."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from bindstream.errors import DataError
from bindstream.records import ModalityName
from bindstream.training.starter.sight_words import PICTURES, SAME_AS, THERMAL
from bindstream.training.starter.sound_words import sound_concept, sound_kinds

HELD_OUT_FOLD = "4"
HELD_OUT_SUBJECTS = ("s04", "s09", "s14", "s18")


@dataclass(frozen=True)
class Entry:
    """One recorded file. `boxes` (thermal only) are (concept, x, y, w, h) in pixels.

    `group` names the source: the same uploader's recording, the same flight, the same person.
    Files of one group are all `held_out` or none is.
    """

    modality: ModalityName
    path: Path
    label: str
    concepts: frozenset[str]
    group: str
    held_out: bool
    boxes: tuple[tuple[str, float, float, float, float], ...] = ()


def read_recordings(data: Path) -> list[Entry]:
    """All labelled recordings below `data`; those without a concept are left out.

    Raises:
        DataError: a table is missing.
    """
    return [*_sounds(data), *_pictures(data), *_thermal(data), *_motions(data)]


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise DataError("The table is missing.", where=str(path), fix="Check --data.")
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _share(text: str) -> float:
    """A number in [0, 1) that depends on the text alone."""
    return (crc32(text.encode()) & 0xFFFFFFFF) / 2**32


def _sounds(data: Path) -> Iterator[Entry]:
    """ESC-10's fold 4 is held out, and of other labels with several sources about a fifth.

    What lies in several collections is never held out: a copy of it would be trained on.
    """
    rows = [row for row in _rows(data / "audio.csv") if sound_concept(row["label"], row["name"])]
    held, sources = set(), defaultdict(set)
    for row in rows:
        sources[sound_concept(row["label"], row["name"])].add(_source(row))
        if row["fold"] == HELD_OUT_FOLD:
            held.add(_source(row))
    for found in sources.values():
        others = sorted(source for source in found if source not in held)
        if len(others) >= 3:
            held |= {s for s in others if not s.startswith("esc10") and _share(s) < 0.2}
    collections = defaultdict(set)
    for row in rows:
        collections[_recording(row)].add(row["collection"])
    held -= {_source(row) for row in rows if len(collections[_recording(row)]) > 1}
    for row in rows:
        kinds = sound_kinds(row["label"], row["name"])
        path = data / "audio" / row["file"]
        source = _source(row)
        yield Entry("audio", path, row["label"], kinds, source, source in held)


def _source(row: dict[str, str]) -> str:
    """Who recorded it: one uploader's page. ESC-10's folds share no page already."""
    if row["collection"] == "esc10":
        return "esc10 " + row["url"]
    return f"{row['author']} {row['url']}".strip().lower() or row["file"]


def _recording(row: dict[str, str]) -> str:
    """The recording on freesound.org, whichever way its page is written; else the file."""
    found = re.search(r"freesound\.org/(?:.*/)?(?:sounds|s)/(\d+)", row["url"])
    return found[1] if found else row["file"]


def _pictures(data: Path) -> Iterator[Entry]:
    """No source is known of a picture: 15 % of the files are held out by name."""
    for row in _rows(data / "image.csv"):
        label, file = row["label"], row["file"]
        if label in PICTURES:
            concept = SAME_AS.get(label, label)
            held = _share(file) < 0.15
            path = data / "image" / file
            yield Entry("vision", path, label, frozenset({concept}), file, held)


def _thermal(data: Path) -> Iterator[Entry]:
    """A flight is named by time of day, altitude, angle and weather; a fifth is held out."""
    boxes: dict[str, list[tuple[str, float, float, float, float]]] = defaultdict(list)
    for row in _rows(data / "thermal.csv"):
        if row["label"] in THERMAL:
            x, y, w, h = (float(row[key]) for key in ("x", "y", "w", "h"))
            boxes[row["file"]].append((THERMAL[row["label"]], x, y, w, h))
    for path in sorted((data / "thermal").glob("*.jpg")):
        found = boxes.get(path.name, [])
        flight = "_".join(path.name.split("_")[:4])
        held = _share(flight) < 0.2
        labels = frozenset(box[0] for box in found)
        yield Entry("thermal", path, "+".join(sorted(labels)), labels, flight, held, tuple(found))


def _motions(data: Path) -> Iterator[Entry]:
    """Recordings of whole people are held out."""
    for path in sorted((data / "imu").glob("*.npz")):
        subject = path.name.split("_")[0]
        yield Entry("imu", path, "recording", frozenset(), subject, subject in HELD_OUT_SUBJECTS)
