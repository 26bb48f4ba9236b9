from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bindstream.errors import DataError
from bindstream.evaluation.motions import read_ego4d
from bindstream.evaluation.records import Asked, Item
from tests.evaluation import layouts


def test_windows_lie_side_by_side_in_held_out_videos(tmp_path: Path) -> None:
    found = read_ego4d(Asked(layouts.ego4d(tmp_path)))
    assert [(item.source, item.span_s) for item in found.items] == [
        ("aaaa", (0, 5)),
        ("aaaa", (5, 10)),
        ("bbbb", (0, 5)),
        ("bbbb", (5, 10)),
    ]
    assert found.items[2].labels == ("Walking the dog", "Talking")
    assert list(found.classes) == ["Cooking", "Gardening", "Talking", "Walking the dog"]
    assert "1 held-out videos" in found.notes[0]


def test_a_window_is_accelerometer_then_gyroscope_at_400_hz(tmp_path: Path) -> None:
    found = read_ego4d(Asked(layouts.ego4d(tmp_path)))
    item = found.items[1]
    (view,) = found.views("imu", item)
    assert view.shape == (6, 2000)
    table = np.genfromtxt(item.file, delimiter=",", skip_header=2)
    inside = (table[:, 2] >= 5000) & (table[:, 2] < 10_000)
    accl, gyro = table[inside, 6:9], table[inside, 3:6]
    # Readings come every 10 ms: every fourth step of 2.5 ms is one.
    np.testing.assert_allclose(view[:3, ::4].T, accl, atol=1e-4)
    np.testing.assert_allclose(view[3:, ::4].T, gyro, atol=1e-4)


def test_a_window_beyond_the_readings_is_an_error_of_its_own(tmp_path: Path) -> None:
    found = read_ego4d(Asked(layouts.ego4d(tmp_path)))
    with pytest.raises(DataError, match="no readings from 100 to 105 s"):
        list(found.views("imu", Item(found.items[0].file, span_s=(100.0, 105.0))))


def test_readings_without_their_columns_are_named(tmp_path: Path) -> None:
    found = read_ego4d(Asked(layouts.ego4d(tmp_path)))
    layouts.lines(found.items[0].file, "time,gyro_x", "0,1")
    with pytest.raises(DataError, match="readings cannot be read") as caught:
        list(found.views("imu", found.items[0]))
    assert caught.value.where.endswith("aaaa.csv")


def test_a_list_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ego4d.json").write_text('{"videos": [{"name": "x"}]}')
    with pytest.raises(DataError, match="not Ego4D's list"):
        read_ego4d(Asked(tmp_path))
