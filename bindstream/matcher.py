"""Matching: how well a window answers each query, as a cosine less its contrast.

The contrast is a soft maximum over the query's negatives and the modality's background phrases. It
makes scores of one stream comparable over time; scores of different modalities are never compared
(each modality sits in its own region of the joint space), only their z against their own stream's
background is. The share is the same contrast as a softmax: how likely the query is among itself and
all that it is contrasted with.

A query taught by examples is contrasted with its level in place of phrases (`teaching.fitting` says
why); from there on it is treated as any other.

All queries of a model are scored at once, by two products of matrices: the cosines to the queries
and those to the background phrases, whose soft maximum all queries share but for the few phrases
that mean the same as the query.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bindstream.config import QueryConfig
from bindstream.records import ModalityName

CONTRAST_TEMPERATURE = 0.05
"""How soft the maximum over the contrast is; the lowest fixed temperature ImageBind was trained
with (arXiv 2305.05665, table 9)."""
SAME_MEANING = 0.8
"""A background phrase whose text vector is this close to the query's says the same: no contrast."""
Vectors = NDArray[np.float32]
Values = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Query:
    """A query with its vectors: `positive` (dim,), `negatives` (n, dim), all unit length.

    `level` is what the cosine of a query taught by examples is contrasted with; None for words.
    """

    config: QueryConfig
    positive: Vectors
    negatives: Vectors
    model: str
    level: float | None = None

    def watches(self, stream: str, modality: ModalityName) -> bool:
        streams, modalities = self.config.streams, self.config.modalities
        return (streams is None or stream in streams) and (
            modalities is None or modality in modalities
        )


def make_query(config: QueryConfig, positives: Vectors, negatives: Vectors, model: str) -> Query:
    """A query from the text vectors of its phrasings (n, dim) and negatives (m, dim)."""
    mean = positives.mean(axis=0)
    return Query(config, mean / np.linalg.norm(mean), negatives, model)


class Matcher:
    """Scores windows of one modality against queries, side by side.

    Args:
        queries: all of the same model, with vectors of the same length.
        background: text vectors (n, dim) of what else a window of this modality may show.
    """

    def __init__(self, queries: Sequence[Query], background: Vectors) -> None:
        positive = np.stack([q.positive for q in queries]).astype(np.float32)
        negatives = [q.negatives.reshape(-1, positive.shape[1]) for q in queries]
        taught = np.array([q.level is not None for q in queries])
        same = positive @ background.T >= SAME_MEANING
        # A product with few windows reads all queries: it is quickest along the rows.
        self._positive = np.ascontiguousarray(positive.T)
        self._background = background.astype(np.float32)
        self._level = np.array([q.level or 0.0 for q in queries], np.float32)
        self._negatives = np.concatenate(negatives)
        counts = np.array([len(n) for n in negatives])
        self._contrasted = ~taught & ((~same).any(1) | (counts > 0))
        # Queries with a contrast of their own: some phrases mean the same, or there are negatives.
        special = self._contrasted & (same.any(1) | (counts > 0))
        self._own = np.flatnonzero(special)
        self._bare = np.flatnonzero(~self._contrasted)
        self._kin = np.flatnonzero(same[self._own].any(1))
        self._kept = (~same[self._own][self._kin]).astype(np.float32)
        self._warned = np.flatnonzero(counts[self._own])
        self._firsts = np.concatenate(([0], np.cumsum(counts)))[self._own][self._warned]

    @property
    def has_contrast(self) -> NDArray[np.bool_]:
        """(q,): False for queries that nothing is held against."""
        return np.asarray(self._contrasted | (self._level != 0))

    def push(self, vectors: Vectors) -> tuple[Values, Values]:
        """Cosines and values, each (n, q), of windows' vectors (n, dim).

        A value is the cosine less its contrast; the cosine itself where there is none.
        """
        cosines = vectors @ self._positive
        if not self._contrasted.any():
            return cosines, cosines - self._level
        phrases = (vectors @ self._background.T) / CONTRAST_TEMPERATURE
        negatives = (vectors @ self._negatives.T) / CONTRAST_TEMPERATURE
        top = np.concatenate((phrases, negatives), axis=1).max(1, keepdims=True)
        phrases, negatives = np.exp(phrases - top), np.exp(negatives - top)
        whole = phrases.sum(1, keepdims=True)
        # Most have the phrases alone, and all of them: the same contrast.
        values = cosines - _contrast(top, whole)
        values[:, self._bare] = cosines[:, self._bare] - self._level[self._bare]
        sums = np.repeat(whole, len(self._own), axis=1)
        sums[:, self._kin] = phrases @ self._kept.T
        if len(self._warned):
            sums[:, self._warned] += np.add.reduceat(negatives, self._firsts, axis=1)
        values[:, self._own] = cosines[:, self._own] - _contrast(top, sums)
        return cosines, values


def _contrast(top: Values, sums: Values) -> Values:
    """T·log Σ exp(cosine / T), of sums that were divided by exp(top)."""
    least = np.finfo(np.float32).tiny  # further below the top than single precision goes
    return np.asarray(CONTRAST_TEMPERATURE * (top + np.log(np.maximum(sums, least))))


def shares(values: Values) -> Values:
    """How likely each query is among itself and all that it is contrasted with, from its value."""
    return np.asarray(1 / (1 + np.exp(-values / CONTRAST_TEMPERATURE)))
