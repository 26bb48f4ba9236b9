from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from bindstream.errors import ConfigError
from bindstream.evaluation.confusion import MOST_CLASSES, draw_confusions, most_confused
from bindstream.evaluation.measuring import Confusion

pytest.importorskip("matplotlib")


def test_the_picture_grows_with_the_classes_in_it(tmp_path: Path) -> None:
    few = [Confusion("dog", "cat", 5), Confusion("cat", "dog", 1)]
    many = [Confusion(f"class {i}", f"class {i + 1}", 40 - i) for i in range(40)]
    sizes = []
    for name, confusions in (("few.png", few), ("many.png", many)):
        draw_confusions(confusions, "ESC-50", tmp_path / name)
        with Image.open(tmp_path / name) as picture:
            assert picture.format == "PNG"
            sizes.append(picture.width)
    assert sizes[0] < sizes[1] < 2000


def test_classes_of_the_most_frequent_confusions_are_shown() -> None:
    many = [Confusion(f"{i}", f"{i + 1}", 90 - i) for i in range(90)]
    assert most_confused(many) == [str(i) for i in range(MOST_CLASSES)]
    assert most_confused([Confusion("a", "b", 2), Confusion("b", "a", 1)]) == ["a", "b"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        draw_confusions([Confusion("a", "b", 1)], "", tmp_path)
