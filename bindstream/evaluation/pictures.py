"""Readers of datasets of pictures: ImageNet and Places365."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from bindstream.errors import DataError
from bindstream.evaluation.files import (
    Shelf,
    find,
    media,
    read_lines,
    read_pairs,
    read_table,
    spoken,
    subfolder,
)
from bindstream.evaluation.records import Asked, Dataset, Item, LayoutError
from bindstream.sources.camera import PICTURES

Names = Mapping[str, tuple[str, ...]]

CLASSES = 1000
_WNID = re.compile(r"n\d{8}")
_WORDNET = "words.txt"  # all of it
_NAMES = ("LOC_synset_mapping.txt", "synset_words.txt", _WORDNET)
_OWN_NAMES = "imagenet_classnames.txt"
_TRUTHS = ("LOC_val_solution.csv", "imagenet_2012_validation_synset_labels.txt", "val.txt")


def read_imagenet(asked: Asked) -> Dataset:
    """Validation pictures in folders named by WordNet id, or flat beside a file of truths."""
    folder = subfolder(asked.path, "ILSVRC/Data/CLS-LOC/val", "val")
    items = [
        Item(path, labels=(path.parent.name,))
        for path in media(folder, PICTURES)
        if _WNID.fullmatch(path.parent.name)
    ]
    mapping = find(asked.path, *_NAMES)
    names = _named(mapping)
    if not items:
        items = _flat(asked.path, folder, names)
    used = {item.labels[0] for item in items}
    if strays := used - set(names):
        raise DataError(f"it has no name for {min(strays)}.", where=str(mapping))
    if mapping.name == _WORDNET:
        names = {wnid: names[wnid] for wnid in sorted(used)}
    names, note = _best_names(names, mapping, asked.path / _OWN_NAMES)
    return Dataset(items, "classes", ("vision",), names, notes=(note,))


def read_places365(asked: Asked) -> Dataset:
    """places365_val.txt (picture, class number), categories_places365.txt and the pictures."""
    names = {
        number: (spoken(re.sub(r"^/\w/", "", name)),)
        for name, number in read_pairs(find(asked.path, "categories_places365.txt"))
    }
    folder = subfolder(asked.path, "val_256", "val_large")
    table = find(asked.path, "places365_val.txt")
    items = [Item(folder / name, (number,)) for name, number in read_pairs(table)]
    if strays := {item.labels[0] for item in items} - set(names):
        raise DataError(f"there is no class {min(strays)}.", where=str(table))
    return Dataset(items, "classes", ("vision",), names)


def _named(mapping: Path) -> Names:
    """The first name of each class by WordNet id, in their order."""
    names = {}
    for line in read_lines(mapping):
        wnid, _, words = line.replace("\t", " ").partition(" ")
        names[wnid] = (words.split(",")[0].strip(),)
    return dict(sorted(names.items()))


def _best_names(names: Names, mapping: Path, own: Path) -> tuple[Names, str]:
    """The user's names if there are any, and where names are from."""
    if not own.is_file():
        return names, (
            f"class names are the first of each line of {mapping.name}; the 1000 names with which "
            f"77.7 was published, CLIP's, can be put beside it as {_OWN_NAMES}, one a line in the "
            "order of WordNet ids"
        )
    lines = [line.strip() for line in read_lines(own)]
    if len(lines) != len(names):
        raise DataError(f"it has {len(lines)} names for {len(names)} classes.", where=str(own))
    return {w: (n,) for w, n in zip(names, lines, strict=True)}, f"class names are of {_OWN_NAMES}"


def _flat(top: Path, folder: Path, names: Names) -> list[Item]:
    """Pictures that lie in one folder, labelled by one of the files in which truths are kept."""
    table = find(top, *_TRUTHS)
    if table.suffix == ".csv":
        rows = read_table(table, "ImageId", "PredictionString")
        truths = {row["ImageId"]: row["PredictionString"].split()[0] for row in rows}
    elif table.name == "val.txt":
        truths = _numbered(table, list(names))
    else:
        lines = enumerate(read_lines(table), 1)
        truths = {f"ILSVRC2012_val_{place:08d}": wnid.strip() for place, wnid in lines}
    shelf = Shelf(folder, PICTURES)
    if not len(shelf):
        raise LayoutError("there is no picture.", where=str(folder))
    return [
        Item(shelf.get(stem) or folder / f"{stem}.JPEG", (wnid,)) for stem, wnid in truths.items()
    ]


def _numbered(table: Path, wnids: list[str]) -> dict[str, str]:
    """Truths as Caffe counts them: from 0, in the order of WordNet ids."""
    if len(wnids) > CLASSES:
        raise LayoutError(f"it counts classes, which {_WORDNET} does not.", where=str(table))
    truths = {}
    for name, place in read_pairs(table):
        if not place.isdigit() or int(place) >= len(wnids):
            raise DataError(f"there is no class {place} of {len(wnids)}.", where=str(table))
        truths[Path(name).stem] = wnids[int(place)]
    return truths
