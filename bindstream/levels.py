"""The level that a query's windows have to reach, from what can be promised of it."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from bindstream.budget.events import Series, Shape
from bindstream.budget.promise import Promise, promise
from bindstream.budget.rejected import Judged
from bindstream.budget.tail import FEWEST
from bindstream.config import QueryConfig
from bindstream.rules import Level

DAY_NS = 24 * 3_600_000_000_000
AROUND_NS = 3 * 3_600_000_000_000
"""What was heard so long before and after the same time of day tells how lively it is then."""
BEYOND = 1.5
"""Until more is known a level is at most so many times the highest peak that was heard: few peaks
say little of how far a tail goes, and a level that nothing reaches would be silence."""
DAY_HEARD_H = 18.0
"""Hours of background below which nothing is said of times of day."""


def shape_of(query: QueryConfig) -> Shape:
    """What an event of this query has to be, apart from how high."""
    return Shape(
        hysteresis=query.on - query.off,
        needed=query.needed,
        of=query.of,
        least_ns=round(query.min_length_s * 1e9),
        cooldown_ns=round(query.cooldown_s * 1e9),
        most_ns=round(query.max_length_s * 1e9),
    )


def drawn(
    query: QueryConfig, series: Series, judged: Judged, remembered_h: float = math.inf
) -> tuple[Promise, Level]:
    """What can be promised on the background `series`, and the level that holds after it.

    Where a day is known, the level of a time of day that is livelier than others is raised to what
    the budget takes then: false alarms of a whole day are not to come in its liveliest hours.

    Args:
        remembered_h: hours of background that there will be at most.
    """
    shape = shape_of(query)
    made = promise(series, shape, query.budget, judged.confirmed, judged.false, remembered_h)
    level = level_from(query, made)
    if series.hours < DAY_HEARD_H:
        return made, level
    now = promise(_same_time(series), shape, query.budget, judged.confirmed, judged.false).tail
    if now.peaks < FEWEST:
        return made, level
    up = max(now.level(query.budget) - level.on, 0.0)
    return made, dataclasses.replace(level, on=level.on + up, off=level.off + up)


def _same_time(series: Series) -> Series:
    """The windows around the time of day at which the series ends."""
    apart = (series.ends_ns - series.ends_ns[-1]) % DAY_NS
    near = np.minimum(apart, DAY_NS - apart) <= AROUND_NS
    return Series(series.values[near], series.starts_ns[near], series.ends_ns[near])


def level_from(query: QueryConfig, made: Promise) -> Level:
    """The level that holds, from what can be promised.

    Once the budget can be promised, the level that keeps it. Until then the likeliest level for
    it, not below the one that the query starts with.
    """
    apart = query.on - query.off
    if made.is_kept:
        return Level(made.cut, made.cut - apart, promise=str(made))
    if made.tail.peaks < FEWEST:
        return Level(query.on, query.off, query.share, str(made))
    likely, highest = made.tail.level(query.budget), float(made.tail.counted.max(initial=query.on))
    on = max(query.on, min(likely, BEYOND * highest))
    return Level(on, on - apart, query.share, str(made))
