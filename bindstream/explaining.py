"""Why: what a window is like in the words that the model and the queries have.

Nothing here is computed for a window that starts or ends no alert, unless somebody asks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bindstream.evidence import folder_of
from bindstream.matcher import CONTRAST_TEMPERATURE, SAME_MEANING, Query, Vectors
from bindstream.records import Alert, Embedding, ModalityName, Readings, Score
from bindstream.watch import Watch

NEAREST = 3
"""Texts that an alert's query was held against which the alert names."""
SHOWN = 5
"""Phrases of what a sensor shows that an alert names."""
SHOWN_NOW, STANDING, LAST = 8, 50, 5
"""Phrases, queries and alerts that the explanation of a stream has at most."""
Texts = Mapping[ModalityName, Sequence[str]]
Background = Mapping[ModalityName, Vectors]


@dataclass(frozen=True)
class Phrase:
    """A text, its cosine to a window, and its share among all phrases of the window's kind (a
    softmax of the cosines at the matcher's temperature, so that shares are those of alerts);
    `query` is the id of the query whose words they are ("" if the model brings them)."""

    text: str
    cosine: float
    share: float
    query: str = ""


@dataclass(frozen=True)
class Standing:
    """A query on a stream now: its `z` (NaN while the stream is being learned) and `share`, those
    that it needs to start an alert, below which z it ends one, and what is promised of that."""

    query: str
    text: str
    z: float
    share: float
    on: float
    off: float
    least_share: float
    promise: str


@dataclass(frozen=True)
class Explanation:
    """A stream's newest window (times in UTC ns) in words, how its queries stand, the nearest to
    its level first, and its last alerts, oldest first."""

    stream: str
    modality: ModalityName
    start_ns: int
    end_ns: int
    coverage: float
    readings: Readings
    shows: tuple[Phrase, ...]
    queries: tuple[Standing, ...]
    alerts: tuple[Alert, ...]


@dataclass(frozen=True)
class Words:
    """Texts with unit vectors (n, dim), and the ids of the queries they belong to."""

    texts: list[str] = field(default_factory=list)
    vectors: list[Vectors] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)

    def add(self, text: str, vector: Vectors, query: str = "") -> None:
        self.texts.append(text)
        self.vectors.append(vector)
        self.queries.append(query)

    def cosines(self, vector: Vectors) -> Vectors:
        """(n,), of a window's vector (dim,)."""
        if not self.vectors:
            return np.zeros(0, np.float32)
        return np.asarray(np.stack(self.vectors).astype(np.float32) @ vector, np.float32)


class Explainer:
    """Says what windows show, and what alerts were nearly mistaken for.

    Args:
        watch: whose queries and streams these are.
        background: per modality, vectors (n, dim) of the phrases that queries are contrasted with.
        texts: these phrases, in the same order.
        evidence: the folder in which streams keep evidence of alerts; None if they keep none.
    """

    def __init__(
        self, watch: Watch, background: Background, texts: Texts, evidence: Path | None = None
    ) -> None:
        self._watch, self._background, self._texts = watch, background, texts
        self._evidence = evidence

    def explained(self, alert: Alert) -> Alert:
        """The alert with where its evidence will lie, and what its peak is like if that window is
        still known."""
        if self._evidence is not None:
            folder = folder_of(self._evidence, alert.query, alert.stream, alert.start_ns)
            alert = dataclasses.replace(alert, evidence=str(folder))
        found = self._watch.peak(alert)
        if found is None:
            return alert
        vector = found[0]
        shown = self.shown(vector, alert.stream, alert.modality, alert.model)
        near = self.nearest(vector, alert)
        return dataclasses.replace(
            alert,
            nearest=tuple((one.text, round(one.cosine, 4)) for one in near),
            shows=tuple((one.text, round(one.share, 4)) for one in shown),
        )

    def now(
        self, embedding: Embedding, scores: Iterable[Score], alerts: Iterable[Alert]
    ) -> Explanation:
        """A window as it was scored, and the last alerts of its stream among `alerts`."""
        e, levels = embedding, {}
        for query, stream, level in self._watch.levels():
            if stream == e.stream:
                levels[query] = level
        texts = {query.config.id: query.config.shown[0] for query in self._watch.queries}
        standing = [
            Standing(s.query, texts[s.query], s.z, s.share, at.on, at.off, at.share, at.promise)
            for s in scores
            if s.query in texts and (at := levels.get(s.query)) is not None
        ]
        nearest_first = sorted(
            standing, key=lambda one: one.on - one.z if np.isfinite(one.z) else np.inf
        )
        return Explanation(
            stream=e.stream,
            modality=e.modality,
            start_ns=e.start_ns,
            end_ns=e.end_ns,
            coverage=e.coverage,
            readings=e.readings,
            shows=tuple(self.shown(e.vector, e.stream, e.modality, e.model, SHOWN_NOW)),
            queries=tuple(nearest_first[:STANDING]),
            alerts=tuple(alert for alert in alerts if alert.stream == e.stream)[-LAST:],
        )

    def shown(
        self, vector: Vectors, stream: str, modality: ModalityName, model: str, most: int = SHOWN
    ) -> list[Phrase]:
        """What a window shows, the likeliest first: among the background phrases and the words of
        all queries that watch this stream. Phrases that mean the same as a query's are left out, as
        they are where it is matched."""
        words = Words()
        for query in self._watch.queries:
            if query.model == model and query.watches(stream, modality) and is_of_words(query):
                words.add(query.config.shown[0], query.positive, query.config.id)
        for text, one in self._phrases(modality, words):
            words.add(text, one)
        return phrases_of(words, vector)[:most]

    def nearest(self, vector: Vectors, alert: Alert) -> list[Phrase]:
        """What an alert's query was held against, the nearest to a window's vector first."""
        against, own = Words(), Words()
        query = next((q for q in self._watch.queries if q.config.id == alert.query), None)
        if query is not None and is_of_words(query):
            own.add(alert.text, query.positive)
            for text, one in zip(query.config.held_against, query.negatives, strict=True):
                against.add(text, one)
        for text, one in self._phrases(alert.modality, own):
            against.add(text, one)
        found = phrases_of(against, vector)
        return sorted(found, key=lambda one: -one.cosine)[:NEAREST]

    def _phrases(self, modality: ModalityName, but: Words) -> Iterator[tuple[str, Vectors]]:
        """Background phrases that mean something else than these words, with their vectors."""
        vectors = self._background.get(modality)
        if vectors is None:
            return
        same = np.zeros(len(vectors), np.bool_)
        for one in but.vectors:
            same |= vectors @ one >= SAME_MEANING
        for text, vector, is_same in zip(self._texts[modality], vectors, same, strict=True):
            if not is_same:
                yield text, vector


def is_of_words(query: Query) -> bool:
    """False for what was taught by examples: its vector is no text's, and cosines to it say nothing
    beside those to texts."""
    return query.level is None


def phrases_of(words: Words, vector: Vectors) -> list[Phrase]:
    """All of them for a window's vector, the likeliest first."""
    cosines = words.cosines(vector).astype(np.float64)
    raised = np.exp((cosines - cosines.max(initial=-1.0)) / CONTRAST_TEMPERATURE)
    shares = raised / max(raised.sum(), 1e-12)
    found = [
        Phrase(text, cosine, share, query)
        for text, cosine, share, query in zip(
            words.texts, cosines.tolist(), shares.tolist(), words.queries, strict=True
        )
    ]
    return sorted(found, key=lambda one: -one.share)
