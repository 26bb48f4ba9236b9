from __future__ import annotations

from pathlib import Path

import pytest

from bindstream.errors import DataError
from bindstream.evaluation.pictures import read_imagenet, read_places365
from bindstream.evaluation.records import Asked
from tests.evaluation import layouts

TENCH, GOLDFISH = "n01440764", "n01443537"


def test_imagenet_in_folders_is_labelled_by_them(tmp_path: Path) -> None:
    found = read_imagenet(Asked(layouts.imagenet(tmp_path)))
    assert [item.labels[0] for item in found.items] == [TENCH, GOLDFISH, GOLDFISH]
    assert dict(found.classes) == {TENCH: ("tench",), GOLDFISH: ("goldfish",)}
    assert "LOC_synset_mapping.txt" in found.notes[0]
    assert read_imagenet(Asked(tmp_path / "val" / "..")).items


def test_of_all_of_wordnet_the_classes_that_occur_are_taken(tmp_path: Path) -> None:
    layouts.imagenet(tmp_path)
    (tmp_path / "LOC_synset_mapping.txt").unlink()
    layouts.lines(
        tmp_path / "words.txt",
        f"{GOLDFISH}\tgoldfish, Carassius",
        "n09999999\ta thing",
        f"{TENCH}\ttench",
    )
    found = read_imagenet(Asked(tmp_path))
    assert dict(found.classes) == {TENCH: ("tench",), GOLDFISH: ("goldfish",)}


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        (
            "LOC_val_solution.csv",
            [
                "ImageId,PredictionString",
                f"ILSVRC2012_val_00000002,{GOLDFISH} 1 2 3 4 {GOLDFISH} 5 6 7 8",
                f"ILSVRC2012_val_00000001,{TENCH} 1 2 3 4",
            ],
        ),
        ("val.txt", ["ILSVRC2012_val_00000002.JPEG 1", "ILSVRC2012_val_00000001.JPEG 0"]),
        ("imagenet_2012_validation_synset_labels.txt", [TENCH, GOLDFISH]),
    ],
)
def test_flat_pictures_are_labelled_by_a_file_of_truths(
    tmp_path: Path, name: str, rows: list[str]
) -> None:
    lying = tmp_path / "ILSVRC" / "Data" / "CLS-LOC" / "val"
    for number in (1, 2):
        layouts.picture(lying / f"ILSVRC2012_val_{number:08d}.JPEG")
    layouts.lines(tmp_path / "LOC_synset_mapping.txt", *layouts.SYNSETS)
    layouts.lines(tmp_path / name, *rows)
    found = read_imagenet(Asked(tmp_path))
    labels = {item.file.name: item.labels[0] for item in found.items}
    assert labels == {
        "ILSVRC2012_val_00000001.JPEG": TENCH,
        "ILSVRC2012_val_00000002.JPEG": GOLDFISH,
    }


def test_names_of_ones_own_replace_those_of_the_dataset(tmp_path: Path) -> None:
    layouts.imagenet(tmp_path)
    layouts.lines(tmp_path / "imagenet_classnames.txt", "a tench", "a goldfish")
    found = read_imagenet(Asked(tmp_path))
    assert dict(found.classes) == {TENCH: ("a tench",), GOLDFISH: ("a goldfish",)}
    assert "imagenet_classnames.txt" in found.notes[0]
    layouts.lines(tmp_path / "imagenet_classnames.txt", "a tench")
    with pytest.raises(DataError, match="1 names for 2 classes"):
        read_imagenet(Asked(tmp_path))


def test_a_class_without_a_name_or_number_is_refused(tmp_path: Path) -> None:
    layouts.imagenet(tmp_path)
    layouts.picture(tmp_path / "val" / "n07654321" / "x.JPEG")
    with pytest.raises(DataError, match="no name for n07654321"):
        read_imagenet(Asked(tmp_path))
    flat = tmp_path / "flat"
    layouts.picture(flat / "val" / "ILSVRC2012_val_00000001.JPEG")
    layouts.lines(flat / "LOC_synset_mapping.txt", *layouts.SYNSETS)
    layouts.lines(flat / "val.txt", "ILSVRC2012_val_00000001.JPEG 2")
    with pytest.raises(DataError, match="no class 2 of 2"):
        read_imagenet(Asked(flat))


def test_places_are_named_as_they_are_said(tmp_path: Path) -> None:
    found = read_places365(Asked(layouts.places365(tmp_path)))
    assert found.classes["1"] == ("apartment building outdoor",)
    assert found.classes["2"] == ("zen garden",)
    assert [item.labels for item in found.items] == [("2",), ("1",)]
    assert all(item.file.is_file() for item in found.items)
    layouts.lines(tmp_path / "places365_val.txt", "a.jpg 9")
    with pytest.raises(DataError, match="no class 9"):
        read_places365(Asked(tmp_path))
