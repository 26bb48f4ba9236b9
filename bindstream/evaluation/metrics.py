"""Metrics and their confidence intervals, in NumPy. Shares are in [0, 1]; a tie is never a hit."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]
Hits = NDArray[np.bool_]

Z95 = 1.959963984540054  # of a standard normal, two-sided 95 %
RESAMPLES = 1000
RESAMPLES_MAP = 200  # each takes a pass over items x classes


class Interval(NamedTuple):
    """A 95 % confidence interval, both ends in [0, 1]."""

    low: float
    high: float


def top1_hits(scores: Scores, truth: Hits) -> Hits:
    """Whether a right class scores above all wrong ones, (n,) bool.

    Args:
        scores: (n, classes).
        truth: (n, classes) bool: which are right, one or more an item.
    """
    right = np.where(truth, scores, -np.inf).max(axis=1)
    wrong = np.where(truth, -np.inf, scores).max(axis=1)
    hits: Hits = right > wrong
    return hits


def mean_class_accuracy(hits: Hits, truth: Hits) -> float:
    """The mean over classes of the share of its items that were hit; classes without any do not
    count. NaN if none has any."""
    counts = truth.sum(axis=0)
    found = (truth & hits[:, None]).sum(axis=0)
    shares = found[counts > 0] / counts[counts > 0]
    return float(shares.mean()) if len(shares) else math.nan


def average_precision(
    scores: Scores, truth: Hits, counts: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Average precision of each class, (classes,) float64; NaN where no item is of the class.

    The mean over the class's items of the precision at their rank (no interpolation).

    Args:
        scores, truth: (n, classes).
        counts: (n,) how often each item is taken (a bootstrap's resample); once if None.
    """
    return _ranked_precision(*_ranked(scores, truth), counts)


def _ranked(scores: Scores, truth: Hits) -> tuple[NDArray[np.int32], Hits]:
    """For each class the items from best to worst, and whether they are of it: (n, classes)."""
    order = np.argsort(-scores, axis=0, kind="stable").astype(np.int32)
    return order, np.take_along_axis(truth, order, axis=0)


def _ranked_precision(
    order: NDArray[np.int32], ranked: Hits, counts: NDArray[np.int64] | None
) -> NDArray[np.float64]:
    values = np.full(order.shape[1], np.nan)
    for column, of_class in enumerate(ranked.T):
        taken = np.ones(len(order)) if counts is None else counts[order[:, column]]
        right = np.where(of_class, taken, 0)
        if positives := right.sum():
            seen = np.cumsum(taken)
            at = right > 0
            values[column] = (np.cumsum(right)[at] / seen[at] * right[at]).sum() / positives
    return values


def mean_average_precision(scores: Scores, truth: Hits) -> float:
    """The mean of `average_precision` over classes that have items; NaN if none has."""
    values = average_precision(scores, truth)
    return float(np.nanmean(values)) if np.isfinite(values).any() else math.nan


def recall_hits(scores: Scores, owners: NDArray[np.int64], k: int) -> Hits:
    """Whether a text finds its item among the best k, (texts,) bool.

    Args:
        scores: (texts, items).
        owners: (texts,) the item that each text describes.
    """
    own = np.take_along_axis(scores, owners[:, None], axis=1)
    before = (scores >= own).sum(axis=1) - 1  # one that is equal is not itself
    hits: Hits = before < k
    return hits


def wilson(hits: int, n: int) -> Interval:
    """The interval of a share of independent yes and no (Wilson 1927). (0, 1) of none."""
    if n == 0:
        return Interval(0.0, 1.0)
    share = hits / n
    middle = share + Z95**2 / (2 * n)
    reach = Z95 * math.sqrt(share * (1 - share) / n + Z95**2 / (4 * n * n))
    scale = 1 + Z95**2 / n
    # At 0 and 1 the ends are exact but for rounding.
    low = 0.0 if hits == 0 else (middle - reach) / scale
    return Interval(low, 1.0 if hits == n else (middle + reach) / scale)


def bootstrap_share(hits: Hits, sources: NDArray[np.int64], seed: int) -> Interval:
    """The interval of a share whose items come in groups: whole sources are drawn again.

    (0, 1) of a single source, which says nothing of others.

    Args:
        hits: (n,) bool.
        sources: (n,) which source each is of, counted from 0.
    """
    groups = int(sources.max()) + 1
    if groups == 1:
        return Interval(0.0, 1.0)
    found = np.bincount(sources, hits, groups)
    sizes = np.bincount(sources, minlength=groups)
    rng = np.random.default_rng(seed)
    shares = []
    for _ in range(RESAMPLES):
        counts = np.bincount(rng.integers(0, groups, groups), minlength=groups)
        shares.append(counts @ found / (counts @ sizes))
    return _percentiles(np.array(shares))


def bootstrap_map(scores: Scores, truth: Hits, sources: NDArray[np.int64], seed: int) -> Interval:
    """The interval of a mean average precision, as `bootstrap_share`. Takes minutes for tens of
    thousands of items by hundreds of classes."""
    groups = int(sources.max()) + 1
    if groups == 1:
        return Interval(0.0, 1.0)
    order, ranked = _ranked(scores, truth)
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(RESAMPLES_MAP):
        drawn = np.bincount(rng.integers(0, groups, groups), minlength=groups)
        values.append(np.nanmean(_ranked_precision(order, ranked, drawn[sources])))
    return _percentiles(np.array(values))


def _percentiles(values: NDArray[Any]) -> Interval:
    low, high = np.percentile(values[np.isfinite(values)], (2.5, 97.5))
    return Interval(float(low), float(high))
