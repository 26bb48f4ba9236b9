"""The watch: embeddings in, scores and alerts out. Matcher, calibration and rules in one line."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from bindstream.calibration import Background
from bindstream.matcher import Matcher, Query, Vectors
from bindstream.records import Alert, Embedding, ModalityName, Score
from bindstream.rules import Rule


@dataclass
class _Line:
    """One query on one stream; `computed` is the window whose vector was scored last."""

    background: Background
    rule: Rule
    computed: int = -1


class Watch:
    """Watches every stream for every query. Reads no clock.

    Args:
        background: per modality, text vectors (n, dim) of its background phrases.
    """

    def __init__(self, background: Mapping[ModalityName, Vectors]) -> None:
        self._matcher = Matcher(background)
        self._lines: dict[tuple[str, str], _Line] = {}

    @property
    def queries(self) -> list[Query]:
        return self._matcher.queries

    @property
    def refused(self) -> int:
        """Vectors of another model than the queries'."""
        return self._matcher.refused

    def contrast_with(self, background: Mapping[ModalityName, Vectors]) -> None:
        """Take other background phrases from now on. For before the first query that is of words:
        scores of those that there are would change in the middle of what they learned."""
        self._matcher.contrast_with(background)

    def put(self, query: Query) -> list[Alert]:
        """Add a query, or replace the one of the same id, whose events end.

        It learns its background anew.
        """
        ended = self.remove(query.config.id)
        self._matcher.put(query)
        return ended

    def remove(self, query_id: str) -> list[Alert]:
        """Stop watching for a query; ends its events. Unknown ids are left alone."""
        ended = [
            alert
            for (query, _), line in self._lines.items()
            if query == query_id
            for alert in line.rule.flush()
        ]
        self._matcher.remove(query_id)
        self._forget(query_id)
        return ended

    def _forget(self, query_id: str) -> None:
        self._lines = {k: v for k, v in self._lines.items() if k[0] != query_id}

    def push(self, embedding: Embedding) -> tuple[list[Score], list[Alert]]:
        scores: list[Score] = []
        alerts: list[Alert] = []
        computed = embedding.seq if embedding.same_as is None else embedding.same_as
        for raw in self._matcher.push(embedding):
            line = self._line(raw, embedding.model)
            # Of each vector the first window that comes is learned: the query may be a new one.
            repeated = embedding.same_as is not None and computed == line.computed
            line.computed = computed
            score = dataclasses.replace(raw, z=line.background.push(raw.value, repeated=repeated))
            scores.append(score)
            alerts += line.rule.push(score)
        return scores, alerts

    def _line(self, score: Score, model: str) -> _Line:
        key = (score.query, score.stream)
        if key not in self._lines:
            config = next(q.config for q in self._matcher.queries if q.config.id == score.query)
            self._lines[key] = _Line(Background(config.off), Rule(config, model))
        return self._lines[key]

    def due(self, now_ns: int) -> list[Alert]:
        """Ends events of streams that fell silent."""
        return [a for line in self._lines.values() for a in line.rule.due(now_ns)]

    def flush(self) -> list[Alert]:
        """Everything is over: ends every event."""
        return [a for line in self._lines.values() for a in line.rule.flush()]

    def warming(self) -> list[tuple[str, str]]:
        """(query, stream) pairs whose background is still being learned."""
        return [key for key, line in self._lines.items() if not line.background.ready]
