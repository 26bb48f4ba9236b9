"""Calibration: what counts as unusual on a stream, and that it cannot be fooled or forgets."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindstream.calibration import (
    LASTING,
    LASTING_EVENT,
    LEVEL_MEMORY,
    MEMORY,
    SIGMA_LEAST,
    SIGMA_UNKNOWN,
    WARM_UP,
    Backgrounds,
)

OFF = 3.0


class Background:
    """One line alone."""

    def __init__(self, off: float) -> None:
        self.lines = Backgrounds(np.array([off]))

    def push(self, value: float, *, repeated: bool = False) -> float:
        return float(self.lines.push(np.array([value]), repeated=repeated)[0])

    def z(self, value: float) -> float:
        return float(self.lines.z(np.array([value]))[0])

    @property
    def ready(self) -> bool:
        return bool(self.lines.ready[0])


def usual(n: int, seed: int = 0, *, at: float = 0.1, spread: float = 0.05) -> list[float]:
    return np.random.default_rng(seed).normal(at, spread, n).tolist()


def learned(values: list[float]) -> Background:
    background = Background(OFF)
    for value in values:
        background.push(value)
    return background


def test_nothing_is_said_until_the_background_is_known() -> None:
    background = Background(OFF)
    said = [background.push(v) for v in usual(WARM_UP + 3)]
    assert all(math.isnan(z) for z in said[:WARM_UP])
    assert all(math.isfinite(z) for z in said[WARM_UP:])
    assert background.ready


def test_z_counts_standard_deviations_above_the_usual() -> None:
    background = learned(usual(800))
    for sigmas in (-2.0, 0.0, 2.0, 6.0):
        assert background.z(0.1 + sigmas * 0.05) == pytest.approx(sigmas, abs=0.35)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 500), st.lists(st.floats(-1, 1), max_size=30))
def test_a_few_outliers_hardly_move_the_scale(seed: int, outliers: list[float]) -> None:
    values = usual(300, seed)
    mixed = values + outliers
    np.random.default_rng(seed).shuffle(mixed)
    # Neither learns anything above `off`, so outliers below are the ones that could do harm.
    assert learned(mixed).z(0.5) == pytest.approx(learned(values).z(0.5), rel=0.35)


def test_events_during_the_warm_up_do_not_hide_later_ones() -> None:
    quiet, event = usual(WARM_UP - 4), usual(4, 1, at=0.9)
    assert learned([*quiet, *event]).z(0.9) > 5


def test_an_event_is_not_learned_as_background() -> None:
    background = learned(usual(100))
    first = background.push(0.8)
    for _ in range(LASTING - 2):
        last = background.push(0.8)
    assert last == pytest.approx(first, rel=0.1)


def test_a_frozen_background_has_a_least_spread() -> None:
    background = learned([0.1] * 50)
    assert background.z(0.1) == pytest.approx(0, abs=1e-5)
    assert background.z(0.1 + SIGMA_LEAST) == pytest.approx(1)
    assert background.z(0.1 + SIGMA_LEAST / 2) < OFF


def test_a_level_that_lasts_becomes_the_background() -> None:
    background = learned(usual(100))
    said = [background.push(v) for v in usual(LASTING + 50, 2, at=0.8)]
    assert min(said[:LASTING]) > OFF
    assert max(said[LASTING:]) < OFF
    assert abs(float(np.mean(said[LASTING:]))) < 1


def test_events_that_come_again_and_again_are_never_taken_for_the_background() -> None:
    background = learned(usual(MEMORY))
    said = [background.push(v) for _ in range(30) for v in [*[0.8] * 40, *usual(20)]]
    assert min(said[-60:-20]) > OFF


def test_old_background_is_forgotten_in_some_hours() -> None:
    lines = Backgrounds(np.array([OFF]))
    lines.push_all(np.array(usual(MEMORY, 3, at=0.3))[:, None])
    lines.push_all(np.array(usual(3 * LEVEL_MEMORY, 4, at=0.1))[:, None])
    assert lines.z(np.array([0.1]))[0] == pytest.approx(0, abs=0.4)
    assert lines.z(np.array([0.3]))[0] > OFF


def test_what_grows_loud_lifts_the_level_at_once_and_a_quiet_while_does_not_lower_it() -> None:
    background = learned(usual(3000))
    quiet = [background.push(v) for v in usual(MEMORY, 1, at=0.0, spread=0.01)]
    assert np.mean(quiet[-50:]) < -1
    loud = [background.push(v) for v in usual(MEMORY, 2, at=0.18)]
    assert np.mean(loud[:20]) > 1
    assert abs(np.mean(loud[-20:])) < 0.5


def test_a_score_repeated_for_hours_leaves_the_spread_as_it_was() -> None:
    background = learned(usual(60))
    before = [background.z(v) for v in (0.0, 0.1, 0.2, 0.3)]
    for _ in range(3 * MEMORY):
        background.push(0.11, repeated=True)
    assert [background.z(v) for v in (0.0, 0.1, 0.2, 0.3)] == before
    # The first real noise is noise. Had the repeats been learned it would stand out as an event.
    assert max(background.push(v) for v in usual(50, 5)) < OFF
    learned_all = learned([*usual(60), *[0.11] * MEMORY])
    assert max(learned_all.z(v) for v in usual(50, 5)) > OFF


def test_repeats_make_the_warm_up_no_longer_but_the_spread_is_taken_as_wide() -> None:
    background = Background(OFF)
    assert math.isnan(background.push(0.1))
    for _ in range(WARM_UP - 1):
        assert math.isnan(background.push(0.1, repeated=True))
    assert background.ready
    assert background.z(0.1 + SIGMA_UNKNOWN) == pytest.approx(1)
    assert max(background.push(v) for v in usual(WARM_UP - 1, spread=0.03)) < OFF
    # Enough is known now: the spread is what it is.
    assert background.z(0.1 + SIGMA_UNKNOWN) > 1.2


def test_repeats_alone_teach_nothing() -> None:
    background = Background(OFF)
    for _ in range(3 * WARM_UP):
        assert math.isnan(background.push(0.1, repeated=True))
    assert not background.ready


def test_a_level_that_lasts_becomes_the_background_be_it_repeated_or_computed() -> None:
    background = learned(usual(100))
    begun = background.push(0.8)
    said = [background.push(0.8, repeated=True) for _ in range(LASTING)]
    assert said[:-1] == pytest.approx([begun] * (LASTING - 1), rel=0.1)
    assert begun > OFF
    assert said[-1] < OFF
    # New noise around the level is noise: repeats did not narrow the spread.
    assert max(background.push(v) for v in usual(50, 5, at=0.8)) < OFF


def real_room(n: int, q: int, seed: int) -> np.ndarray:
    """Values (n, q) that drift, with events now and then, one of which lasts."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 0.05, (n, q)) + 0.1 * np.sin(np.arange(n) / 300)[:, None]
    for start in range(50, n - 20, 170):
        values[start : start + rng.integers(1, 15), rng.integers(q)] += 0.6
    values[n // 2 : n // 2 + LASTING + 90, 0] += 0.7
    return values


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 5), st.integers(20, 1600))
def test_a_history_gives_the_z_that_the_same_windows_gave_live(seed: int, q: int, n: int) -> None:
    values = real_room(n, q, seed)
    live, later = Backgrounds(np.full(q, 1.5)), Backgrounds(np.full(q, 1.5))
    one_by_one = np.stack([live.push(row) for row in values])
    split = n // 3
    at_once = np.concatenate([later.push_all(values[:split]), later.push_all(values[split:])])
    assert np.array_equal(one_by_one, at_once, equal_nan=True)


