from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bindstream.errors import DataError
from bindstream.evaluation.infrared import background_boxes, read_llvip
from bindstream.evaluation.records import Asked
from bindstream.features.thermal import thermal_image
from tests.evaluation import layouts


def test_people_and_as_many_places_without_them(tmp_path: Path) -> None:
    found = read_llvip(Asked(layouts.llvip(tmp_path)))
    assert [item.labels[0] for item in found.items] == ["person"] * 2 + ["background"] * 2
    assert found.items[0].box == (10, 10, 40, 70)
    assert {item.source for item in found.items} == {"190001"}
    assert found.classes["person"] == ("person", "man", "woman", "people")
    assert found.classes["background"] == ("street", "road", "car", "light", "tree")


def test_a_crop_is_grey_from_0_to_1_without_a_mean(tmp_path: Path) -> None:
    found = read_llvip(Asked(layouts.llvip(tmp_path)))
    item = found.items[1]
    with Image.open(item.file) as image:
        grey = np.asarray(image.convert("L"), np.float32) / 255
    (view,) = found.views("thermal", item)
    np.testing.assert_allclose(view, thermal_image(grey[20:80, 60:90]), atol=1e-6)


def test_boxes_are_drawn_by_the_seed_and_picture_alone(tmp_path: Path) -> None:
    layouts.llvip(tmp_path)
    first, again, other = (
        [item.box for item in read_llvip(Asked(tmp_path, seed=seed)).items] for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other
    layouts.picture(tmp_path / "infrared" / "test" / "100000.jpg")  # one without boxes before it
    assert [item.box for item in read_llvip(Asked(tmp_path)).items] == first


def test_background_is_where_nobody_is() -> None:
    people = [(0, 0, 30, 60), (50, 0, 80, 60)]
    for seed in range(20):
        for box in background_boxes(people, 200, 100, np.random.default_rng(seed)):
            left, top, right, bottom = box
            assert 0 <= left < right <= 200
            assert 0 <= top < bottom <= 100
            assert (right - left, bottom - top) == (30, 60)
            for p_left, p_top, p_right, p_bottom in people:
                assert right <= p_left or p_right <= left or bottom <= p_top or p_bottom <= top
    full = [(0, 0, 200, 100)]
    assert background_boxes(full, 200, 100, np.random.default_rng(0)) == []


def test_boxes_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    layouts.llvip(tmp_path)
    layouts.lines(tmp_path / "Annotations" / "190001.xml", "<annotation><object>")
    with pytest.raises(DataError, match="boxes cannot be read") as caught:
        read_llvip(Asked(tmp_path))
    assert caught.value.where.endswith("190001.xml")
