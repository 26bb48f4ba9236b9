"""Calibration: what a score means on this stream, from the stream's own background.

A score counts by how many standard deviations it stands above what the stream usually gives:
z = (value - level) / sigma, over windows in which nothing was going on. The level is the mean of
some hours, or the median of the last five minutes where that is higher: rain that sets in and rooms
that grow loud lift it at once, and after a quiet quarter of an hour not every trifle stands out.
The deviation is that of a whole day.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]

CLIPPED = 3.0
"""Deviations beyond so many sigmas count as so many: what stands out tells nothing of the rest."""
MEAN_TO_SIGMA = 1.2533
"""Makes the mean absolute deviation estimate the standard deviation of normal data: √(π/2)."""
MAD_TO_SIGMA = 1.4826
"""Makes the median absolute deviation estimate the standard deviation of normal data:
1 / Φ⁻¹(3/4)."""
WARM_UP = 12
"""Windows of background needed before anything is said."""
MEMORY = 300
"""Windows of background remembered: five minutes at one a second, where all are computed."""
LEVEL_MEMORY = 14_400
"""Windows of which the level is the mean: four hours at one a second."""
SCALE_MEMORY = 86_400
"""Windows of which the spread is the mean: a day at one a second."""
LASTING = 300
"""Windows in a row above `off` after which their scores are the background, repeated or not."""
LASTING_EVENT = 3600
"""The same while an alert is on: an alarm that sounds for an hour was no background until then."""
SIGMA_LEAST = 0.02
"""Least spread assumed, in cosine: a frozen or synthetic background has next to none, and any
change would then stand out without end."""
SIGMA_UNKNOWN = 0.05
"""Least spread assumed, in cosine, while fewer than `WARM_UP` scores are known because one vector
stood for many windows: nine in ten queries of the demonstration's house have less."""
HELD_BACK = np.float32(16)
"""Added to values that are remembered but not learned, being of an event; all lie within ±4."""
FRESH = 20
"""A level is taken anew once one in so many of the windows remembered is new,"""
EVERY = 50
"""and once the memory is full after so many windows."""
AT_ONCE = 32 * MEMORY
"""Values sorted a window, half a millisecond's work: levels of very many are taken in turns."""


