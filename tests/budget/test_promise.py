"""Promises: cuts that keep a budget on backgrounds never seen, and what is said before they can."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from bindstream.budget.events import Series, Shape, events
from bindstream.budget.promise import background_tail, per_hour, promise

S = 1_000_000_000
SHAPE = Shape(hysteresis=0.5, cooldown_ns=10 * S)


def background(hours: float, seed: int, heavy: bool = False) -> Series:
    """Scores a second that follow one another, now and then burst, as those of a real room do."""
    rng = np.random.default_rng(seed)
    n = int(hours * 3600)
    values = lfilter([0.6], [1, -0.8], rng.standard_normal(n))
    if heavy:
        values = values * np.exp(0.3 * lfilter([0.05], [1, -0.95], rng.standard_normal(n)) / 0.16)
    starts = np.arange(n) * S
    return Series(values, starts, starts + 2 * S)


@pytest.mark.parametrize("heavy", [False, True])
def test_realised_false_alarms_stay_within_the_budget_on_backgrounds_never_seen(
    heavy: bool,
) -> None:
    """16 h are learned from, 40 h counted in, for 24 streams."""
    budget, counts = 0.5, []
    for seed in range(24):
        made = promise(background(16, seed, heavy), SHAPE, budget)
        assert made.is_kept
        counts.append(len(events(background(40, 1000 + seed, heavy), made.cut, SHAPE)) / 40)
    within = np.mean(np.array(counts) <= 2 * budget)
    assert within >= 0.9
    assert np.mean(counts) <= budget
    assert np.mean(counts) > 0.02 * budget


def test_too_little_background_says_what_can_be_promised_now_and_when_the_rest() -> None:
    made = promise(background(5, 1), SHAPE, 0.2)
    assert not made.is_kept
    assert made.sure == pytest.approx(3.0 / 5, rel=0.01)
    assert made.missing_hours == pytest.approx(10, rel=0.01)
    assert "cannot promise below 0.6 an hour yet" in str(made)
    assert promise(background(16, 1), SHAPE, 0.2).is_kept


def test_what_no_memory_is_long_enough_for_is_never_said_to_come() -> None:
    heard = background(5, 1)
    said = str(promise(heard, SHAPE, 0.2, remembered_h=heard.hours))
    assert said.startswith("cannot promise below 0.6 an hour: 5.0 h heard")
    enough = promise(heard, SHAPE, 0.2, remembered_h=15.0)
    assert enough.missing_hours == pytest.approx(10, rel=0.01)
    assert promise(heard, SHAPE, 1.0, remembered_h=heard.hours).is_kept


def test_no_background_promises_nothing_and_raises_nothing() -> None:
    nothing = Series(np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int64))
    made = promise(nothing, SHAPE, 0.2)
    assert made.cut == np.inf
    assert "nothing can be promised yet" in str(made)


def test_a_few_true_events_in_the_background_do_not_lift_the_cut_above_themselves() -> None:
    quiet = background(20, 3)
    values = quiet.values.copy()
    for at in (9000, 30000, 61000):
        values[at : at + 4] = 14.0
    noisy = Series(values, quiet.starts_ns, quiet.ends_ns)
    clean, found = promise(quiet, SHAPE, 0.2), promise(noisy, SHAPE, 0.2)
    assert found.left_out == 3
    assert found.cut == pytest.approx(clean.cut, rel=0.15)
    assert found.cut < 14


def test_what_a_user_confirmed_is_no_background() -> None:
    quiet = background(20, 4)
    values = quiet.values.copy()
    spans = []
    for at in range(5000, 60000, 2500):  # too many to be told from the background by themselves
        values[at : at + 4] = 9.0
        spans.append((int(quiet.starts_ns[at - 2]), int(quiet.ends_ns[at + 4])))
    noisy = Series(values, quiet.starts_ns, quiet.ends_ns)
    assert promise(noisy, SHAPE, 0.2).cut > 9
    assert promise(noisy, SHAPE, 0.2, spans).cut < 9


def test_a_heavy_but_steady_background_keeps_its_peaks() -> None:
    rng = np.random.default_rng(0)
    peaks = np.sort((rng.uniform(size=200) ** -0.15 - 1) / 0.15)[::-1]
    assert background_tail(peaks, 0.0, 50.0)[1] <= 1


def test_a_lower_budget_never_lowers_the_cut() -> None:
    heard = background(30, 5)
    cuts = [promise(heard, SHAPE, budget).cut for budget in (5.0, 1.0, 0.2, 0.05)]
    assert cuts == sorted(cuts)


def test_what_a_user_rejected_is_background_however_high_it_stands() -> None:
    quiet = background(20, 3)
    values = quiet.values.copy()
    for at in (9000, 30000, 61000):
        values[at : at + 4] = 14.0
    noisy = Series(values, quiet.starts_ns, quiet.ends_ns)
    span = (int(quiet.starts_ns[30000]), int(quiet.ends_ns[30003]))
    taken, kept = promise(noisy, SHAPE, 0.2), promise(noisy, SHAPE, 0.2, rejected=[span])
    assert (taken.left_out, kept.left_out) == (3, 0)
    assert kept.cut > taken.cut
    # What stands higher still may be a true event all the same.
    values[45000:45004] = 20.0
    assert promise(noisy, SHAPE, 0.2, rejected=[span]).left_out <= 1
    assert promise(noisy, SHAPE, 0.2, rejected=[(0, 1)]).left_out == 4


def test_a_sound_played_four_times_in_the_first_minutes_leaves_no_query_deaf() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(0, 1, 480)
    for at in (60, 180, 300, 420):
        values[at : at + 8] = rng.normal(24, 1, 8)
    starts = np.arange(480, dtype=np.int64) * 10**9
    made = promise(Series(values, starts, starts + 2 * 10**9), Shape(hysteresis=1.5), 1 / 24)
    assert made.left_out >= 4  # one of them may count as two
    assert made.tail.level(1 / 24) < 20
    assert f"less {made.left_out} taken for true" in str(made)


@pytest.mark.parametrize(
    ("rate", "said"),
    [(213, "213 an hour"), (0.2, "0.2 an hour"), (3 / 24, "3 a day"), (1 / 168, "1 a week")],
)
def test_rates_are_said_as_people_say_them(rate: float, said: str) -> None:
    assert per_hour(rate) == said
