"""Recorded activities: where windows are cut and what they are called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bindstream.training.starter.activities import (
    alone,
    around,
    read_motion,
    recorded,
    shown,
    stretches,
    window_at,
)
from bindstream.training.starter.recordings import Entry

LABELS = ["seated"] * 300 + ["standing_up"] * 120 + ["walking"] * 800 + ["turning"] * 100


@pytest.fixture
def path(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    rows = rng.normal([0, 0, 9.8, 0, 0, 0], 0.2, (len(LABELS), 6)).astype(np.float32)
    times_ms = 1000 + 10 * np.arange(len(LABELS))
    times_ms[50] = times_ms[49]  # a reading that came twice
    np.savez(tmp_path / "s1_01_phone.npz", time_ms=times_ms, acc_gyro=rows, label=LABELS)
    return tmp_path / "s1_01_phone.npz"


def test_readings_are_in_order_and_start_at_zero(path: Path) -> None:
    times, rows, labels = read_motion(path)
    assert times[0] == 0
    assert (np.diff(times) > 0).all()
    assert len(times) == len(rows) == len(labels) == len(LABELS) - 1


def test_runs_of_an_activity_are_found_and_held_at_the_recordings_ends(path: Path) -> None:
    times, rows, labels = read_motion(path)
    found = stretches(times, labels)
    assert [str(labels[s.start]) for s in found] == ["seated", "standing_up", "walking", "turning"]
    first = around(times, rows, found[0])
    assert first is not None
    assert first.shape == (6, 2000)
    before = first[:, :380]  # the middle of 3 s seated lies 1 s too near to the start
    assert np.ptp(before, axis=1).max() < 0.05


def test_a_window_across_a_silence_is_left_out(path: Path) -> None:
    times, rows, _ = read_motion(path)
    assert window_at(times, rows, 2_000_000_000) is not None
    kept = (times < 3_000_000_000) | (times > 4_000_000_000)
    assert window_at(times[kept], rows[kept], 2_000_000_000) is None


def test_a_window_is_called_after_its_middle_and_what_fills_it() -> None:
    labels = np.array(["seated"] * 20 + ["standing_up"] * 30 + ["walking"] * 60)
    assert shown(labels) == {"walking", "standing_up"}
    assert shown(np.array(["walking"] * 40 + ["turning"] * 20 + ["walking"] * 40)) == {
        "turning", "walking",
    }  # fmt: skip
    assert shown(np.array(["seated"] * 100)) == {"sitting_still"}


def test_a_short_run_is_made_long_in_every_way_and_keeps_its_values() -> None:
    rows = np.linspace(9, 10, 80)[:, None].repeat(6, 1).astype(np.float32)
    ways = alone(rows)
    assert len(ways) == 4
    assert all(way.shape == (6, 2000) and way.min() > 8.8 and way.max() < 10.2 for way in ways)


def test_recordings_give_windows_of_every_activity(path: Path) -> None:
    entry = Entry("imu", path, "recording", frozenset(), "s1", False)
    found = recorded([entry], 3, np.random.default_rng(0))
    names = {name for _, labels in found for name in labels}
    assert names == {"sitting_still", "standing_up", "walking", "turning"}
    assert all(window.shape == (6, 2000) for window, _ in found)
