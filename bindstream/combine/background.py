"""What a rule's evidence usually amounts to: the background from which its level is drawn."""

from __future__ import annotations

import numpy as np

from bindstream.budget.events import Series

ENTRIES_MOST = 50_000
"""Stretches of the same evidence that are remembered: most of the time there is none at all, so
that these are weeks."""
SPLIT_MOST = 10_000
"""Pieces into which stretches without evidence are cut, see `series`."""
NOTHING_SHARE = 9
"""So many pieces without evidence come to each with some, if there is so little of it."""


class FusedBackground:
    """A rule's evidence over time, as stretches in which it stayed the same; `seconds` is how long
    that was altogether."""

    def __init__(self) -> None:
        self._values: list[float] = []
        self._spans: list[tuple[int, int]] = []
        self.seconds = 0

    @property
    def end_ns(self) -> int:
        """Where it ends; -1 if there is none."""
        return self._spans[-1][1] if self._spans else -1

    def push(self, value: float, start_ns: int, end_ns: int) -> None:
        """Takes the evidence of [start_ns, end_ns), oldest first."""
        self.seconds += (end_ns - start_ns) // 10**9
        if self._values and self._values[-1] == value and self._spans[-1][1] == start_ns:
            self._spans[-1] = (self._spans[-1][0], end_ns)
            return
        self._values.append(value)
        self._spans.append((start_ns, end_ns))
        if len(self._values) > ENTRIES_MOST:
            del self._values[: ENTRIES_MOST // 10], self._spans[: ENTRIES_MOST // 10]

    def series(self) -> Series:
        """All of it.

        A level is drawn from the highest tenth of a series. Stretches without evidence are long;
        cut into pieces they make up the other nine, so that all evidence there was is looked at.
        """
        values = np.array(self._values, np.float64)
        spans = np.array(self._spans, np.int64).reshape(-1, 2)
        nothing = values == 0
        few, many = int(nothing.sum()), int((~nothing).sum())
        pieces = 1
        if few:
            pieces = min(-(-NOTHING_SHARE * many // few), SPLIT_MOST // few)
        times = np.where(nothing, max(pieces, 1), 1)
        place = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
        starts, whole = np.repeat(spans[:, 0], times), np.repeat(np.diff(spans)[:, 0], times)
        cuts = np.repeat(times, times)
        begins = starts + whole // cuts * place
        ends = np.where(place == cuts - 1, starts + whole, begins + whole // cuts)
        return Series(np.repeat(values, times), begins, ends)
