"""Calibration: what a score means on this stream, from the stream's own background.

A score counts by how many standard deviations it stands above what the stream usually gives:
z = (value - median) / sigma, over windows in which nothing was going on. The median is that of the
last quarter of an hour: cameras that dim at night and rooms that grow loud by day move it, not z.
The deviation is that of a whole day: were it of the last quarter of an hour too, a quiet one would
make events of trifles, and a lively one hide what stands out.
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
MEMORY = 900
"""Windows of background remembered: 15 minutes at one a second, where all are computed."""
SCALE_MEMORY = 86_400
"""Windows of which the spread is the mean: a day at one a second."""
LASTING = 300
"""Windows in a row above `off` after which their scores are remembered as background too, repeated
or not. The level is the background once it makes up half of what is remembered."""
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
"""A level is taken anew once one in so many of the windows remembered is new."""
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
        self._median = np.full(q, np.nan, np.float32)
        self._sigma = np.full(q, np.nan, np.float32)
        self._weight = np.zeros(q, np.float32)  # windows that a spread is the mean of
        self._apart = np.zeros((2, q))  # since then: sum of deviations, and of how many windows
        self._run = np.zeros(q, np.int32)  # windows in a row above `off`

    def __len__(self) -> int:
        return len(self._off)

    @property
    def ready(self) -> NDArray[np.bool_]:
        """(q,): whether enough is known to say anything."""
        return np.asarray(np.isfinite(self._median))

    @property
    def nbytes(self) -> int:
        """Memory held."""
        arrays = (self._ring, self._off, self._median, self._sigma, self._weight, self._apart)
        return sum(array.nbytes for array in (*arrays, self._run))

    def join(self, others: Sequence[Backgrounds]) -> None:
        """Lines that heard the same stream elsewhere, after those that there are."""
        rolled = [np.roll(other._ring, self._at - other._at, axis=0) for other in others]
        self._ring = np.concatenate((self._ring, *rolled), axis=1)
        self._off = np.concatenate((self._off, *(other._off for other in others)))
        self._median = np.concatenate((self._median, *(other._median for other in others)))
        self._sigma = np.concatenate((self._sigma, *(other._sigma for other in others)))
        self._weight = np.concatenate((self._weight, *(other._weight for other in others)))
        self._apart = np.concatenate((self._apart, *(other._apart for other in others)), axis=1)
        self._run = np.concatenate((self._run, *(other._run for other in others)))
        self._turn = len(self)

    def drop(self, line: int) -> None:
        """One line fewer; those after it move up."""
        self._ring = np.delete(self._ring, line, axis=1)
        self._off = np.delete(self._off, line)
        self._median = np.delete(self._median, line)
        self._sigma = np.delete(self._sigma, line)
        self._weight = np.delete(self._weight, line)
        self._apart = np.delete(self._apart, line, axis=1)
        self._run = np.delete(self._run, line)
        self._turn = len(self)

    def replace(self, line: int, other: Backgrounds) -> None:
        """A line learns anew what `other`, of one line, did."""
        self._ring[:, line] = np.roll(other._ring[:, 0], self._at - other._at)
        self._median[line], self._sigma[line] = other._median[0], other._sigma[0]
        self._weight[line], self._run[line] = other._weight[0], other._run[0]
        self._apart[:, line] = other._apart[:, 0]
        self._turn = min(self._turn, line)

    def z(self, values: Values) -> Values:
        """z of values (…, q) against the background as it is; NaN while still warming up."""
        return np.asarray((values - self._median) / self._sigma, np.float32)

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
        """Takes in how far windows (n, q) that are no events lie from the median, in sigmas."""
        if self._weight.any():
            left_out = above | np.isnan(z)
            apart = np.fmin(np.abs(z), CLIPPED) * ~left_out
            self._apart[0] += apart.sum(0, np.float64)
            self._apart[1] += len(z) - left_out.sum(0)

    def _advance(self, rows: int) -> None:
        self._at += rows
        if self._at >= self._next and self._turn >= len(self):
            self._turn = 0
            self._next = self._at + max(min(self._at, MEMORY) // FRESH, 1)

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
        """Median and spread of what is remembered, of those lines whose turn it is."""
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
        self._median[lines] = np.where(known, median, self._median[lines])
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
