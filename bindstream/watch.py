"""The watch: embeddings in, scores and alerts out. Each stream is judged by its own background."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from bindstream.lines import Lines
from bindstream.matcher import Query, Vectors
from bindstream.records import Alert, Embedding, ModalityName, Score
from bindstream.rules import Level


class Watch:
    """Watches every stream for every query. Reads no clock.

    Args:
        background: per modality, text vectors (n, dim) of its background phrases.

    `refused` counts vectors of another model than a query's: those are never compared.
    """

    def __init__(self, background: Mapping[ModalityName, Vectors]) -> None:
        self._background = background
        self._queries: dict[str, Query] = {}
        self._streams: dict[tuple[str, ModalityName, str], Lines] = {}
        self.refused = 0

    @property
    def queries(self) -> list[Query]:
        return list(self._queries.values())

    def contrast_with(self, background: Mapping[ModalityName, Vectors]) -> None:
        """Take other background phrases from now on. For before the first query that is of words:
        what streams gave until now is forgotten."""
        self._background = background
        self._streams.clear()

    def put(self, query: Query) -> list[Alert]:
        """Add a query, or replace the one of the same id, whose events end.

        It learns its background from what the streams gave so far.
        """
        ended = self.remove(query.config.id)
        self._queries[query.config.id] = query
        for (stream, modality, model), lines in self._streams.items():
            if query.model == model and query.watches(stream, modality):
                lines.put(query)
        return ended

    def remove(self, query_id: str) -> list[Alert]:
        """Stop watching for a query; ends its events. Unknown ids are left alone."""
        self._queries.pop(query_id, None)
        return [alert for lines in self._streams.values() for alert in lines.remove(query_id)]

    def push(self, embedding: Embedding) -> tuple[Sequence[Score], list[Alert]]:
        """Scores of a window against each query that watches its stream, and alerts."""
        lines = self._lines(embedding)
        self.refused += any(
            q.model != embedding.model and q.watches(embedding.stream, embedding.modality)
            for q in self._queries.values()
        )
        return lines.push(embedding)

    def _lines(self, embedding: Embedding) -> Lines:
        key = (embedding.stream, embedding.modality, embedding.model)
        if key not in self._streams:
            nothing = np.zeros((0, len(embedding.vector)), np.float32)
            lines = Lines(self._background.get(embedding.modality, nothing))
            for query in self._queries.values():
                if query.model == embedding.model and query.watches(*key[:2]):
                    lines.put(query)
            self._streams[key] = lines
        return self._streams[key]

    def due(self, now_ns: int) -> list[Alert]:
        """Ends events of streams that fell silent."""
        return [alert for lines in self._streams.values() for alert in lines.due(now_ns)]

    def flush(self) -> list[Alert]:
        """Everything is over: ends every event."""
        return [alert for lines in self._streams.values() for alert in lines.flush()]

    def warming(self) -> list[tuple[str, str]]:
        """(query, stream) pairs whose background is still being learned."""
        return [
            (query, stream)
            for (stream, _, _), lines in self._streams.items()
            for query in lines.warming()
        ]

    def levels(self) -> Iterator[tuple[str, str, Level]]:
        """(query, stream, level): how high a window has to score now, and what that promises."""
        for (stream, _, _), lines in self._streams.items():
            for query, level in lines.levels.items():
                yield query, stream, level
