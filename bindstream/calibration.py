"""Calibration: what a score means on this stream, from the stream's own background.

A score counts by how many robust standard deviations it stands above what the stream usually gives:
z = (value - median) / (1.4826 · MAD), over the last windows in which nothing was going on. Cameras
that dim at night and rooms that grow loud by day move the median, not z.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]

MAD_TO_SIGMA = 1.4826
"""Makes the median absolute deviation estimate the standard deviation of normal data:
1 / Φ⁻¹(3/4)."""
WARM_UP = 12
"""Windows of background needed before anything is said."""
MEMORY = 900
"""Windows of background remembered: 15 minutes at one a second, where all are computed."""
LASTING = 300
"""Windows in a row above `off` after which their scores are remembered as background too, repeated
or not. The level is the background once it makes up half of what is remembered."""
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
AT_ONCE = 64 * MEMORY
"""Values sorted a window, a millisecond's work: levels of very many lines are taken in turns."""


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
        arrays = (self._ring, self._off, self._median, self._sigma, self._run)
        return sum(array.nbytes for array in arrays)

    def join(self, others: Sequence[Backgrounds]) -> None:
        """Lines that heard the same stream elsewhere, after those that there are."""
        rolled = [np.roll(other._ring, self._at - other._at, axis=0) for other in others]
        self._ring = np.concatenate((self._ring, *rolled), axis=1)
        self._off = np.concatenate((self._off, *(other._off for other in others)))
        self._median = np.concatenate((self._median, *(other._median for other in others)))
        self._sigma = np.concatenate((self._sigma, *(other._sigma for other in others)))
        self._run = np.concatenate((self._run, *(other._run for other in others)))
        self._turn = len(self)

    def drop(self, line: int) -> None:
        """One line fewer; those after it move up."""
        self._ring = np.delete(self._ring, line, axis=1)
        self._off = np.delete(self._off, line)
        self._median = np.delete(self._median, line)
        self._sigma = np.delete(self._sigma, line)
        self._run = np.delete(self._run, line)
        self._turn = len(self)

    def z(self, values: Values) -> Values:
        """z of values (…, q) against the background as it is; NaN while still warming up."""
        return np.asarray((values - self._median) / self._sigma, np.float32)

    def push(self, values: Values, *, repeated: bool = False) -> Values:
        """z of one window's values (q,) against the background before it; then learns them.

        Args:
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
            self._advance(1)
        self._run = np.where(above, self._run + 1, 0)
        for line in np.flatnonzero(self._run >= LASTING).tolist():
            self._accept(line, values[line])
        self._take_levels()
        return z

    def push_all(self, values: Values) -> Values:
        """z of many computed windows' values (n, q), oldest first: as `push` one after another."""
        found, start = np.empty(values.shape, np.float32), 0
        while start < len(values):
            part = values[start : start + max(self._next - self._at, 1)]
            z = self.z(part)
            if (z >= self._off).any() or self._run.any():
                found[start] = self.push(part[0])
                start += 1
                continue
            rows = np.arange(self._at, self._at + len(part)) % MEMORY
            self._ring[rows] = part
            self._advance(len(part))
            self._take_levels()
            found[start : start + len(part)] = z
            start += len(part)
        return found

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
        sigma = np.float32(MAD_TO_SIGMA) * _medians(np.abs(held - median), count)
        least = np.where(count >= WARM_UP, SIGMA_LEAST, SIGMA_UNKNOWN).astype(np.float32)
        self._median[lines] = np.where(known, median, self._median[lines])
        self._sigma[lines] = np.where(known, np.maximum(sigma, least), self._sigma[lines])


def _medians(values: Values, count: NDArray[np.int64]) -> Values:
    """Medians (q,) of the columns of values (n, q), of which `count` (q,) are no NaN."""
    ordered = np.sort(values, axis=0)  # NaN last
    top = np.maximum(count - 1, 0)
    columns = np.arange(values.shape[1])
    return np.asarray((ordered[top // 2, columns] + ordered[(top + 1) // 2, columns]) / 2)
