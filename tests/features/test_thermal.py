from __future__ import annotations

import numpy as np
import pytest

from bindstream.errors import DataError
from bindstream.features.thermal import GainControl, checked, grey, readings, thermal_image

S = 10**9
RNG = np.random.default_rng(0)


def scene(low_c: float, high_c: float) -> np.ndarray:
    """A frame evenly spread over a span."""
    frame = np.linspace(low_c, high_c, 64 * 80, dtype=np.float32)
    return RNG.permutation(frame).reshape(64, 80)


def span_shown(control: GainControl, frame: np.ndarray, time_ns: int) -> tuple[float, float]:
    """Which °C the control maps to 0 and 1, found from two grey values inside the span."""
    shown = control.push(frame, time_ns)
    inside = (shown > 0) & (shown < 1)
    slope, offset = np.polyfit(shown[inside], frame[inside], 1)
    return float(offset), float(offset + slope)


def test_the_first_frame_shows_p1_to_p99():
    low, high = span_shown(GainControl(), scene(10, 40), 0)
    assert low == pytest.approx(10.3, abs=0.05)
    assert high == pytest.approx(39.7, abs=0.05)


def test_a_flat_scene_is_not_stretched_into_noise():
    frame = RNG.normal(21, 0.1, (64, 80)).astype(np.float32)
    low, high = span_shown(GainControl(), frame, 0)
    assert high - low == pytest.approx(8, abs=0.01)
    assert (low + high) / 2 == pytest.approx(21, abs=0.1)


def test_the_span_follows_in_about_five_seconds_of_event_time():
    control = GainControl()
    control.push(scene(0, 20), 0)
    for second in range(1, 6):
        low, high = span_shown(control, scene(20, 60), second * S)
    # 1 - 1/e of the way from (0.2, 19.8) to (20.4, 59.6)
    assert low == pytest.approx(0.2 + 0.632 * 20.2, abs=0.1)
    assert high == pytest.approx(19.8 + 0.632 * 39.8, abs=0.1)


def test_following_depends_on_event_time_not_on_how_many_frames_came():
    few, many = GainControl(), GainControl()
    few.push(scene(0, 20), 0)
    many.push(scene(0, 20), 0)
    for tenth in range(1, 31):
        dense = span_shown(many, scene(20, 60), tenth * S // 10)
    assert span_shown(few, scene(20, 60), 3 * S) == pytest.approx(dense, abs=0.1)


def test_a_closed_shutter_leaves_the_span_as_it_was():
    control = GainControl()
    before = span_shown(control, scene(10, 40), 0)
    shutter = RNG.normal(30, 0.05, (64, 80)).astype(np.float32)
    shown = control.push(shutter, 1 * S)
    assert shown.std() < 0.01
    control.push(shutter, 2 * S)
    assert span_shown(control, scene(10, 40), 3 * S) == pytest.approx(before, abs=0.01)


def test_a_scene_that_stays_flat_is_followed_in_the_end():
    control = GainControl()
    control.push(scene(10, 40), 0)
    cold = RNG.normal(-20, 0.05, (64, 80)).astype(np.float32)
    for second in range(1, 60):
        shown = control.push(cold, second * S)
    assert 0.4 < shown.mean() < 0.6


def test_a_fixed_span_stays():
    control = GainControl((10, 45))
    for second, frame in enumerate((scene(0, 100), scene(20, 21))):
        np.testing.assert_array_equal(control.push(frame, second * S), grey(frame, 10, 45))


def test_time_that_goes_back_moves_nothing():
    control = GainControl()
    before = span_shown(control, scene(10, 40), 10 * S)
    assert control.push(scene(50, 90), 5 * S).min() == 1  # all above the span that was in force
    assert span_shown(control, scene(10, 40), 10 * S) == pytest.approx(before, abs=0.01)


def test_grey_clips_at_both_ends():
    np.testing.assert_allclose(
        grey(np.array([[0, 10, 27.5, 45, 900]], np.float32), 10, 45), [[0, 0, 0.5, 1, 1]]
    )


def test_readings_are_the_frame_s_own_temperatures():
    frame = np.full((32, 32), 20, np.float32)
    frame[3, 4], frame[5, 6] = 80, -40
    found = readings(frame)
    assert found == {"min_c": -40, "mean_c": pytest.approx(20), "max_c": 80}


def test_a_thermal_picture_is_the_tower_s_input_in_grey():
    image = thermal_image(grey(scene(10, 40), 10, 40))
    assert image.shape == (1, 224, 224)
    assert image.dtype == np.float32
    assert image.min() >= 0
    assert image.max() <= 1


def test_a_hot_spot_stays_where_it_is():
    frame = np.zeros((192, 256), np.float32)
    frame[48, 128] = 1
    row, column = np.unravel_index(thermal_image(frame)[0].argmax(), (224, 224))
    assert (row, column) == (pytest.approx(56, abs=1), pytest.approx(112, abs=1))


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (np.full((64, 80), 29515, np.float32), "kelvin hundredths"),
        (np.full((64, 80), -273, np.float32), "-273"),
        (np.full((64, 80), np.nan, np.float32), "NaN"),
        (np.zeros((64, 80), np.uint16), "uint16"),
        (np.zeros((64, 80, 3), np.float32), r"\(H, W\)"),
        (np.zeros((0, 80), np.float32), r"\(0, 80\)"),
    ],
)
def test_refuses_what_are_no_degrees(frame, says):
    control = GainControl()
    with pytest.raises(DataError, match=says):
        control.push(frame, 0)
    assert span_shown(control, scene(10, 40), 0)[0] == pytest.approx(10.3, abs=0.05)


def test_refuses_an_empty_span():
    with pytest.raises(DataError, match="empty"):
        GainControl((45, 10))


def test_refuses_a_picture_that_is_not_grey():
    with pytest.raises(DataError, match="Thermal picture runs from 10"):
        thermal_image(scene(10, 40))


def test_a_few_dead_pixels_are_mended_and_many_are_refused() -> None:
    frame = np.full((60, 80), 21.0, np.float32)
    frame[0, :3] = np.nan, -273.15, 9000
    np.testing.assert_array_equal(checked(frame), 21)
    frame[1:4] = np.nan
    with pytest.raises(DataError, match="NaN"):
        checked(frame)
