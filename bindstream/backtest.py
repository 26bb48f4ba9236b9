"""What a query would have done on what a stream gave: its level, its events, what just missed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from bindstream.budget.events import Levels, Series, Shape, critical_levels, events
from bindstream.budget.heard import Heard, Piece
from bindstream.budget.promise import CANDIDATES, Promise, promise
from bindstream.calibration import Backgrounds
from bindstream.levels import shape_of
from bindstream.matcher import Matcher, Query, Vectors
from bindstream.novelty import Novelty

NEAR = 0.8
"""What reaches so much of the cut, and not the cut, just missed."""


@dataclass(frozen=True)
class Event:
    """[start_ns, end_ns) in UTC ns and the highest z."""

    start_ns: int
    end_ns: int
    top: float


@dataclass(frozen=True)
class Tried:
    """A query tried on what a stream gave.

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
    matcher, line = Matcher([query], background), Backgrounds(np.array([query.config.off]))
    novelty = Novelty()
    if query.config.unusual:
        pieces, heard = list(pieces), Heard(len(query.positive))
        heard.extend(pieces)
        novelty.draw(heard)
    starts, ends, z = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0)]
    for begins, finishes, vectors in pieces:
        starts.append(begins)
        ends.append(finishes)
        values = matcher.push(vectors)[1]
        if query.config.unusual:
            values = 1 - novelty.push(vectors, begins)[:, None]
        z.append(line.push_all(values)[:, 0].astype(np.float64))
    every = np.concatenate(z)
    known = np.isfinite(every)  # not so in the warm-up
    series = Series(every[known], np.concatenate(starts)[known], np.concatenate(ends)[known])
    shape = shape_of(query.config)
    made = promise(series, shape, query.config.budget, confirmed)
    threshold = float(np.quantile(series.values, CANDIDATES)) if len(series) else 0.0
    found = _events(series, made.cut, shape)
    near = [
        one
        for one in _events(series, NEAR * made.cut, shape)
        if not any(one.start_ns < f.end_ns and f.start_ns < one.end_ns for f in found)
    ]
    levels = critical_levels(series, threshold, shape)
    return Tried(stream, series, made, levels, tuple(found), tuple(near))


def _events(series: Series, cut: float, shape: Shape) -> list[Event]:
    found = events(series, cut, shape) if len(series) else None
    if found is None:
        return []
    return [
        Event(int(series.starts_ns[first]), int(series.ends_ns[last]), float(top))
        for first, last, top in zip(found.first, found.last, found.tops, strict=True)
    ]
