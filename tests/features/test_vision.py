from __future__ import annotations

import numpy as np
import pytest

from bindstream.errors import DataError
from bindstream.features.vision import clip, clip_crops, picture, still_clip
from tests import parity

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("name", "height", "width"), [("wide", 480, 640), ("tall", 641, 427), ("small", 120, 161)]
)
def test_pictures_equal_the_reference(name, height, width):
    image = parity.seeded().image(name, height, width)
    expected = parity.figures("golden_preprocess.npz")["image_" + name]
    np.testing.assert_allclose(picture(image)[:, ::8, ::8], expected, rtol=1e-5, atol=1e-5)


def test_clips_equal_the_reference():
    frames = np.stack([parity.seeded().image(name, 360, 640) for name in ("clip0", "clip1")])
    expected = parity.figures("golden_preprocess.npz")["clip_centre"]
    np.testing.assert_allclose(clip(frames)[:, :, ::8, ::8], expected, rtol=1e-5, atol=1e-5)


def test_the_centre_of_three_crops_equals_the_reference():
    frames = np.stack([parity.seeded().image(name, 360, 640) for name in ("clip0", "clip1")])
    expected = parity.figures("golden_preprocess.npz")["clip_centre"]
    centre = clip_crops(frames)[1]
    np.testing.assert_allclose(centre[:, :, ::8, ::8], expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(centre, clip(frames))


def ramp(height: int, width: int) -> np.ndarray:
    """A clip whose red tells the column and whose green tells the row."""
    frame = np.zeros((height, width, 3), np.uint8)
    frame[..., 0] = np.arange(width) % 256
    frame[..., 1] = np.arange(height)[:, None] % 256
    return np.stack([frame, frame])


def corner(crop: np.ndarray) -> tuple[int, int]:
    """(row, column) of `ramp` that lies in the crop's upper left corner."""
    red, green, _ = (crop[:, 0, 0, 0] * CLIP_STD + CLIP_MEAN) * 255
    return round(green), round(red)


@pytest.mark.parametrize(
    ("height", "width", "corners"),
    [
        (224, 256, [(0, 0), (0, 16), (0, 32)]),
        (224, 255, [(0, 0), (0, 16), (0, 31)]),  # 15.5 is rounded up
        (256, 224, [(0, 0), (16, 0), (32, 0)]),
        (253, 224, [(0, 0), (15, 0), (29, 0)]),  # 14.5 is rounded up
        (224, 225, [(0, 0), (0, 1), (0, 1)]),
        (224, 224, [(0, 0), (0, 0), (0, 0)]),
    ],
)
def test_crops_lie_at_both_ends_and_in_the_middle_of_the_longer_side(height, width, corners):
    frames = ramp(height, width)
    crops = clip_crops(frames)
    assert crops.shape == (3, 3, 2, 224, 224)
    assert [corner(crop) for crop in crops] == corners
    for crop, (top, left) in zip(crops, corners, strict=True):
        cut = frames[:, top : top + 224, left : left + 224]
        np.testing.assert_allclose(crop, clip(cut), atol=1e-5)


@pytest.mark.parametrize("size", [(224, 224), (8, 8), (9, 300), (1080, 1920), (225, 224)])
def test_any_size_gives_the_tower_s_shape(size):
    frames = RNG.integers(0, 256, (2, *size, 3), np.uint8)
    assert picture(frames[0]).shape == (3, 224, 224)
    assert clip(frames).shape == (3, 2, 224, 224)
    assert clip(frames).dtype == picture(frames[0]).dtype == np.float32


def test_frames_of_the_tower_s_size_are_only_normalised():
    frames = RNG.integers(0, 256, (2, 224, 224, 3), np.uint8)
    mean, std = np.array([CLIP_MEAN, CLIP_STD])
    restored = (clip(frames)[:, 1].transpose(1, 2, 0) * std + mean) * 255
    np.testing.assert_allclose(restored, frames[1], atol=1e-3)
    np.testing.assert_allclose(picture(frames[0]), clip(frames)[:, 0], atol=1e-6)


def test_order_of_the_frames_is_kept():
    dark, light = np.zeros((64, 64, 3), np.uint8), np.full((64, 64, 3), 255, np.uint8)
    first, last = clip(np.stack([dark, light])).mean(axis=(0, 2, 3))
    assert first < 0 < last


def test_a_still_as_a_clip_is_the_picture_twice():
    image = RNG.integers(0, 256, (100, 120, 3), np.uint8)
    np.testing.assert_array_equal(still_clip(image)[:, 0], picture(image))
    np.testing.assert_array_equal(still_clip(image)[:, 1], picture(image))


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (np.zeros((64, 64), np.uint8), r"\(64, 64\)|\(2, 64, 64\)"),
        (np.zeros((64, 64, 4), np.uint8), "RGB"),
        (np.zeros((3, 64, 64), np.uint8), "RGB"),
        (np.zeros((64, 64, 3), np.float32), "float32"),
        (np.zeros((0, 64, 3), np.uint8), "64x0"),
        (np.zeros((1, 5000, 3), np.uint8), "5000x1"),
    ],
)
def test_refuses_what_is_no_picture(image, says):
    with pytest.raises(DataError, match=says):
        picture(image)
    with pytest.raises(DataError, match=says):
        clip(np.stack([image, image]))


@pytest.mark.parametrize("frames", [1, 3])
def test_a_clip_is_two_frames(frames):
    with pytest.raises(DataError, match=r"\(2, H, W, 3\)"):
        clip(np.zeros((frames, 64, 64, 3), np.uint8))
