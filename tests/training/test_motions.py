"""Training windows of motion: another way of wearing the sensor, the same motion."""

from __future__ import annotations

import numpy as np

from bindstream.training.motions import MotionBatches


def window(label: str) -> tuple[np.ndarray, frozenset[str]]:
    steps = np.arange(2000) / 400
    rows = np.zeros((6, 2000), np.float32)
    rows[2] = 9.81 + np.sin(2 * np.pi * 2 * steps)
    rows[4] = 0.5 * np.sin(2 * np.pi * steps)
    return rows, frozenset({label})


def test_turning_a_sensor_keeps_how_strong_its_readings_are() -> None:
    batches = MotionBatches([window("walking")])
    x, labels = batches.batch(40, np.random.default_rng(0))
    assert x.shape == (40, 6, 2000)
    assert labels == [frozenset({"walking"})] * 40
    gravity = np.linalg.norm(x[:, :3], axis=1).mean(1)
    assert (np.abs(gravity - 9.81) < 1.2).all()
    assert np.ptp(x[:, 0].mean(1)) > 5  # gravity lies along other axes each time


def test_some_sensors_have_no_gyroscope() -> None:
    batches = MotionBatches([window("walking")])
    x, _ = batches.batch(300, np.random.default_rng(1))
    still = np.abs(x[:, 3:]).max((1, 2)) < 0.25
    assert 0.01 < still.mean() < 0.1


def test_rendered_motions_hold_rest_more_often() -> None:
    scenes = [window(name) for name in ("running", "cycling", "shaking", "rest")]
    batches = MotionBatches([], scenes, "rest")
    _, labels = batches.batch(400, np.random.default_rng(2))
    assert 0.27 < labels.count(frozenset({"rest"})) / 400 < 0.45
