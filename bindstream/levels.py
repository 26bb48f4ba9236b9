"""The level that a query's windows have to reach, from what can be promised of it."""

from __future__ import annotations

from bindstream.budget.events import Shape
from bindstream.budget.promise import Promise
from bindstream.budget.tail import FEWEST
from bindstream.config import QueryConfig
from bindstream.rules import Level


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
    on = max(query.on, made.tail.level(query.budget))
    return Level(on, on - apart, query.share, str(made))
