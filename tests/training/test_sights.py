"""Training windows of pictures, heat and depth: shapes, ranges, and what they are said to show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bindstream.features.vision import MEAN, STD
from bindstream.training.sights import Sight, SightBatches, read_sight

NOTHING = frozenset({"nothing"})


def aerial() -> Sight:
    """A dark frame with a bright car and a lone person far from it."""
    frame = np.full((1, 256, 320, 1), 40, np.uint8)
    frame[0, 100:110, 50:70] = 220
    frame[0, 200:206, 290:294] = 200
    boxes = (("car", 60.0, 105.0, 20.0, 10.0), ("person", 292.0, 203.0, 4.0, 6.0))
    return Sight(frame, frozenset({"car", "person"}), False, boxes)


def test_pictures_become_normalised_clips_of_two_frames() -> None:
    rng = np.random.default_rng(0)
    picture = Sight(rng.integers(0, 256, (1, 150, 200, 3), np.uint8), frozenset({"dog"}), False)
    x, labels = SightBatches("vision", [picture]).batch(8, rng)
    assert x.shape == (8, 3, 2, 224, 224)
    assert x.dtype == np.float32
    assert np.isfinite(x).all()
    assert labels == [frozenset({"dog"})] * 8
    low, high = (0 - MEAN.max()) / STD.min(), (1 - MEAN.min()) / STD.min()
    assert low - 1 < x.min() < x.max() < high + 1


def test_no_two_windows_of_a_picture_are_the_same() -> None:
    rng = np.random.default_rng(0)
    picture = Sight(rng.integers(0, 256, (1, 150, 200, 3), np.uint8), frozenset({"dog"}), False)
    x, _ = SightBatches("vision", [picture]).batch(6, rng)
    assert all(not np.allclose(x[i], x[j]) for i in range(6) for j in range(i))


def test_aerial_crops_show_what_lies_in_them_and_are_called_so() -> None:
    rng = np.random.default_rng(1)
    x, labels = SightBatches("thermal", [aerial()], NOTHING).batch(64, rng)
    assert x.shape == (64, 1, 224, 224)
    assert x.min() >= 0
    assert x.max() <= 1
    names = [name for shown in labels for name in shown]
    assert {"car", "person"} <= set(names) <= {"car", "person", "nothing"}
    # Rare kinds come up about as often as common ones.
    assert 0.5 < names.count("car") / names.count("person") < 2
    tight = [row for row, shown in zip(x, labels, strict=True) if shown == {"car"}]
    assert np.mean([row.max() - row.min() for row in tight]) > 0.3


def test_rendered_scenes_are_mixed_with_empty_ones() -> None:
    rng = np.random.default_rng(2)
    frame = np.zeros((1, 120, 160, 1), np.uint8)
    dog, empty = (Sight(frame, frozenset({name}), True) for name in ("dog", "nothing"))
    _, labels = SightBatches("depth", [dog, empty], NOTHING).batch(200, rng)
    share = labels.count(NOTHING) / 200
    assert 0.5 < share < 0.8


@pytest.mark.parametrize(("modality", "channels"), [("vision", 3), ("thermal", 1)])
def test_a_picture_file_is_read_in_colour_for_vision_and_in_grey_for_heat(
    tmp_path: Path, modality: str, channels: int
) -> None:
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(tmp_path / "a.png")
    sight = read_sight(modality, tmp_path / "a.png", frozenset({"dog"}))  # type: ignore[arg-type]
    assert sight.frames.shape == (1, 40, 60, channels)
