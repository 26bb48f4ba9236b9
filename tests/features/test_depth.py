from __future__ import annotations

import numpy as np
import pytest

from bindstream.errors import DataError
from bindstream.features.depth import DepthGeometry, depth_image, disparity


def wall(metres: float) -> np.ndarray:
    return np.full((48, 64), metres, np.float32)


def test_disparity_is_baseline_times_focal_over_depth_in_shares_of_75_px():
    expected = 0.075 * 518.86 / 2.0 / 75
    np.testing.assert_allclose(disparity(wall(2.0)), expected, rtol=1e-6)


def test_geometry_and_scale_are_options():
    geometry = DepthGeometry(baseline_m=0.095, focal_px=600, scale=1 / 8)
    np.testing.assert_allclose(disparity(wall(2.0), geometry), 0.095 * 600 / 8 / 2 / 75, rtol=1e-6)


def test_near_and_far_are_clamped():
    np.testing.assert_allclose(disparity(wall(0.001)), 1)
    np.testing.assert_allclose(disparity(wall(100)), disparity(wall(50)))


@pytest.mark.parametrize("hole", [0, -1, np.nan, np.inf])
def test_holes_take_what_is_around_them(hole):
    frame = wall(2.0)
    frame[10:30, 10:40] = hole
    frame[0, 0] = frame[-1, -1] = hole
    np.testing.assert_allclose(disparity(frame), disparity(wall(2.0)), rtol=1e-6)


def test_a_hole_is_filled_from_its_own_side():
    frame = np.hstack([wall(1.0), wall(4.0)])
    frame[20:24, 8:12] = frame[20:24, 100:104] = 0
    filled = disparity(frame)
    np.testing.assert_allclose(filled[:, :64], disparity(wall(1.0)), rtol=1e-6)
    np.testing.assert_allclose(filled[:, 64:], disparity(wall(4.0)), rtol=1e-6)


@pytest.mark.parametrize("shape", [(47, 63), (8, 9), (480, 640), (101, 8)])
def test_odd_sizes_are_filled_whole(shape):
    rng = np.random.default_rng(0)
    frame = rng.uniform(1, 5, shape).astype(np.float32)
    frame[rng.random(shape) < 0.6] = 0
    filled = disparity(frame)
    assert filled.shape == shape
    assert 0 < filled.min() <= filled.max() < 38.92 / 75
    assert depth_image(frame).shape == (1, 224, 224)


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (wall(0), "0% of its pixels"),
        (wall(np.nan), "0% of its pixels"),
        (wall(1500), "millimetres"),
        (wall(1).astype(np.uint16), "uint16"),
        (wall(1)[None], r"\(H, W\)"),
    ],
)
def test_refuses_what_is_no_depth_in_metres(frame, says):
    with pytest.raises(DataError, match=says):
        disparity(frame)
