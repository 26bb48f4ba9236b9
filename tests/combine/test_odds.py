"""Evidence: the calibration of p-values, its bounds, and what several amount to."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindstream.combine.odds import LEAST, MOST, any_of, chance, evidence, log_odds
from bindstream.rules import Level
from tests.combine.made import LEVEL, score, window

NAN = math.nan
OF = window("mic", 0)


@pytest.mark.parametrize(
    ("p", "odds"), [(0.05, 2.46), (0.01, 7.99), (0.001, 53.3)]
)  # table 1 of Sellke, Bayarri & Berger states 1 / odds as .407, .125, .0188
def test_the_calibration_is_the_published_one(p: float, odds: float) -> None:
    assert math.exp(log_odds(p)) == pytest.approx(odds, rel=0.005)


def test_what_the_background_shows_often_is_no_evidence() -> None:
    assert log_odds(1 / math.e) == 0
    assert log_odds(1) == 0
    assert log_odds(0.3678) == pytest.approx(0, abs=1e-6)


def test_evidence_is_bounded() -> None:
    assert log_odds(0) == log_odds(1e-300) == MOST


@given(st.floats(0, 1), st.floats(0, 1))
def test_what_is_rarer_is_never_less_evidence(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert log_odds(low) >= log_odds(high) >= 0


def test_the_chance_of_a_rate_within_a_time() -> None:
    assert chance(3600, 1) == pytest.approx(1 - 1 / math.e)
    assert chance(0.2, 10) == pytest.approx(0.2 / 360, rel=1e-3)
    assert chance(math.inf, 10) == 1
    assert chance(0, 10) == 0


def test_a_score_counts_by_how_often_its_background_reaches_so_high() -> None:
    strong, weak, usual = (evidence(score("q", OF, r), LEVEL, 0.2, 10) for r in (0.1, 10, 60))
    assert strong > weak >= LEAST
    assert usual == 0


def test_while_the_background_is_not_known_a_reached_level_counts_as_the_budget() -> None:
    reached = evidence(score("q", OF, NAN, z=5), LEVEL, 0.2, 10)
    assert reached == log_odds(chance(0.2, 10))
    assert evidence(score("q", OF, NAN, z=4.9), LEVEL, 0.2, 10) == 0
    assert evidence(score("q", OF, NAN, z=9, share=0.1), Level(5, 3, 0.3), 0.2, 10) == 0
    assert evidence(score("q", OF, NAN, z=NAN), LEVEL, 0.2, 10) == 0


def test_one_of_several_is_worth_less_than_it_alone_and_two_more_than_one() -> None:
    assert any_of([5.0]) == 5
    assert any_of([5.0, 0, 0]) < 5
    assert any_of([5.0, 5.0, 0]) > any_of([5.0, 0, 0])
    assert any_of([5.0, 5.0]) == 5
