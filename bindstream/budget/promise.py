"""The cut that keeps a budget on a stream's own background, and what can be promised of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bindstream.budget.events import Levels, Series, Shape, critical_levels
from bindstream.budget.tail import Tail, fit_tail, least_promise, sure_level, sure_rate

CANDIDATES = 0.9
"""Quantile of a background's scores above which its peaks are looked for."""
PEAKS_MOST = 64
"""Highest peaks that a tail is fitted to: more of them are not the tail any more."""
UNLIKELY = 0.05
"""A highest peak that the tail of all others would show in fewer than one in twenty backgrounds
as long, even were it as heavy as it may be, is taken for a true event."""
TRUE_MOST = 6
"""Most peaks that may be taken for true events, of `PEAKS_MOST`. More is the background."""
TRUE_SHARE = 3
"""And at most one in so many: who tries a query by playing its sound four times in the first
minutes must not find it deaf from then on."""


@dataclass(frozen=True)
class Promise:
    """A cut and what it is good for.

    Args:
        cut: level that keeps the budget, as far as is known.
        budget: false alarms an hour that were asked for.
        sure: at most so many an hour, with 95 % confidence. Above the budget while there is too
            little background to say more.
        hours: of background that this is based on.
        missing_hours: of background until the budget itself can be promised, if it stays as it is;
            infinite if that is more than is remembered.
        tail: of the background.
        left_out: peaks taken for true events.
    """

    cut: float
    budget: float
    sure: float
    hours: float
    missing_hours: float
    tail: Tail
    left_out: int

    @property
    def is_kept(self) -> bool:
        """Whether the budget itself can be promised."""
        return self.sure <= self.budget

    def __str__(self) -> str:
        if self.is_kept:
            return f"at most {per_hour(self.budget)} with 95 % confidence ({self._heard})"
        if math.isinf(self.sure):
            return "nothing can be promised yet: no background was heard"
        if math.isinf(self.missing_hours):
            return (
                f"cannot promise below {per_hour(self.sure)}: {self._heard}, and no more is"
                " remembered"
            )
        return (
            f"cannot promise below {per_hour(self.sure)} yet ({self._heard});"
            f" {per_hour(self.budget)} in about {self.missing_hours:.1f} h"
        )

    @property
    def _heard(self) -> str:
        true = "" if not self.left_out else f", less {self.left_out} taken for true"
        return f"{self.hours:.1f} h heard{true}"


def promise(
    series: Series,
    shape: Shape,
    budget: float,
    confirmed: Sequence[tuple[int, int]] = (),
    rejected: Sequence[tuple[int, int]] = (),
    remembered_h: float = math.inf,
) -> Promise:
    """The cut for `budget` false alarms an hour on the background `series`.

    Args:
        shape: what an event has to be, apart from how high.
        confirmed: intervals [start, end) in UTC ns that a user confirmed as true events: they are
            no background.
        rejected: intervals of events that were none: nothing that is no higher is taken for true.
        remembered_h: hours of background that there will be at most.
    """
    background = without(series, confirmed)
    hours = background.hours
    if not len(background):
        nothing = fit_tail(np.zeros(0), math.inf, 1.0)
        return Promise(math.inf, budget, math.inf, 0.0, 3.0 / budget, nothing, 0)
    threshold = float(np.quantile(background.values, CANDIDATES))
    peaks = critical_levels(background, threshold, shape)
    tail, left_out = background_tail(peaks, threshold, hours, _highest(background, rejected))
    cut = sure_level(tail, budget)
    least = least_promise(hours)
    sure = max(min(sure_rate(tail, cut), budget * (1 + 1e-6)), least)
    if sure <= budget * (1 + 1e-6):
        sure = min(sure, budget)
    due_h = least * hours / budget
    missing = max(due_h - hours, 0.0) if due_h <= remembered_h else math.inf
    return Promise(cut, budget, sure, hours, missing, tail, left_out)


def background_tail(
    peaks: Levels, threshold: float, hours: float, known: float = -math.inf
) -> tuple[Tail, int]:
    """The tail of descending `peaks`, and how many of the highest were taken for true events.

    The highest are left out while the tail of all others would hardly ever show them: a few true
    events in an unlabelled background would otherwise put the cut above themselves.

    Args:
        known: what is known to be background is so high; only higher peaks may be left out.
    """
    for left_out in range(min(TRUE_MOST, len(peaks) // TRUE_SHARE), 0, -1):
        tail = _fit(peaks[left_out:], threshold, hours)
        if peaks[left_out - 1] > max(sure_level(tail, UNLIKELY / hours), known):
            return tail, left_out
    return _fit(peaks, threshold, hours), 0


def _fit(peaks: Levels, threshold: float, hours: float) -> Tail:
    """The tail of the highest peaks, above the highest of the others, which are counted."""
    if len(peaks) > PEAKS_MOST:
        threshold = float(peaks[PEAKS_MOST])
    return replace(fit_tail(peaks[:PEAKS_MOST], threshold, hours), counted=peaks)


def _highest(series: Series, intervals: Sequence[tuple[int, int]]) -> float:
    """The highest score of windows that touch one of the intervals [start, end) in ns."""
    touched = np.zeros(len(series), bool)
    for start, end in intervals:
        touched |= (series.ends_ns > start) & (series.starts_ns < end)
    return float(series.values[touched].max(initial=-math.inf))


def without(series: Series, intervals: Sequence[tuple[int, int]]) -> Series:
    """The windows that touch none of the intervals [start, end) in ns."""
    keep: NDArray[np.bool_] = np.ones(len(series), bool)
    for start, end in intervals:
        keep &= (series.ends_ns <= start) | (series.starts_ns >= end)
    return Series(series.values[keep], series.starts_ns[keep], series.ends_ns[keep])


def per_hour(per_hour: float) -> str:
    """False alarms an hour as people say them."""
    for hours, unit in ((1, "an hour"), (24, "a day")):
        if per_hour * hours >= (0.15 if hours == 1 else 0.9):
            return f"{_rounded(per_hour * hours)} {unit}"
    return f"{_rounded(per_hour * 168)} a week"


def _rounded(rate: float) -> str:
    return f"{rate:.0f}" if rate >= 100 else f"{rate:.2g}"
