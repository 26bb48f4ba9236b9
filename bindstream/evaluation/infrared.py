"""Reader of a dataset of heat: LLVIP, people on streets at night."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from bindstream.errors import DataError
from bindstream.evaluation.files import media, subfolder
from bindstream.evaluation.records import Asked, Dataset, Item, LayoutError
from bindstream.features.thermal import thermal_image
from bindstream.file_inputs import Inputs
from bindstream.records import ModalityName
from bindstream.sources.camera import PICTURES

Box = tuple[int, int, int, int]

CLASSES = {  # arXiv 2305.05665, appendix A
    "person": ("person", "man", "woman", "people"),
    "background": ("street", "road", "car", "light", "tree"),
}
TRIES = 50  # at a place for a box without people


def read_llvip(asked: Asked) -> Dataset:
    """infrared/test/ and Annotations/ (VOC XML): each person's box, and as many without one."""
    pictures = subfolder(asked.path, "infrared/test", "LLVIP/infrared/test")
    notes = subfolder(asked.path, "Annotations", "LLVIP/Annotations")
    items = []
    for picture in media(pictures, PICTURES):
        note = notes / f"{picture.stem}.xml"
        if note.is_file():
            items += _boxes(picture, note, asked.seed)
    if not items:
        raise LayoutError(
            "there is no picture of infrared/test with a box in Annotations.",
            where=str(asked.path),
        )
    return Dataset(items, "classes", ("thermal",), CLASSES, views=_crop_views)


def background_boxes(
    people: list[Box], width: int, height: int, rng: np.random.Generator
) -> list[Box]:
    """For each person a box of the same size where none is, (left, top, right, bottom).

    Fewer where the picture is too full.
    """
    found = []
    for left, top, right, bottom in people:
        wide, high = right - left, bottom - top
        for _ in range(TRIES):
            x = int(rng.integers(0, max(width - wide, 0) + 1))
            y = int(rng.integers(0, max(height - high, 0) + 1))
            box = (x, y, x + wide, y + high)
            if not any(_meet(box, person) for person in people):
                found.append(box)
                break
    return found


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _boxes(picture: Path, note: Path, seed: int) -> list[Item]:
    try:
        root = ET.parse(note).getroot()
        width, height = (int(root.findtext(f"size/{side}", "0")) for side in ("width", "height"))
        corners = [
            [int(float(found.findtext(f"bndbox/{edge}", ""))) for edge in _EDGES]
            for found in root.iter("object")
        ]
    except (ET.ParseError, OSError, ValueError) as error:
        raise DataError(f"its boxes cannot be read ({error}).", where=str(note)) from error
    people = [
        (max(left, 0), max(top, 0), min(right, width), min(bottom, height))
        for left, top, right, bottom in corners
    ]
    # By the picture's name, so that a box does not depend on which other pictures there are.
    rng = np.random.default_rng([seed, *picture.stem.encode()])
    labelled = [("person", box) for box in people]
    labelled += [("background", box) for box in background_boxes(people, width, height, rng)]
    return [Item(picture, (label,), source=picture.stem, box=box) for label, box in labelled]


_EDGES = ("xmin", "ymin", "xmax", "ymax")


def _crop_views(modality: ModalityName, item: Item) -> Iterator[Inputs]:
    assert item.box is not None
    left, top, right, bottom = item.box
    yield thermal_image(_grey(item.file)[top:bottom, left:right])


@lru_cache(maxsize=1)  # boxes of a picture follow one another
def _grey(file: Path) -> NDArray[np.float32]:
    """An 8-bit picture as (H, W) float32 grey in [0, 1]."""
    try:
        with Image.open(file) as image:
            return np.asarray(image.convert("L"), np.float32) / np.float32(255)
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(f"The picture cannot be read ({error}).", where=str(file)) from error
