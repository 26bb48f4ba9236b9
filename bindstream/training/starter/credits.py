"""Credits of the sounds that a model was trained on: CC BY asks for author, link and licence."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from bindstream.training.starter.recordings import Entry

CREDITS = "ATTRIBUTION.csv"
COLUMNS = ("name", "label", "author", "licence", "url", "collection")


def write_credits(data: Path, entries: Sequence[Entry], path: Path) -> int:
    """A line for each sound of `entries` that is not held out; returns how many there are."""
    used = {e.path.name for e in entries if e.modality == "audio" and not e.held_out}
    with (data / "audio.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["file"] in used]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)
