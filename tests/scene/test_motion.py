"""Motion: what an inertial sensor must measure, and that it does not depend on chunking."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindstream.scene.catalogue import kinds_of
from bindstream.scene.motion import Motion
from bindstream.scene.script import Event

SEEDS = (1, 2, 3, 4, 5)
TIMES = np.arange(0, 25, 0.01)
DURING = (TIMES > 11) & (TIMES < 17)


def measured(kind: str, seed: int) -> np.ndarray:
    """25 s of readings in which `kind` happens from 10 to 18 s."""
    return Motion((Event(kind=kind, start_s=10, end_s=18),), seed).render(TIMES)


def force(readings: np.ndarray) -> np.ndarray:
    return np.linalg.norm(readings[:, :3], axis=1)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, len(TIMES) - 1), max_size=15))
def test_readings_are_the_same_however_times_are_cut(cuts: list[int]) -> None:
    events = (
        Event(kind="walking", start_s=2, end_s=9),
        Event(kind="falling", start_s=12, end_s=18),
    )
    whole = Motion(events, 4).render(TIMES)
    motion = Motion(events, 4)
    edges = [0, *sorted(set(cuts)), len(TIMES)]
    parts = [motion.render(TIMES[a:b]) for a, b in pairwise(edges)]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)


@pytest.mark.parametrize("kind", ["sitting_still", "lying_still"])
@pytest.mark.parametrize("seed", SEEDS)
def test_at_rest_the_sensor_feels_gravity_and_does_not_turn(kind: str, seed: int) -> None:
    at_rest = measured(kind, seed)[DURING]
    assert force(at_rest).mean() == pytest.approx(9.81, abs=0.3)
    assert at_rest.std(0)[:3].max() < 0.2
    assert np.abs(at_rest[:, 3:]).mean() < 0.05


@pytest.mark.parametrize("seed", SEEDS)
def test_a_fall_is_weightlessness_then_impact_then_lying_across_gravity(seed: int) -> None:
    readings = measured("falling", seed)
    weight = force(readings)
    fall = (TIMES > 10) & (TIMES < 12)
    lowest = TIMES[fall][weight[fall].argmin()]
    highest = TIMES[fall][weight[fall].argmax()]
    assert weight[fall].min() < 4
    assert weight[fall].max() > 25
    assert lowest < highest
    lying = readings[(TIMES > 13) & (TIMES < 17.5), :3]
    assert lying.std(0).max() < 0.3
    upright = readings[TIMES < 9, :3].mean(0)
    cosine = upright @ lying.mean(0) / np.linalg.norm(upright) / np.linalg.norm(lying.mean(0))
    assert abs(cosine) < 0.5


@pytest.mark.parametrize(
    ("kind", "low_hz", "high_hz"),
    [("walking", 1.4, 2.2), ("running", 2.4, 3.3), ("climbing_stairs", 0.9, 1.5)],
)
@pytest.mark.parametrize("seed", SEEDS)
def test_steps_come_at_a_human_pace(kind: str, low_hz: float, high_hz: float, seed: int) -> None:
    weight = force(measured(kind, seed)[DURING])
    spectrum = np.abs(np.fft.rfft((weight - weight.mean()) * np.hanning(len(weight)), 4096))
    hz = np.fft.rfftfreq(4096, 0.01)
    in_band = (hz > 0.8) & (hz < 3.6)  # above it lie the harmonics of the heel strikes
    assert low_hz <= hz[in_band][spectrum[in_band].argmax()] <= high_hz


def test_running_is_rougher_than_walking_and_walking_than_standing() -> None:
    for seed in SEEDS:
        run, walk = (force(measured(kind, seed)[DURING]).std() for kind in ("running", "walking"))
        stand = force(measured("walking", seed)[TIMES < 9]).std()
        assert run > 2 * walk > 4 * stand


@pytest.mark.parametrize("seed", SEEDS)
def test_the_gyroscope_agrees_with_how_gravity_turns(seed: int) -> None:
    times = np.arange(9.5, 11.5, 0.002)  # standing, then leaning back to sit
    readings = Motion((Event(kind="sitting_still", start_s=10, end_s=18),), seed).render(times)
    bias = readings[-200:, 3:].mean(0)
    down = readings[:100, :3].mean(0).astype(np.float64)
    for rate in readings[50:, 3:] - bias:
        down -= np.cross(rate, down) * 0.002
    end = readings[-100:, :3].mean(0)
    cosine = down @ end / np.linalg.norm(down) / np.linalg.norm(end)
    assert cosine > np.cos(np.radians(8))


@pytest.mark.parametrize("kind", kinds_of("imu"))
def test_readings_are_finite_and_within_a_sensor_s_range(kind: str) -> None:
    readings = measured(kind, 3)
    assert (readings.shape, readings.dtype) == ((2500, 6), np.float32)
    assert np.isfinite(readings).all()
    assert np.abs(readings[:, :3]).max() < 160
    assert np.abs(readings[:, 3:]).max() < 35
