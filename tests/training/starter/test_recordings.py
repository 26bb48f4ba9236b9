"""The manifest: no source is on both sides of the split."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from pathlib import Path

import pytest

from bindstream.errors import DataError
from bindstream.training.starter.phrases import concepts
from bindstream.training.starter.recordings import Entry, read_recordings

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


@pytest.fixture(scope="module")
def entries() -> list[Entry]:
    if not (DATA / "audio.csv").is_file():
        pytest.skip(f"no training data at {DATA}")
    return read_recordings(DATA)


def test_no_source_is_both_trained_on_and_held_out(entries: list[Entry]) -> None:
    sides = defaultdict(set)
    for entry in entries:
        sides[entry.modality, entry.group].add(entry.held_out)
    assert [group for group, held in sides.items() if len(held) > 1] == []


def test_a_recording_in_two_collections_is_on_one_side(entries: list[Entry]) -> None:
    with (DATA / "audio.csv").open(encoding="utf-8") as file:
        ids = {
            row["file"]: found[-1]
            for row in csv.DictReader(file)
            if (found := re.findall(r"/(?:sounds|s)/(\d+)", row["url"]))
        }
    sides, collections = defaultdict(set), defaultdict(set)
    for entry in entries:
        if entry.modality == "audio" and entry.path.name in ids:
            sides[ids[entry.path.name]].add(entry.held_out)
            collections[ids[entry.path.name]].add(entry.path.name.split("_")[0])
    assert any(len(found) > 1 for found in collections.values())
    assert [number for number, held in sides.items() if len(held) > 1] == []


def test_every_modality_has_recordings_on_both_sides(entries: list[Entry]) -> None:
    for modality in ("audio", "vision", "thermal", "imu"):
        held = [e.held_out for e in entries if e.modality == modality]
        assert 0.1 < sum(held) / len(held) < 0.35, modality


def test_esc10_fold_4_is_held_out_and_has_all_ten_labels(entries: list[Entry]) -> None:
    esc = [e for e in entries if e.group.startswith("esc10") and e.held_out]
    assert len({e.label for e in esc}) == 10
    assert len(esc) >= 75  # less those that lie in another collection too


def test_every_label_is_a_concept_and_every_file_exists(entries: list[Entry]) -> None:
    known = set(concepts())
    for entry in entries:
        assert entry.concepts <= known
    assert all(entry.path.is_file() for entry in entries[::50])


def test_a_folder_without_tables_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"audio\.csv"):
        read_recordings(tmp_path)
