from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bindstream.errors import DataError
from bindstream.evaluation.files import (
    Shelf,
    as_classes,
    find,
    read_pairs,
    read_rows,
    read_table,
    spoken,
)
from bindstream.evaluation.records import LayoutError
from tests.evaluation.layouts import lines


def test_a_file_is_found_where_it_should_be_and_then_anywhere(tmp_path: Path) -> None:
    deep = lines(tmp_path / "a" / "b" / "list.csv", "x")
    assert find(tmp_path, "meta/list.csv") == deep
    due = lines(tmp_path / "meta" / "list.csv", "x")
    assert find(tmp_path, "meta/list.csv") == due
    with pytest.raises(LayoutError, match=r"no one\.txt or two\.txt"):
        find(tmp_path, "one.txt", "two.txt")


def test_folders_that_hold_themselves_are_entered_once(tmp_path: Path) -> None:
    lines(tmp_path / "a" / "x.wav", "")
    lines(tmp_path / ".hidden" / "y.wav", "")
    (tmp_path / "a" / "round").symlink_to(tmp_path)
    assert len(Shelf(tmp_path, (".wav",))) == 1


@pytest.mark.parametrize(
    "name",
    [
        "Zz-_9.wav",
        "YZz-_9.wav",
        "Zz-_9_30.wav",
        "Zz-_9_000030.wav",
        "Zz-_9_30000.flac",
        "Zz-_9_30_40.wav",
        "Zz-_9_000030_000040.mp4",
        "Zz-_9_30000_40000.wav",
        "YZz-_9_30.000_40.000.wav",
    ],
)
def test_a_segment_is_found_by_the_names_that_programs_give_it(tmp_path: Path, name: str) -> None:
    lines(tmp_path / "some" / name, "")
    lines(tmp_path / "some" / "Zz-_9_50_60.wav", "")
    shelf = Shelf(tmp_path, (".wav", ".flac", ".mp4"))
    assert shelf.segment("Zz-_9", 30.0, 40.0) == tmp_path / "some" / name
    assert shelf.segment("Zz-_8", 30.0, 40.0) is None


def test_a_table_says_which_line_lacks_a_value(tmp_path: Path) -> None:
    table = lines(tmp_path / "t.csv", "file,label", "a.wav,dog", '"b, c.wav",')
    assert read_table(table, "file")[1]["file"] == "b, c.wav"
    with pytest.raises(DataError, match="line 3 has no label"):
        read_table(table, "file", "label")
    (tmp_path / "t.csv").write_bytes(b"file\n\xff\xfe")
    with pytest.raises(DataError, match="cannot be read"):
        read_table(table, "file")


@pytest.mark.parametrize("read", [lambda path: read_table(path, "file"), lambda p: read_rows(p, 1)])
def test_a_quote_that_is_never_closed_is_said(
    tmp_path: Path, read: Callable[[Path], object]
) -> None:
    table = lines(tmp_path / "t.csv", "file,label", '"a.wav,dog' + "x" * 200_000)
    with pytest.raises(DataError, match=r"t\.csv: it cannot be read \(field larger"):
        read(table)


def test_pairs_are_split_at_the_last_space(tmp_path: Path) -> None:
    table = lines(tmp_path / "p.txt", "a b.jpg 7", "", "c.jpg 8")
    assert read_pairs(table) == [("a b.jpg", "7"), ("c.jpg", "8")]
    with pytest.raises(DataError, match="alone"):
        read_pairs(lines(tmp_path / "p.txt", "alone"))


def test_labels_are_said_as_words() -> None:
    assert spoken("chirping_birds") == "chirping birds"
    assert spoken("apartment_building/outdoor") == "apartment building outdoor"
    assert as_classes(["b_b", "a", "a"]) == {"a": ("a",), "b_b": ("b b",)}
