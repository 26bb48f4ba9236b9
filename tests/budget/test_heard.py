"""What a stream gave of late: the window at a moment, and some of all others."""

from __future__ import annotations

import numpy as np
import pytest

from bindstream.budget.heard import BYTES_MOST, FIRST, Heard
from bindstream.records import Embedding

S = 1_000_000_000


@pytest.fixture
def heard() -> Heard:
    """Windows of 2 s, one a second; the first number of each vector is its second / 1024."""
    starts = np.arange(100) * S
    vectors = np.zeros((100, 4), np.float32)
    vectors[:, 0] = np.arange(100) / 1024
    ring = Heard(4)
    ring.extend([(starts, starts + 2 * S, vectors)])
    return ring


def second(vector: np.ndarray | None) -> int | None:
    return None if vector is None else round(float(vector[0]) * 1024)


def test_the_window_around_a_moment_is_found(heard: Heard) -> None:
    assert second(heard.at(41 * S)) == 40  # the middle of 40 s to 42 s
    assert second(heard.at(41 * S + S // 4)) == 40
    assert second(heard.at(0)) == 0
    assert second(heard.at(200 * S)) is None
    assert second(heard.at(-1)) is None


def test_others_are_spread_over_all_that_does_not_touch_an_interval(heard: Heard) -> None:
    all_others = [second(v) for v in heard.some(1000, but=(40 * S, 50 * S))]
    assert all_others == [*range(39), *range(50, 100)]
    few = [second(v) for v in heard.some(10, but=(40 * S, 50 * S))]
    assert len(few) <= 10
    assert (few[0], few[-1]) > (-1, 80)
    assert len(heard.some(10, but=(-S, 300 * S))) == 0
    assert Heard(4).some(10, but=(0, 1)).shape == (0, 4)


def test_once_it_is_full_the_oldest_goes() -> None:
    ring = Heard(BYTES_MOST // (2 * FIRST))  # room for as many as at first
    starts = np.arange(FIRST + 1) * S
    ring.extend([(starts[:FIRST], starts[:FIRST] + 2 * S, np.zeros((FIRST, 1), np.float32))])
    assert ring.is_full
    assert ring.at(S // 2) is not None
    ring.extend([(starts[FIRST:], starts[FIRST:] + 2 * S, np.zeros((1, 1), np.float32))])
    assert (len(ring), ring.total, ring.is_full) == (FIRST, FIRST + 1, True)
    assert ring.at(S // 2) is None


def heard_at(ring: Heard, start_s: float, number: int) -> bool:
    vector = np.full(4, number / 1024, np.float32)
    start_ns = round(start_s * S)
    return ring.push(Embedding("mic", "audio", number, start_ns, start_ns + 2 * S, vector, "m1"))


def test_a_window_that_comes_late_is_left_out(heard: Heard) -> None:
    assert not heard_at(heard, 97, 500)
    assert (len(heard), heard.total) == (100, 100)


def test_after_a_clock_was_set_back_the_stream_is_heard_at_once(heard: Heard) -> None:
    taken = [heard_at(heard, 40 + i, 200 + i) for i in range(5)]
    assert all(taken)
    starts, ends = heard.times()
    assert (starts[-5:] == np.arange(40, 45) * S).all()
    assert (np.diff(starts) > 0).all()
    assert (np.diff(ends) > 0).all()
    assert (np.diff(starts[:100]) == S).all()
    assert ends[99] == 40 * S
    assert second(heard.at(41 * S + S // 4)) == 200
