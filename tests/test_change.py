"""Change, in each modality's unit: noise averages out, what matters shows, nothing hides."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from bindstream.change import (
    PIECE_S,
    DepthChange,
    HeatChange,
    MotionChange,
    PictureChange,
    SoundChange,
    block_means,
    loudest_dbfs,
)
from bindstream.errors import DataError
from bindstream.gate import GATE_LEVELS
from bindstream.records import ModalityName, Window

RNG = np.random.default_rng


def window(modality: ModalityName, data: Any, **more: Any) -> Window:
    return Window("s", modality, 0, 0, 2_000_000_000, np.asarray(data), 1.0, **more)


def test_blocks_cover_every_pixel_of_any_size_once() -> None:
    for height, width in ((240, 320), (121, 77), (8, 300), (33, 8), (9, 9)):
        picture = RNG(1).integers(0, 255, (height, width, 3), dtype=np.uint8)
        means = block_means(picture, 32)
        assert min(means.shape[:2]) <= 32
        assert means.min() >= picture.min()
        for y, x in ((0, 0), (height - 1, width - 1), (height // 2, width // 3)):
            bright = np.zeros((height, width), np.float32)
            bright[y, x] = 1
            assert np.count_nonzero(block_means(bright, 32)) == 1


def test_the_mean_of_a_block_is_the_mean_of_its_pixels() -> None:
    picture = RNG(2).integers(0, 255, (320, 320, 3), dtype=np.uint8)
    means = block_means(picture, 32)
    assert means.shape == (32, 32, 3)
    assert means.dtype == np.float32
    np.testing.assert_allclose(means[3, 5], picture[30:40, 50:60].mean((0, 1)), rtol=1e-6)


# Vision -------------------------------------------------------------------------------------------


def clip(seed: int, sigma: float = 4.0) -> np.ndarray:
    """Two noisy frames of the same grey ramp."""
    ramp = np.linspace(40, 200, 320, dtype=np.float32)[None, None, :, None]
    noisy = ramp + RNG(seed).normal(0, sigma, (2, 240, 320, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8)


def grey_levels(a: np.ndarray, b: np.ndarray) -> float:
    measure = PictureChange()
    looks = [measure.look(window("vision", data), None) for data in (a, b)]
    return measure.change(*looks)["grey_levels"]


def test_pixel_noise_is_no_change_and_a_small_thing_in_a_large_picture_is() -> None:
    still, later = clip(0), clip(1)
    assert grey_levels(still, later) < 5
    later[:, 100:112, 200:212] = 255  # a thousandth of the picture... in both frames
    assert grey_levels(still, later) > 40


@pytest.mark.parametrize("frame", [0, 1])
def test_a_change_in_either_frame_counts(frame: int) -> None:
    later = clip(1)
    later[frame, 100:120, 200:220] = 255
    assert grey_levels(clip(0), later) > 40


def test_a_change_of_colour_alone_counts() -> None:
    red, green = np.zeros((2, 2, 64, 64, 3), np.uint8)
    red[..., 0] = green[..., 1] = 100
    assert grey_levels(red, green) == 100


def test_another_resolution_is_another_picture() -> None:
    assert grey_levels(clip(0), clip(0)[:, :120, :160]) == math.inf


# Thermal ------------------------------------------------------------------------------------------


def celsius(a: np.ndarray, b: np.ndarray, spans: Any = (None, None)) -> float:
    measure = HeatChange()
    looks = [measure.look(window("thermal", x), s) for x, s in zip((a, b), spans, strict=True)]
    return measure.change(*looks)["celsius"]


def heat(seed: int) -> np.ndarray:
    return RNG(seed).normal(21, 0.1, (1, 120, 160)).astype(np.float32)


def test_heat_changes_by_the_degrees_of_its_warmest_block() -> None:
    warm = heat(1)
    assert celsius(heat(0), warm) < 0.3
    warm[0, 30:45, 45:60] += 6
    assert celsius(heat(0), warm) == pytest.approx(6, abs=0.3)


def test_a_span_that_moves_shows_the_same_heat_otherwise() -> None:
    assert celsius(heat(0), heat(0), ((18, 30), (18, 30))) == 0
    assert celsius(heat(0), heat(0), ((18, 30), (18, 33))) == 3


def test_dead_pixels_of_a_thermal_camera_are_no_change_and_a_dead_picture_is_refused() -> None:
    dead = heat(1)
    dead[0, 50, 50:54] = np.nan
    assert celsius(heat(0), dead) < 0.4
    dead[0, :60] = np.nan
    with pytest.raises(DataError, match="NaN"):
        celsius(heat(0), dead)


# Depth --------------------------------------------------------------------------------------------


def metres(a: np.ndarray, b: np.ndarray) -> float:
    measure = DepthChange()
    looks = [measure.look(window("depth", x), None) for x in (a, b)]
    return measure.change(*looks)["metres"]


def room(seed: int, holes: float = 0.05) -> np.ndarray:
    """A floor that runs from 1 to 4 m before a wall, a box on it, noise, and holes."""
    rng = RNG(seed)
    rows = np.clip(np.linspace(5, 1, 120), 1, 4)[:, None]
    deep = np.repeat(rows, 160, axis=1).astype(np.float32)
    deep[60:90, 60:90] = 1.8
    deep += 0.002 * deep**2 * rng.standard_normal(deep.shape, np.float32)
    edges = np.abs(np.diff(deep, axis=1, prepend=deep[:, :1])) > 0.25
    lost = rng.random(deep.shape) < np.where(edges, 0.5, holes)
    return np.where(lost, np.float32(0), deep)[None]


@pytest.mark.parametrize("holes", [0.0, 0.05, 0.4, 0.7])
def test_holes_that_flicker_are_no_change(holes: float) -> None:
    level = GATE_LEVELS["depth"]["metres"]
    assert max(metres(room(0, holes), room(seed, holes)) for seed in range(1, 5)) < level


@pytest.mark.parametrize("holes", [0.0, 0.05, 0.4, 0.7])
def test_holes_hide_no_change(holes: float) -> None:
    later = room(1, holes)
    later[0, 20:50, 100:120] = np.where(later[0, 20:50, 100:120] > 0, 2.0, 0)
    assert metres(room(0, holes), later) > 1


@pytest.mark.parametrize("mark", [0.0, np.nan, -1.0, np.inf])
def test_a_hole_in_a_plain_wall_is_the_wall_however_it_is_marked(mark: float) -> None:
    wall = np.full((1, 120, 160), 3.0, np.float32)
    holed = wall.copy()
    holed[0, 40:80, 60:100] = mark
    assert metres(wall, holed) == metres(holed, wall) == 0


def test_what_appears_where_there_was_no_reading_is_a_change() -> None:
    out_of_range = np.full((1, 120, 160), 3.0, np.float32)
    out_of_range[0, :60] = 0  # a window, say
    someone = out_of_range.copy()
    someone[0, 10:60, 70:90] = 1.5
    assert metres(out_of_range, someone) > 1


def test_a_depth_camera_that_is_covered_is_like_nothing() -> None:
    covered = np.zeros((1, 120, 160), np.float32)
    assert not metres(room(0), covered) < 1e9
    assert metres(room(0), room(0)[:, :60]) == math.inf


# Audio --------------------------------------------------------------------------------------------


def hiss(seed: int, dbfs: float, n: int = 32000) -> np.ndarray:
    return RNG(seed).normal(0, 10 ** (dbfs / 20), n).astype(np.float32)


def test_loudness_is_that_of_the_loudest_piece() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(32000) / 16000).astype(np.float32)
    assert loudest_dbfs(tone) == pytest.approx(-3.01, abs=0.05)
    assert loudest_dbfs(hiss(0, -60)) == pytest.approx(-60, abs=1)
    click = hiss(0, -70)
    click[20000:20032] += 0.05  # 2 ms
    assert loudest_dbfs(click) == pytest.approx(
        20 * math.log10(0.05 * (0.002 / PIECE_S) ** 0.5), abs=1
    )


def test_an_offset_is_no_sound_and_nothing_is_very_quiet() -> None:
    assert loudest_dbfs(hiss(0, -70) + np.float32(0.1)) == pytest.approx(-70, abs=1)
    assert loudest_dbfs(np.zeros(32000, np.float32)) < -150
    assert math.isnan(loudest_dbfs(np.full(32000, np.nan, np.float32)))


@pytest.mark.parametrize(("a", "b"), [(-70, -40), (-40, -70)])
def test_the_louder_of_two_windows_counts(a: float, b: float) -> None:
    measure = SoundChange()
    looks = [measure.look(window("audio", hiss(0, level)), None) for level in (a, b)]
    assert measure.change(*looks)["dbfs"] == pytest.approx(-40, abs=1)


# IMU ----------------------------------------------------------------------------------------------


def still(seed: int, rate_hz: int = 100, seconds: float = 5) -> np.ndarray:
    noise = np.repeat([0.04, 0.004], 3)
    rest = np.array([0.3, 0, 9.8, 0.01, 0, 0])
    return rest + noise * RNG(seed).standard_normal((round(rate_hz * seconds), 6))


def moved(
    a: np.ndarray, b: np.ndarray, rates_hz: tuple[int, int] = (100, 100)
) -> tuple[float, float]:
    measure = MotionChange()
    looks = [
        measure.look(window("imu", x, times_ns=np.arange(len(x)) * (10**9 // rate)), None)
        for x, rate in zip((a, b), rates_hz, strict=True)
    ]
    change = measure.change(*looks)
    return change["accel_ms2"], change["gyro_rads"]


def test_a_sensor_at_rest_has_not_changed() -> None:
    accel, gyro = moved(still(0), still(1))
    assert accel < 0.2
    assert gyro < 0.02


def test_a_device_that_was_turned_has_changed_though_it_lies_still_again() -> None:
    turned = still(1)[:, [2, 1, 0, 3, 4, 5]]
    accel, gyro = moved(still(0), turned)
    assert accel == pytest.approx(9.5 * 2**0.5, abs=0.3)
    assert gyro < 0.02


def test_a_short_push_or_turn_shows_wherever_it_lies() -> None:
    for at in (0, 250, 490):
        pushed, swung = still(1), still(1)
        pushed[at : at + 10, 0] += 5  # 0.1 s
        swung[at : at + 10, 4] += 2
        assert moved(still(0), pushed)[0] > 3
        assert moved(still(0), swung)[1] > 1


def test_a_reference_that_moved_is_no_measure_of_rest_though_its_mean_is() -> None:
    walking = still(0)
    walking[:, 2] += 3 * np.sin(2 * np.pi * 2 * np.arange(500) / 100)
    assert moved(walking, still(1))[0] > 2


def test_a_slower_sensor_is_another_one_and_one_reading_more_is_not() -> None:
    assert moved(still(0), still(1, rate_hz=50), (100, 50)) == (math.inf, math.inf)
    assert moved(still(0), still(1)[:-2])[0] < 0.2


@pytest.mark.parametrize("bad", [0, 1])
def test_nan_is_within_no_bound(bad: int) -> None:
    rows = [still(0), still(1)]
    rows[bad][250, 1] = np.nan
    assert not moved(*rows)[0] <= 1e9
