"""Levels: what can be promised decides, and lively times of day have their own."""

from __future__ import annotations

import numpy as np
import pytest

from bindstream.budget.events import Series
from bindstream.budget.rejected import Judged
from bindstream.config import QueryConfig
from bindstream.levels import drawn

HOUR_NS = 3_600_000_000_000
QUERY = QueryConfig(text=("a dog",), budget=1.0)


def day(ends_at_h: float, *, lively: tuple[float, float] | None, hours: float = 24) -> Series:
    """Background, one window a second, that ends at an hour of the day."""
    count = round(hours * 3600)
    ends = (
        round(ends_at_h * HOUR_NS)
        - np.arange(count, dtype=np.int64)[::-1] * 10**9
        + 10 * 24 * HOUR_NS
    )
    values = np.random.default_rng(0).normal(0, 1, count)
    if lively is not None:
        hour = ends / HOUR_NS % 24
        values[(hour >= lively[0]) & (hour < lively[1])] *= 2
    return Series(values, ends - 2 * 10**9, ends)


def test_a_lively_time_of_day_has_a_higher_level_than_a_quiet_one() -> None:
    noon, night = (drawn(QUERY, day(h, lively=(9, 17)), Judged())[1] for h in (13.0, 1.0))
    assert noon.on > night.on + 0.2
    assert noon.off - night.off == pytest.approx(noon.on - night.on, abs=1e-9)


def test_the_promise_is_that_of_the_whole_day() -> None:
    made, level = drawn(QUERY, day(13, lively=(9, 17)), Judged())
    assert made.is_kept
    assert level.on >= made.cut
    assert drawn(QUERY, day(1, lively=(9, 17)), Judged())[1].on == pytest.approx(made.cut, abs=0.3)


def test_of_less_than_a_day_no_time_is_told_from_another() -> None:
    made, level = drawn(QUERY, day(13, lively=(9, 17), hours=10), Judged())
    assert level.on == made.cut


def test_a_steady_day_has_one_level() -> None:
    levels = [drawn(QUERY, day(h, lively=None), Judged())[1].on for h in (1.0, 7.0, 13.0, 19.0)]
    assert max(levels) - min(levels) < 0.3


def test_too_little_background_starts_with_the_level_of_the_query() -> None:
    made, level = drawn(QUERY, day(13, lively=None, hours=0.03), Judged())
    assert (level.on, level.off, level.share) == (QUERY.on, QUERY.off, QUERY.share)
    assert not made.is_kept
