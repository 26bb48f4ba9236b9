"""Which events a series of scores would have raised, at any cut: what a budget counts.

Alarms are events after the rule (hysteresis, N of M windows, minimum length, cooldown), not
windows: one slam of a door raises three windows and one alarm.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bindstream.config.query import SILENCE_S

Levels = NDArray[np.float64]
Times = NDArray[np.int64]

SILENCE_NS = round(SILENCE_S * 1e9)
"""A stream silent for this long is another stretch: no event goes on across it."""
PEAKS_MOST = 160
"""Critical levels that are looked for, from the top: a tail is fitted to fewer."""
STEPS = 24
"""Cuts between one count of events and twice as many."""


@dataclass(frozen=True)
class Shape:
    """What an event has to be, apart from how high: the rule without its cut.

    Args:
        hysteresis: an event goes on down to so far below the cut, in units of the score.
        needed, of: it starts when `needed` of the last `of` windows reach the cut.
        least_ns: shortest event announced, from the start of its first window to the end of its
            last.
        cooldown_ns: after the end of an announced event none starts for so long.
        most_ns: it ends after so long, 0 for never.
    """

    hysteresis: float = 0.0
    needed: int = 1
    of: int = 1
    least_ns: int = 0
    cooldown_ns: int = 0
    most_ns: int = 0


@dataclass(frozen=True)
class Series:
    """Scores of one query on one stream, oldest first; windows [start, end) in UTC ns.

    A window whose vector stood for later ones too is given once, and ends with the last of them.
    """

    values: Levels
    starts_ns: Times
    ends_ns: Times

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def silent(self) -> NDArray[np.bool_]:
        """(n - 1,): whether there is a silence after a window."""
        return np.asarray(self.starts_ns[1:] - self.ends_ns[:-1] >= SILENCE_NS)

    @property
    def hours(self) -> float:
        """Time observed: what at least one window covers."""
        if not len(self):
            return 0.0
        before = np.maximum.accumulate(self.ends_ns)[:-1]
        begins = np.maximum(self.starts_ns, np.append(self.starts_ns[:1], before))
        return float(np.maximum(self.ends_ns - begins, 0).sum()) / 3.6e12


@dataclass(frozen=True)
class Events:
    """Events announced at one cut: (n,) indices of their first and last windows, and their tops."""

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    tops: Levels

    def __len__(self) -> int:
        return len(self.first)


def events(series: Series, cut: float, shape: Shape) -> Events:
    """The events that the rule would have announced at `cut`."""
    reached = np.flatnonzero(series.values >= cut)
    starts = _starts(series, reached, shape)
    stops = _stops(series, cut - shape.hysteresis)
    found: list[tuple[int, int]] = []
    free, quiet_ns, k = 0, np.iinfo(np.int64).min, 0
    while k < len(starts):
        first, at = starts[k]
        if first < free or series.starts_ns[first] < quiet_ns:
            k += 1
            continue
        stop = int(stops[np.searchsorted(stops, at)])  # the last window of this event
        if shape.most_ns:
            limit = series.starts_ns[first] + shape.most_ns
            stop = max(min(stop, int(np.searchsorted(series.ends_ns, limit, "right")) - 1), at)
        free = stop + 1
        if series.ends_ns[stop] - series.starts_ns[first] >= shape.least_ns:
            found.append((first, stop))
            quiet_ns = int(series.ends_ns[stop]) + shape.cooldown_ns
        k += 1
    bounds = np.array(found, np.int64).reshape(-1, 2)
    tops = np.array([series.values[a : b + 1].max() for a, b in found])
    return Events(bounds[:, 0], bounds[:, 1], tops)


def _starts(series: Series, reached: NDArray[np.int64], shape: Shape) -> list[tuple[int, int]]:
    """(first window, window at which it starts) of whatever could start an event."""
    if len(reached) < shape.needed:
        return []
    first, at = reached[: len(reached) - shape.needed + 1], reached[shape.needed - 1 :]
    near = at - first < shape.of
    if shape.needed > 1:
        stretch = np.concatenate(([0], np.cumsum(series.silent)))
        near &= stretch[first] == stretch[at]
    return list(zip(first[near].tolist(), at[near].tolist(), strict=True))


def _stops(series: Series, off: float) -> NDArray[np.int64]:
    """Windows after which no event goes on: the next is below `off`, or there is a silence."""
    below = series.values[1:] < off
    return np.append(np.flatnonzero(below | series.silent), len(series) - 1)


def critical_levels(series: Series, threshold: float, shape: Shape) -> Levels:
    """The highest cut at which a first, a second, a third event would still be announced.

    Descending, (n,), all above `threshold`. These are the background's peaks as the rule sees them,
    for which a tail is fitted.
    """
    high = np.sort(series.values[series.values > threshold])[::-1]
    found: list[float] = []
    place, step = 0, 1.0
    while place < len(high) and len(found) < PEAKS_MOST:
        cut = float(high[place])
        # At lower cuts events flow together: what counts is that so many were announced at some
        # cut as high.
        found += [cut] * (len(events(series, cut, shape)) - len(found))
        # The top scores are tried one by one, then ever fewer of those that lie close.
        step = max(step, place / STEPS)
        place += round(step)
    return np.asarray(found, np.float64)