def test_a_line_that_joins_brings_what_it_learned_and_leaves_the_others_alone() -> None:
    values = real_room(1300, 3, 4)
    together, alone, late = (Backgrounds(np.full(q, 1.5)) for q in (3, 2, 1))
    together.push_all(values[:1000])
    alone.push_all(values[:1000, :2])
    late.push_all(values[100:1000, 2:])  # it heard the last 900 alone
    alone.join([late])
    expected, found = together.push_all(values[1000:]), alone.push_all(values[1000:])
    assert np.array_equal(expected[:, :2], found[:, :2])
    assert np.allclose(expected[:, 2], found[:, 2], rtol=0.1, atol=0.6)
    kept = alone.z(values[0])[1:]
    alone.drop(0)
    assert len(alone) == 2
    assert np.array_equal(alone.z(values[0, 1:]), kept)


def test_the_first_lines_bring_all_that_they_remember() -> None:
    values = real_room(1300, 3, 4)
    always, first, late = (Backgrounds(np.full(q, 1.5)) for q in (3, 0, 3))
    expected = always.push_all(values)[1000:]
    late.push_all(values[:1000])
    first.join([late])
    assert np.array_equal(first.push_all(values[1000:]), expected)


def test_very_many_lines_are_learned_in_turns() -> None:
    values = np.random.default_rng(0).normal(0, 0.05, (MEMORY + 200, 500))
    many, few = Backgrounds(np.full(500, 3.0)), Backgrounds(np.full(4, 3.0))
    found, expected = many.push_all(values), few.push_all(values[:, -4:])
    assert np.allclose(found[-50:, -4:], expected[-50:], atol=0.5)
    assert many.nbytes / 500 < 4096


def test_a_quiet_quarter_of_an_hour_makes_no_events_of_trifles() -> None:
    background = learned(usual(4 * MEMORY))
    for value in usual(MEMORY, 7, spread=0.001):
        background.push(value)
    assert background.z(0.1 + 2 * 0.05) < OFF


def test_what_lasts_while_an_alert_is_on_is_no_background_for_an_hour() -> None:
    lines = Backgrounds(np.full(2, OFF))
    for value in usual(MEMORY):
        lines.push(np.full(2, value))
    alarm = usual(LASTING_EVENT + 2 * LASTING, 8, at=0.8)
    said = np.stack([lines.push(np.full(2, value), alarmed=(1,)) for value in alarm])
    assert np.mean(said[2 * LASTING : LASTING_EVENT, 0] < OFF) > 0.98
    assert (said[:LASTING_EVENT, 1] > OFF).all()
    assert np.mean(said[-LASTING // 2 :, 1] < OFF) > 0.98
