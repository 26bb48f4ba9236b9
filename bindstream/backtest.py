"""What a query or a rule would have done on what streams gave: its level, its events, what just
missed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bindstream.budget.events import Levels, Series, Shape, Times, critical_levels, events
from bindstream.budget.heard import Heard, Piece
from bindstream.budget.promise import CANDIDATES, Promise, promise
from bindstream.budget.rejected import Judged
from bindstream.calibration import Backgrounds
from bindstream.combine.drawn import DrawnLevel
from bindstream.combine.past import Past
from bindstream.combine.recalled import Stretch, evidence_of, recalled
from bindstream.config.rule import CombinedRule
from bindstream.levels import drawn, shape_of
from bindstream.matcher import Matcher, Query, Values, Vectors, shares
from bindstream.novelty import Novelty
from bindstream.records import ModalityName, Part

NEAR = 0.8
"""What reaches so much of the cut, and not the cut, just missed."""


@dataclass(frozen=True)
class Event:
    """[start_ns, end_ns) in UTC ns and the highest z; of a rule the highest evidence, and what that
    was made of."""

    start_ns: int
    end_ns: int
    top: float
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Tried:
    """A query tried on what a stream gave, or a rule on what all of its streams gave (`stream` is
    "" and `measure` "log_odds").

    Args:
        levels: cuts at which a first, a second, … event would have been announced, descending.
        found: what would have been announced at the promise's cut.
        near: what would have been at `NEAR` of it, and was not.
    """

    stream: str
    series: Series
    promise: Promise
    levels: Levels
    found: tuple[Event, ...]
    near: tuple[Event, ...]
    measure: Literal["z", "log_odds"] = "z"

    @property
    def per_hour(self) -> float:
        """Events an hour at the cut: false alarms, if nothing of the kind happened."""
        return len(self.found) / self.series.hours if len(self.series) else 0.0


def backtest(
    query: Query,
    background: Vectors,
    stream: str,
    pieces: Iterable[Piece],
    confirmed: Sequence[tuple[int, int]] = (),
) -> Tried:
    """Tries a query on what a stream gave, as a watch would have scored it.

    Args:
        background: text vectors (n, dim) of what else its modality may show.
        pieces: starts and ends (n,) in UTC ns and vectors (n, dim) float32 of computed windows,
            oldest first; a window that was reused prolongs the one before it.
        confirmed: intervals [start, end) in UTC ns of events that were true.
    """
    scored = _scored(query, background, pieces)
    shape, series = shape_of(query.config), scored.series
    made = promise(series, shape, query.config.budget, confirmed)
    threshold = float(np.quantile(series.values, CANDIDATES)) if len(series) else 0.0
    levels = critical_levels(series, threshold, shape)
    return Tried(stream, series, made, levels, *_found(series, made.cut, shape))


def past_of(
    query: Query,
    background: Vectors,
    stream: str,
    modality: ModalityName,
    pieces: Iterable[Piece],
) -> Past | None:
    """What a query of a rule makes of what a stream gave, as `backtest`; None if that is too little
    to say anything."""
    scored = _scored(query, background, pieces)
    if not len(scored.series):
        return None
    made, level = drawn(query.config, scored.series, Judged())
    of, budget = query.config.id, query.config.budget
    times = scored.starts_ns, scored.ends_ns
    return Past(of, budget, stream, modality, *times, scored.z, scored.shares, made.tail, level)


def backtest_rule(rule: CombinedRule, pasts: Sequence[Past]) -> Tried | None:
    """Tries a rule on what its queries made of what their streams gave; None if they were not
    watched together for long enough to draw a level."""
    level, stretches = DrawnLevel(rule), list(evidence_of(rule, pasts))
    background = recalled(stretches)
    level.recall(background)
    if level.made is None:
        return None
    series, shape = background.series(), shape_of(level.query)
    made = dataclasses.replace(level.made, cut=max(level.made.cut, level.least))
    levels = critical_levels(series, level.least, shape)
    found, near = (
        tuple(_with_parts(event, stretches) for event in some)
        for some in _found(series, made.cut, shape)
    )
    return Tried("", series, made, levels, found, near, "log_odds")


def _with_parts(event: Event, stretches: Sequence[Stretch]) -> Event:
    inside = (s for s in stretches if s.start_ns < event.end_ns and event.start_ns < s.end_ns)
    return dataclasses.replace(event, parts=max(inside, key=lambda s: s.sum.value).sum.parts)


@dataclass(frozen=True)
class _Scored:
    """Computed windows (n,) of a stream, what a query made of them, and that as a series."""

    starts_ns: Times
    ends_ns: Times
    z: Values
    shares: Values

    @property
    def series(self) -> Series:
        known = np.isfinite(self.z)  # not so in the warm-up
        values = self.z[known].astype(np.float64)
        return Series(values, self.starts_ns[known], self.ends_ns[known])


def _scored(query: Query, background: Vectors, pieces: Iterable[Piece]) -> _Scored:
    matcher, line = Matcher([query], background), Backgrounds(np.array([query.config.off]))
    novelty = Novelty()
    if query.config.unusual:
        pieces, heard = list(pieces), Heard(len(query.positive))
        heard.extend(pieces)
        novelty.draw(heard)
    starts, ends = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    z, likely = [np.zeros(0, np.float32)], [np.zeros(0, np.float32)]
    for begins, finishes, vectors in pieces:
        starts.append(begins)
        ends.append(finishes)
        values = matcher.push(vectors)[1]
        if query.config.unusual:
            values = 1 - novelty.push(vectors, begins)[:, None]
        z.append(line.push_all(values)[:, 0])
        likely.append(np.where(matcher.has_contrast, shares(values), np.float32(1))[:, 0])
    concatenate = np.concatenate
    return _Scored(concatenate(starts), concatenate(ends), concatenate(z), concatenate(likely))


def _found(series: Series, cut: float, shape: Shape) -> tuple[tuple[Event, ...], tuple[Event, ...]]:
    """What would have been announced at the cut, and what just missed it."""
    found = _events(series, cut, shape)
    near = [
        one
        for one in _events(series, NEAR * cut, shape)
        if not any(one.start_ns < f.end_ns and f.start_ns < one.end_ns for f in found)
    ]
    return tuple(found), tuple(near)


def _events(series: Series, cut: float, shape: Shape) -> list[Event]:
    found = events(series, cut, shape) if len(series) else None
    if found is None:
        return []
    return [
        Event(int(series.starts_ns[first]), int(series.ends_ns[last]), float(top))
        for first, last, top in zip(found.first, found.last, found.tops, strict=True)
    ]
