"""What is like a rejected event has to stand out by more; what is unlike it, by no more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindstream.budget.rejected import (
    ALIKE,
    UNLIKE,
    USUAL_MOST,
    USUAL_UNKNOWN,
    Judged,
    Rejected,
    raised,
    usual,
)

EVENT, OTHER = np.eye(2, 8, dtype=np.float32)


def rejected(z: float = 9.0, vector: np.ndarray = EVENT, usually: float = 0.2) -> Rejected:
    return Rejected(0, 2, vector, usually, z)


def at(cosine: float) -> np.ndarray:
    """A vector of such a cosine to the event's, (1, dim)."""
    return (cosine * EVENT + np.sqrt(1 - cosine**2) * OTHER)[None].astype(np.float32)


def like(likeness: float, usually: float = 0.2) -> np.ndarray:
    return at(usually + likeness * (1 - usually))


def test_the_same_again_needs_as_much_more_as_it_had_and_the_usual_no_more() -> None:
    assert raised([rejected()], at(1.0)) == pytest.approx([9.0])
    assert raised([rejected()], like(ALIKE + 0.01)) == pytest.approx([9.0])
    assert raised([rejected()], at(0.2)) == 0
    assert raised([rejected()], OTHER[None]) == 0
    assert raised([rejected()], like(UNLIKE - 0.01)) == 0
    assert raised([], at(1.0)) == 0


def test_of_several_the_one_that_asks_for_most_counts() -> None:
    two = [rejected(9), rejected(4, OTHER)]
    assert raised(two, np.stack([EVENT, OTHER])) == pytest.approx([9, 4])


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(-0.5, USUAL_MOST))
def test_more_likeness_never_asks_for_less(a: float, b: float, usually: float) -> None:
    low, high = (raised([rejected(usually=usually)], at(c))[0] for c in sorted((a, b)))
    assert 0 <= low <= high + 1e-6 <= 9 + 1e-5


def test_what_is_usual_lies_above_nearly_all_of_a_stream() -> None:
    rng = np.random.default_rng(0)
    cosines = rng.normal(0.3, 0.1, 4000)
    assert np.mean(cosines > usual(cosines)) < 0.01
    assert usual(cosines) < 0.7
    assert usual(np.full(50, 0.99)) == USUAL_MOST
    assert usual(np.zeros(0)) == USUAL_UNKNOWN


def test_a_sound_that_comes_back_now_and_then_does_not_become_usual() -> None:
    rng = np.random.default_rng(1)
    cosines = rng.normal(0.1, 0.05, 4000)
    assert usual(np.where(np.arange(4000) % 5 == 0, 0.97, cosines)) < 0.4


def test_the_intervals_of_rejected_events_are_known() -> None:
    assert Judged(((5, 9),), (rejected(),)).false == [(0, 2)]