class Backgrounds:
    """The background of many queries on one stream, side by side.

    Windows may come one by one, as they do live, or many at once, as they lie in a history: the
    same windows give the same z.

    Args:
        off: (q,) values with a z at or above this are events, and not learned as background unless
            they last for `LASTING` windows.
    """

    def __init__(self, off: Values) -> None:
        self._off = np.asarray(off, np.float32)
        q = len(self._off)
        self._ring = np.full((MEMORY, q), np.nan, np.float32)
        self._at = 0  # rows written so far, of which the ring holds the last
        self._repeats = 0
        self._next = 1  # rows after which levels are taken anew
        self._turn = q  # the line whose level is taken next
        self._median = np.full(q, np.nan, np.float32)  # of what is remembered
        self._mean = np.full(q, np.nan, np.float32)  # of such medians
        self._level = np.full(q, np.nan, np.float32)  # the higher of both
        self._sigma = np.full(q, np.nan, np.float32)
        self._weight = np.zeros(q, np.float32)  # windows that a spread is the mean of
        self._apart = np.zeros((2, q))  # since then: sum of deviations, and of how many windows
        self._run = np.zeros(q, np.int32)  # windows in a row above `off`

    def __len__(self) -> int:
        return len(self._off)

    @property
    def ready(self) -> NDArray[np.bool_]:
        """(q,): whether enough is known to say anything."""
        return np.asarray(np.isfinite(self._level))

    @property
    def nbytes(self) -> int:
        """Memory held."""
        arrays = (self._ring, *(getattr(self, name) for name in _PER_LINE))
        return sum(array.nbytes for array in arrays)

    def join(self, others: Sequence[Backgrounds]) -> None:
        """Lines that heard the same stream elsewhere, after those that there are."""
        every = (self, *others)
        at, self._next = max((each._at, each._next) for each in every)
        rolled = [np.roll(each._ring, at - each._at, axis=0) for each in every]
        self._ring, self._at = np.concatenate(rolled, axis=1), at
        for name in _PER_LINE:
            of_each = [getattr(each, name) for each in every]
            setattr(self, name, np.concatenate(of_each, axis=-1))
        self._turn = len(self)

    def drop(self, line: int) -> None:
        """One line fewer; those after it move up."""
        self._ring = np.delete(self._ring, line, axis=1)
        for name in _PER_LINE:
            setattr(self, name, np.delete(getattr(self, name), line, axis=-1))
        self._turn = len(self)

    def replace(self, line: int, other: Backgrounds) -> None:
        """A line learns anew what `other`, of one line, did."""
        self._ring[:, line] = np.roll(other._ring[:, 0], self._at - other._at)
        for name in _PER_LINE:
            getattr(self, name)[..., line] = getattr(other, name)[..., 0]
        self._turn = min(self._turn, line)

    def z(self, values: Values) -> Values:
        """z of values (…, q) against the background as it is; NaN while still warming up."""
        return np.asarray((values - self._level) / self._sigma, np.float32)

    def push(
        self, values: Values, *, repeated: bool = False, alarmed: Collection[int] = ()
    ) -> Values:
        """z of one window's values (q,) against the background before it; then learns them.

        Args:
            alarmed: lines with an alert on.
            repeated: these are the scores of a vector whose scores were pushed before. They move
                the level of what lasts, but never narrow the spread: the first score that is new
                would then stand out as an event.
        """
        z = self.z(values)
        above = np.asarray(z >= self._off)
        if repeated:
            if self._repeats < WARM_UP:
                self._repeats += 1
                self._turn = 0
        else:
            self._ring[self._at % MEMORY] = np.where(above, values + HELD_BACK, values)
            self._measure(z[None], above[None])
            self._advance(1)
        self._run = np.where(above, self._run + 1, 0)
        for line in np.flatnonzero(self._run >= LASTING).tolist():
            if line not in alarmed or self._run[line] >= LASTING_EVENT:
                self._accept(line, values[line])
        self._take_levels()
        return z

    def push_all(self, values: Values) -> Values:
        """z of many computed windows' values (n, q), oldest first: as `push` one after another."""
        found, start = np.empty(values.shape, np.float32), 0
        while start < len(values):
            part = values[start : start + max(self._next - self._at, 1)]
            z = self.z(part)
            above = np.asarray(z >= self._off)
            longest = self._run + len(part)
            if (longest >= LASTING).any() and self._lasting(above):
                found[start] = self.push(part[0])
                start += 1
                continue
            rows = np.arange(self._at, self._at + len(part)) % MEMORY
            self._ring[rows] = np.where(above, part + HELD_BACK, part)
            self._measure(z, above)
            self._run = _runs(self._run, above)[-1]
            self._advance(len(part))
            self._take_levels()
            found[start : start + len(part)] = z
            start += len(part)
        return found

    def _lasting(self, above: NDArray[np.bool_]) -> bool:
        """Whether windows (n, q) bring a line to `LASTING` in a row."""
        return bool((_runs(self._run, above) >= LASTING).any())

    def _measure(self, z: Values, above: NDArray[np.bool_]) -> None:
        """Takes in how far windows (n, q) that are no events lie from the level, in sigmas."""
        if self._weight.any():
            left_out = above | np.isnan(z)
            apart = np.fmin(np.abs(z), CLIPPED) * ~left_out
            self._apart[0] += apart.sum(0, np.float64)
            self._apart[1] += len(z) - left_out.sum(0)

    def _advance(self, rows: int) -> None:
        self._at += rows
        if self._at >= self._next and self._turn >= len(self):
            self._turn = 0
            rest = max(self._at // FRESH, 1) if self._at < MEMORY else EVERY
            self._next = self._at + rest

    def _accept(self, line: int, value: np.float32) -> None:
        """What a line was held back for has lasted so long that it is the background.

        Where one vector stood for many windows its `value` scatters as the background did.
        """
        self._at = max(self._at, LASTING)
        rows = np.arange(self._at - LASTING, self._at) % MEMORY
        known = self._ring[self._ring[:, line] < HELD_BACK / 2, line]
        scattered = value + np.resize(known - self._median[line], LASTING)
        held = self._ring[rows, line]
        self._ring[rows, line] = np.where(held > HELD_BACK / 2, held - HELD_BACK, scattered)
        self._run[line] = 0
        self._turn = min(self._turn, line)

    def _take_levels(self) -> None:
        """Level and spread, of those lines whose turn it is."""
        if self._turn >= len(self):
            return
        rows = max(min(self._at, MEMORY), 1)
        lines = slice(self._turn, self._turn + max(AT_ONCE // rows, 1))
        self._turn = lines.stop
        held = np.where(self._ring[:rows, lines] < HELD_BACK / 2, self._ring[:rows, lines], np.nan)
        count = np.isfinite(held).sum(0)
        known = (count >= 1) & (count + self._repeats >= WARM_UP)
        # A line that is in an event most of the time keeps the level it has.
        known &= (count >= WARM_UP) | ~self.ready[lines]
        if not known.any():
            return
        median = _medians(held, count)
        more, mean = self._apart[1, lines], self._mean[lines]
        weight = np.minimum(self._weight[lines] + more, LEVEL_MEMORY)
        first = self._weight[lines] == 0
        mean = np.where(first, median, mean + (median - mean) * more / np.maximum(weight, 1))
        self._median[lines] = np.where(known, median, self._median[lines])
        self._mean[lines] = np.where(known, mean, self._mean[lines])
        self._level[lines] = np.maximum(self._median[lines], self._mean[lines])
        self._take_spreads(lines, held - median, count, known)

    def _take_spreads(
        self, lines: slice, apart: Values, count: NDArray[np.int64], known: NDArray[np.bool_]
    ) -> None:
        """Sigmas: at first of what is remembered, from then on the mean of what came since."""
        sigma, weight = self._sigma[lines], self._weight[lines]
        if (new := known & (weight == 0)).any():
            least = np.where(count >= WARM_UP, SIGMA_LEAST, SIGMA_UNKNOWN).astype(np.float32)
            first = np.float32(MAD_TO_SIGMA) * _medians(np.abs(apart), count)
            sigma = np.where(new, np.maximum(first, least), sigma)
        total, more = self._apart[:, lines]
        mean = sigma * (weight + MEAN_TO_SIGMA * total) / np.maximum(weight + more, 1)
        mean = np.maximum(mean, SIGMA_LEAST)
        self._sigma[lines] = np.where(known & (weight > 0), mean, sigma)
        begun = np.where(weight > 0, np.minimum(weight + more, SCALE_MEMORY), count)
        self._weight[lines] = np.where(known & (count >= WARM_UP), begun, weight)
        self._apart[:, lines] = 0


_PER_LINE = ("_off", "_median", "_mean", "_level", "_sigma", "_weight", "_apart", "_run")


def _runs(before: NDArray[np.int32], above: NDArray[np.bool_]) -> NDArray[np.int32]:
    """(n, q): how many windows in a row were above, up to each; `before` (q,) were before them."""
    counts = np.cumsum(above, axis=0, dtype=np.int32)
    base = np.maximum.accumulate(np.where(above, 0, counts), axis=0)
    unbroken = np.logical_and.accumulate(above, axis=0)
    return np.asarray(counts - base + np.where(unbroken, before, 0), np.int32)


def _medians(values: Values, count: NDArray[np.int64]) -> Values:
    """Medians (q,) of the columns of values (n, q), of which `count` (q,) are no NaN."""
    ordered = np.sort(values, axis=0)  # NaN last
    top = np.maximum(count - 1, 0)
    columns = np.arange(values.shape[1])
    return np.asarray((ordered[top // 2, columns] + ordered[(top + 1) // 2, columns]) / 2)
