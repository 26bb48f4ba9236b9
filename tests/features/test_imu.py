from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindstream.errors import DataError
from bindstream.features.imu import resample

S = 10**9
START = 1_753_000_000 * S  # far from 0: UTC nanoseconds do not fit a float64
END = START + 5 * S


def rows(rate_hz: float, *, start_ns: int = START, seconds: float = 5.0):
    """Times and readings of a still sensor whose channels are straight lines of time."""
    offsets = np.arange(0, seconds, 1 / rate_hz)
    readings = np.zeros((len(offsets), 6), np.float32)
    readings[:, 2] = 9.81
    readings[:, 3:] = offsets[:, None] * [0.1, 0.2, 0.3]
    return start_ns + np.round(offsets * S).astype(np.int64), readings


@pytest.mark.parametrize("rate_hz", [50, 99.7, 400, 1000])
def test_lines_stay_lines_at_any_rate(rate_hz):
    times, readings = rows(rate_hz, start_ns=START - S // 10, seconds=5.2)
    out = resample(times, readings, START, END)
    assert out.shape == (6, 2000)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out[2], 9.81, rtol=1e-6)
    np.testing.assert_allclose(out[5], 0.3 * (np.arange(2000) / 400 + 0.1), atol=1e-4)


def test_channels_keep_their_order():
    times, readings = rows(100)
    readings[:] = [9, 1, 2, 3, 4, 5]
    np.testing.assert_allclose(resample(times, readings, START, END)[:, 1000], [9, 1, 2, 3, 4, 5])


def test_a_gap_that_may_be_bridged_is_a_straight_line():
    times, readings = rows(100)
    kept = (times < START + 2 * S) | (times > START + 2.2 * S)
    out = resample(times[kept], readings[kept], START, END)
    np.testing.assert_allclose(out[5], resample(times, readings, START, END)[5], atol=1e-3)


def test_readings_that_share_a_time_are_taken():
    times, readings = rows(100)
    times[1::2] = times[::2]  # as a phone that stamps in whole steps
    assert np.isfinite(resample(times, readings, START, END)).all()


@given(st.integers(0, 500), st.integers(1, 400))
def test_silence_is_refused_wherever_it_is(first, lost):
    times, readings = rows(100)
    kept = np.ones(500, bool)
    kept[first : first + lost] = False
    marks = np.concatenate([[START], times[kept], [END]])
    if kept.sum() >= 2 and np.diff(marks).max() <= 0.25 * S:
        resample(times[kept], readings[kept], START, END)
    else:
        with pytest.raises(DataError, match=r"silent|Hz|too few"):
            resample(times[kept], readings[kept], START, END)


def test_a_slow_sensor_is_told_to_speed_up():
    with pytest.raises(DataError, match=r"10\.0 Hz, at least 50 Hz.*output rate"):
        resample(*rows(10), START, END)


def test_a_nominal_50_hz_may_tick_a_little_slower():
    resample(*rows(49.5), START, END)


def change(column: slice | int, factor: float, offset: float = 0):
    times, readings = rows(100)
    readings[:, column] = readings[:, column] * factor + offset
    return times, readings


@pytest.mark.parametrize(
    ("times", "readings", "says"),
    [
        (*change(slice(0, 3), 1 / 9.81), "accel_unit"),
        (*change(2, 0), "accel_unit"),
        (*change(2, 1000), "accel_unit"),
        (*change(3, 57.3, 100), "gyro_unit"),
        (*change(5, np.nan), "NaN"),
        (rows(100)[0], rows(100)[1][:, :3], "gyroscope"),
        (rows(100)[0][:10], rows(100)[1], "500 IMU readings"),
        (rows(100)[0][::-1], rows(100)[1], "out of order"),
        (np.full(500, START), rows(100)[1], "one capture time"),
        (rows(100)[0][:1], rows(100)[1][:1], "too few"),
        (rows(100)[0].astype(float), rows(100)[1], "float64 times"),
        (rows(100)[0], rows(100)[1].astype(np.int16), "int16"),
    ],
)
def test_refuses_readings_that_cannot_be_used(times, readings, says):
    with pytest.raises(DataError, match=says):
        resample(times, readings, START, END)


def test_refuses_an_empty_window():
    with pytest.raises(DataError, match="empty"):
        resample(*rows(100), START, START)
