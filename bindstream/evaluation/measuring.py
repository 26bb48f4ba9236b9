"""Figures of vectors: classes by the names they go by, items by the texts that describe them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bindstream.evaluation import metrics
from bindstream.evaluation.metrics import Hits, Interval, Scores
from bindstream.evaluation.records import Item

RECALLS = (1, 10)


class Figure(NamedTuple):
    """A metric in [0, 1], its 95 % interval, and how that was found: "Wilson", or "bootstrap" over
    the sources of items."""

    metric: str
    value: float
    interval: Interval
    method: str


class Confusion(NamedTuple):
    """How many `items` of `true` were taken for `taken_for`."""

    true: str
    taken_for: str
    items: int


@dataclass(frozen=True)
class Measured:
    """Figures, and what stands behind them.

    Attributes:
        folds: top-1 of each fold, where there are any.
        mean_class: mean-class accuracy; NaN where none is measured.
        empty: classes that no item is of: choices, but not part of a mean over classes.
        confusions: what was taken for what, the most frequent first; hits are not among them.
    """

    figures: tuple[Figure, ...]
    folds: Mapping[str, float] = field(default_factory=dict)
    mean_class: float = math.nan
    empty: int = 0
    confusions: tuple[Confusion, ...] = ()


def class_scores(vectors: Scores, names: Scores, classes: Mapping[str, tuple[str, ...]]) -> Scores:
    """Scores (n, classes) float32: an item's best cosine to the names of each class.

    Args:
        vectors: (n, dim) of items.
        names: (names, dim), those of the first class, then those of the second, and so on.
    """
    counts = [len(said) for said in classes.values()]
    firsts = np.cumsum([0, *counts[:-1]])
    scores: Scores = np.maximum.reduceat(vectors @ names.T, firsts, axis=1)
    return scores


def truth_of(items: Sequence[Item], classes: Mapping[str, tuple[str, ...]]) -> Hits:
    """Which classes each item is of, (n, classes) bool."""
    places = {label: place for place, label in enumerate(classes)}
    truth = np.zeros((len(items), len(classes)), np.bool_)
    for row, item in zip(truth, items, strict=True):
        row[[places[label] for label in item.labels]] = True
    return truth


def measure_top1(
    scores: Scores, items: Sequence[Item], classes: Mapping[str, tuple[str, ...]], seed: int
) -> Measured:
    """Top-1 of items of one class each (of several, any is right)."""
    truth = truth_of(items, classes)
    hits = metrics.top1_hits(scores, truth)
    folds: dict[str, list[bool]] = {}
    for item, hit in zip(items, hits, strict=True):
        if item.fold:
            folds.setdefault(item.fold, []).append(bool(hit))
    return Measured(
        (_share("top-1", hits, sources_of(items), seed),),
        folds={fold: float(np.mean(folds[fold])) for fold in sorted(folds)},
        mean_class=metrics.mean_class_accuracy(hits, truth),
        empty=int((~truth.any(axis=0)).sum()),
        confusions=_confusions(scores, truth, hits, list(classes)),
    )


def measure_map(
    scores: Scores, items: Sequence[Item], classes: Mapping[str, tuple[str, ...]], seed: int
) -> Measured:
    """Mean average precision of items of any number of classes each."""
    truth = truth_of(items, classes)
    value = metrics.mean_average_precision(scores, truth)
    interval = metrics.bootstrap_map(scores, truth, sources_of(items), seed)
    figure = Figure("mAP", value, interval, "bootstrap")
    return Measured((figure,), empty=int((~truth.any(axis=0)).sum()))


def measure_recall(
    ways: Mapping[str, Scores], texts: Scores, items: Sequence[Item], seed: int
) -> Measured:
    """R@1 and R@10 of texts that look for their items.

    Args:
        ways: (items, dim) vectors by what they were made of; "" if there is one way only.
        texts: (texts, dim), the captions of the first item, then those of the second, and so on.
    """
    owners = np.repeat(np.arange(len(items)), [len(item.captions) for item in items])
    sources = sources_of(items)[owners]
    figures = []
    for way, vectors in ways.items():
        scores = texts @ vectors.T
        for k in RECALLS:
            hits = metrics.recall_hits(scores, owners, k)
            figures.append(_share(f"R@{k} {way}".strip(), hits, sources, seed))
    return Measured(tuple(figures))


def sources_of(items: Sequence[Item]) -> NDArray[np.int64]:
    """Which source each item is of, counted from 0, (n,) int64; one without is its own."""
    names = [item.source or f"\0{place}" for place, item in enumerate(items)]
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def _share(metric: str, hits: Hits, sources: NDArray[np.int64], seed: int) -> Figure:
    value = float(hits.mean())
    if len(np.unique(sources)) == len(hits):
        return Figure(metric, value, metrics.wilson(int(hits.sum()), len(hits)), "Wilson")
    return Figure(metric, value, metrics.bootstrap_share(hits, sources, seed), "bootstrap")


def _confusions(
    scores: Scores, truth: Hits, hits: Hits, labels: list[str]
) -> tuple[Confusion, ...]:
    wrong = np.where(truth, -np.inf, scores).argmax(axis=1)
    counts = Counter(
        (int(right), int(taken_for))
        for row, taken_for, hit in zip(truth, wrong, hits, strict=True)
        if not hit
        for right in np.flatnonzero(row)
    )
    return tuple(
        Confusion(labels[right], labels[taken_for], count)
        for (right, taken_for), count in counts.most_common()
    )
