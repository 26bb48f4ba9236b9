"""The tail: what it fits, and whether what it promises is kept on backgrounds never seen."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindstream.budget.tail import Tail, fit_tail, least_promise, sure_level, sure_rate


def peaks_of(shape: float, n: int, seed: int) -> np.ndarray:
    """Excesses of a generalised Pareto distribution of scale 1."""
    uniform = np.random.default_rng(seed).uniform(size=n)
    return -np.log(uniform) if shape == 0 else (uniform**-shape - 1) / shape


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.2])
def test_a_tail_of_many_peaks_is_found_again(shape: float) -> None:
    tail = fit_tail(5 + peaks_of(shape, 4000, 1), threshold=5.0, hours=100.0)
    assert tail.shape == pytest.approx(shape, abs=0.06)
    assert tail.scale == pytest.approx(1.0, rel=0.08)
    assert tail.per_hour == 40.0


def test_rate_and_level_undo_each_other() -> None:
    for shape in (-0.3, 0.0, 0.3):
        tail = Tail(0.1, 20.0, 0.05, shape, 50, 10.0)
        for per_hour in (0.01, 0.2, 5.0):
            assert tail.rate(tail.level(per_hour)) == pytest.approx(per_hour, rel=1e-6)
    assert Tail(0.1, 2.0, 0.05, 0.0, 9, 9.0).level(100.0) == 0.1


def test_below_the_threshold_events_are_counted_and_below_the_lowest_nothing_is_known() -> None:
    counted = np.array([9.0, 6.0, 4.0, 3.0, 2.0, 2.0])
    tail = Tail(4.0, 1.5, 1.0, 0.0, 2, 2.0, counted)
    assert tail.lowest == 2.0
    levels = [4.0, 3.9, 3.0, 2.5, 2.0, 1.9]
    assert [tail.rate(level) for level in levels] == [1.5, 1.5, 2.0, 2.0, 3.0, math.inf]
    assert Tail(4.0, 1.5, 1.0, 0.0, 2, 2.0).rate(3.9) == math.inf


@pytest.mark.parametrize("shape", [-0.25, 0.0, 0.2])
def test_promised_levels_are_exceeded_no_more_often_than_the_confidence_allows(
    shape: float,
) -> None:
    """200 backgrounds of 24 hours with 2 peaks an hour; the true rate at the cut is known."""
    budget, kept, ratios = 0.2, 0, []
    for seed in range(200):
        n = np.random.default_rng(1000 + seed).poisson(48)
        tail = fit_tail(peaks_of(shape, n, seed), 0.0, 24.0)
        cut = sure_level(tail, budget)
        true = Tail(0.0, 2.0, 1.0, shape, 0, 1.0).rate(cut)
        kept += true <= budget
        ratios.append(budget / max(true, 1e-3))
    assert kept / 200 > 0.9
    assert np.median(ratios) < 12  # nor is the cut put out of reach to be safe


def test_more_background_gives_a_lower_cut_at_the_same_confidence() -> None:
    cuts = [
        np.mean(
            [sure_level(fit_tail(peaks_of(0.0, 2 * hours, s), 0.0, hours), 0.2) for s in range(20)]
        )
        for hours in (12, 100, 1000)
    ]
    assert cuts == sorted(cuts, reverse=True)
    assert cuts[-1] == pytest.approx(math.log(2.0 / 0.2), rel=0.2)


def test_the_sure_rate_at_the_sure_level_is_the_budget() -> None:
    tail = fit_tail(peaks_of(0.1, 60, 5), 0.0, 30.0)
    assert sure_rate(tail, sure_level(tail, 0.5)) == pytest.approx(0.5, rel=0.02)


def test_quiet_hours_vouch_for_three_events_in_as_many_hours_and_no_less() -> None:
    assert least_promise(10) == pytest.approx(0.2996, abs=1e-3)
    assert least_promise(0) == math.inf
    silent = fit_tail(np.zeros(0), 1.0, 10.0)
    assert sure_level(silent, 0.01) >= 1.0


@given(
    st.lists(st.floats(0, 10), max_size=80),
    st.floats(0.01, 1000),
    st.floats(0.001, 100),
    st.floats(0.001, 100),
)
def test_levels_are_finite_above_the_threshold_and_rise_as_the_budget_falls(
    excess: list[float], hours: float, one: float, other: float
) -> None:
    tail = fit_tail(2.0 + np.array(excess), 2.0, hours)
    low, high = sorted((one, other))
    assert 2.0 <= sure_level(tail, high) <= sure_level(tail, low) < math.inf


@given(st.integers(1, 100), st.integers(0, 9))
def test_the_same_peaks_in_any_order_give_the_same_level(n: int, seed: int) -> None:
    peaks = peaks_of(0.1, n, seed)
    mixed = np.random.default_rng(seed).permutation(peaks)
    one, other = (sure_level(fit_tail(p, 0.0, 5.0), 0.1) for p in (peaks, mixed))
    assert one == pytest.approx(other, rel=1e-9)


def test_below_the_threshold_nothing_was_counted() -> None:
    tail = Tail(1.0, 2.0, 1.0, 0.0, 20, 10.0)
    assert tail.rate(0.999) == math.inf
    assert tail.rate(1.0) == 2.0
