"""Slopes and their intervals: what grows is found, and what only wanders is not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from growth import Kind, growth, verdict

MB = Kind("MB", 1.0)
TIMES_S = np.arange(300) * 5.0


def wandering(rng: np.random.Generator, held: float = 0.8) -> np.ndarray:
    """Noise of which each value is like the last one."""
    noise = rng.standard_normal(len(TIMES_S))
    for i in range(1, len(noise)):
        noise[i] += held * noise[i - 1]
    return noise


def test_a_slope_is_found_with_its_interval():
    rng = np.random.default_rng(7)
    within = 0
    for _ in range(100):
        found = growth(TIMES_S, 100 + 12 * TIMES_S / 3600 + wandering(rng))
        within += found.low <= 12 <= found.high
    assert within >= 88  # 95 % is stated
    assert "GROWS by" in verdict(growth(TIMES_S, 100 + 60 * TIMES_S / 3600 + wandering(rng)), MB)


def test_what_wanders_is_rarely_taken_for_growth():
    rng = np.random.default_rng(1)
    grown = sum(growth(TIMES_S, 100 + wandering(rng)).grows for _ in range(100))
    assert grown <= 10  # 2.5 % would be just


def test_what_stays_the_same_has_no_slope():
    found = growth(TIMES_S, np.full(300, 7.0))
    assert (found.slope, found.low, found.high) == pytest.approx((0, 0, 0), abs=1e-9)
    assert verdict(found, MB).startswith("no growth seen")


def test_samples_that_are_missing_are_left_out_and_few_tell_nothing():
    values = np.full(300, np.nan)
    values[::20] = 1.0
    found = growth(TIMES_S, values)
    assert math.isnan(found.slope)
    assert verdict(found, MB) == "15 samples: too few"
    values = 5 + TIMES_S / 3600
    values[::3] = np.nan
    assert growth(TIMES_S, values).slope == pytest.approx(1.0)


def test_growth_that_is_meant_is_said_as_that_and_more_is_not():
    grown = growth(TIMES_S, 10 * TIMES_S / 3600)
    meant = verdict(grown, MB, explained=12, bound="vectors are remembered up to 128 MiB a stream")
    assert meant.startswith("grows as meant: vectors")
    assert "GROWS by 10 MB/h" in verdict(grown, MB, explained=3, bound="vectors")
    assert verdict(growth(TIMES_S, 0.5 * TIMES_S / 3600), MB).startswith("next to no growth")
