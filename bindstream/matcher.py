"""Matching: how well a window answers each query, as a cosine less its contrast.

The contrast is a soft maximum over the query's negatives and the modality's background phrases. It
makes scores of one stream comparable over time; scores of different modalities are never compared
(each modality sits in its own region of the joint space), only their z against their own stream's
background is. The share is the same contrast as a softmax: how likely the query is among itself and
all that it is contrasted with.

A query taught by examples is contrasted with its level in place of phrases (`teaching.fitting` says
why); from there on it is treated as any other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bindstream.config import QueryConfig
from bindstream.records import Embedding, ModalityName, Score

CONTRAST_TEMPERATURE = 0.05
"""How soft the maximum over the contrast is; the lowest fixed temperature ImageBind was trained
with (arXiv 2305.05665, table 9)."""
SAME_MEANING = 0.8
"""A background phrase whose text vector is this close to the query's says the same: no contrast."""

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Query:
    """A query with its vectors: `positive` (dim,), `negatives` (n, dim), all unit length.

    `level` is what the cosine of a query taught by examples is contrasted with; None for words.
    """

    config: QueryConfig
    positive: Vectors
    negatives: Vectors
    model: str
    level: float | None = None

    def watches(self, embedding: Embedding) -> bool:
        streams, modalities = self.config.streams, self.config.modalities
        return (streams is None or embedding.stream in streams) and (
            modalities is None or embedding.modality in modalities
        )


def make_query(config: QueryConfig, positives: Vectors, negatives: Vectors, model: str) -> Query:
    """A query from the text vectors of its phrasings (n, dim) and negatives (m, dim)."""
    mean = positives.mean(axis=0)
    return Query(config, mean / np.linalg.norm(mean), negatives, model)


class Matcher:
    """Scores embeddings against queries.

    Args:
        background: per modality, text vectors (n, dim) of its background phrases.

    `refused` counts vectors of another model than a query's: those are never compared.
    """

    def __init__(self, background: Mapping[ModalityName, Vectors]) -> None:
        self._background = background
        self._queries: dict[str, Query] = {}
        self._contrasts: dict[tuple[str, ModalityName], Vectors] = {}
        self.refused = 0

    @property
    def queries(self) -> list[Query]:
        return list(self._queries.values())

    def contrast_with(self, background: Mapping[ModalityName, Vectors]) -> None:
        """Take other background phrases from now on."""
        self._background = background
        self._contrasts.clear()

    def put(self, query: Query) -> None:
        """Add a query, or replace the one of the same id."""
        self.remove(query.config.id)
        self._queries[query.config.id] = query

    def remove(self, query_id: str) -> bool:
        """True if there was such a query."""
        self._contrasts = {k: v for k, v in self._contrasts.items() if k[0] != query_id}
        return self._queries.pop(query_id, None) is not None

    def push(self, embedding: Embedding) -> list[Score]:
        """A score for each query that watches this stream; `z` is still unknown (NaN)."""
        watching = [q for q in self._queries.values() if q.watches(embedding)]
        fitting = [q for q in watching if q.model == embedding.model]
        self.refused += len(fitting) < len(watching)
        return [self._score(query, embedding) for query in fitting]

    def _score(self, query: Query, embedding: Embedding) -> Score:
        cosine = float(query.positive @ embedding.vector)
        contrast = self._contrast(query, embedding)
        value, share = cosine, 1.0
        if contrast is not None:
            value -= contrast
            share = 1 / (1 + math.exp(-value / CONTRAST_TEMPERATURE))
        return Score(
            query=query.config.id,
            stream=embedding.stream,
            modality=embedding.modality,
            seq=embedding.seq,
            start_ns=embedding.start_ns,
            end_ns=embedding.end_ns,
            cosine=cosine,
            value=value,
            share=share,
            z=math.nan,
            readings=embedding.readings,
            stages=embedding.stages,
        )

    def _contrast(self, query: Query, embedding: Embedding) -> float | None:
        """What the cosine is held against; None if there is nothing."""
        if query.level is not None:
            return query.level
        others = self._others(query, embedding.modality)
        return soft_maximum(others @ embedding.vector) if len(others) else None

    def _others(self, query: Query, modality: ModalityName) -> Vectors:
        """Negatives, and the background phrases that do not say the same as the query."""
        key = (query.config.id, modality)
        if key not in self._contrasts:
            dim = len(query.positive)
            bank = self._background.get(modality, np.zeros((0, dim), np.float32))
            other = bank[bank @ query.positive < SAME_MEANING]
            self._contrasts[key] = np.concatenate((query.negatives.reshape(-1, dim), other))
        return self._contrasts[key]


def soft_maximum(cosines: Vectors) -> float:
    """T·log Σ exp(cosine / T): at least the largest cosine, more where several are close."""
    scaled = cosines.astype(np.float64) / CONTRAST_TEMPERATURE
    top = float(scaled.max())
    return CONTRAST_TEMPERATURE * (top + math.log(float(np.exp(scaled - top).sum())))
