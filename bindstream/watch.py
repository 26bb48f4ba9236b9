"""The watch: embeddings in, scores and alerts out. Each stream is judged by its own background."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from weakref import WeakValueDictionary

import numpy as np

from bindstream.budget.heard import Piece
from bindstream.budget.rejected import Judged
from bindstream.calibration import Values
from bindstream.combine.past import Past
from bindstream.combine.ruleset import RuleSet
from bindstream.lines import Lines
from bindstream.matcher import Matcher, Query, Vectors
from bindstream.records import Alert, Embedding, ModalityName, Score
from bindstream.rules import Level, Open, Rule

TOGETHER = 64
"""Windows that are best scored in one go at most: with very many queries that takes hardly longer
than one."""

MEASURE = "z"
"""What alerts of queries measure; any other alert is of a rule."""


class Watch:
    """Watches every stream for every query and every rule. Reads no clock.

    Args:
        background: per modality, text vectors (n, dim) of its background phrases.
        streams: those that are expected, by their modality. Rules over several wait for them, and
            only they can be silent.

    `refused` counts vectors of another model than a query's: those are never compared. `rules` may
    be added to at any time.
    """

    def __init__(
        self,
        background: Mapping[ModalityName, Vectors],
        streams: Mapping[str, ModalityName] | None = None,
    ) -> None:
        self.rules = RuleSet(streams or {})
        self._background = background
        self._queries: dict[str, Query] = {}
        self._models: Counter[str] = Counter()
        self._streams: dict[tuple[str, ModalityName, str], Lines] = {}
        self._matchers: WeakValueDictionary[Hashable, Matcher] = WeakValueDictionary()
        self._judged: dict[str, Mapping[str, Judged]] = {}
        self.refused = 0

    @property
    def queries(self) -> list[Query]:
        return list(self._queries.values())

    def contrast_with(self, background: Mapping[ModalityName, Vectors]) -> list[Alert]:
        """Take other background phrases from now on. For before the first query that is of words:
        what streams gave until now is forgotten, and events end."""
        ended = self.flush()
        self._background = background
        self._streams.clear()
        self._matchers.clear()
        return ended

    def put(self, query: Query) -> list[Alert]:
        """Add a query, or replace the one of the same id, whose events end.

        It learns its background from what the streams gave so far.
        """
        ended = self.remove(query.config.id)
        self._queries[query.config.id] = query
        self.rules.arrange(self._queries)
        self._models[query.model] += 1
        for (stream, modality, model), lines in self._streams.items():
            if query.model == model and query.watches(stream, modality):
                lines.put(query)
        return ended

    def remove(self, query_id: str) -> list[Alert]:
        """Stop watching for a query; ends its events. Unknown ids are left alone."""
        self._judged.pop(query_id, None)
        if (query := self._queries.pop(query_id, None)) is not None:
            self._models[query.model] -= 1
        self.rules.arrange(self._queries)
        ended = [alert for lines in self._streams.values() for alert in lines.remove(query_id)]
        return ended if query is None or query.config.alert else []

    def judge(self, query_id: str, judged: Mapping[str, Judged]) -> None:
        """What users said of a query's alerts, by stream, in place of what they said before. What
        is said of a query counts as long as it is watched for."""
        self._judged[query_id] = judged
        for (stream, _, _), lines in self._streams.items():
            lines.judge(query_id, judged.get(stream, Judged()))

    def carry_on(self, event: Open) -> list[Alert]:
        """Goes on with an event that was announced before this watch began; for after its queries
        and rules were put. If it is not watched for any more it ends here and now."""
        alert = event.alert
        if alert.measure != MEASURE:
            return self.rules.carry_on(event)
        rule = self._rule(alert.query, alert.stream, alert.modality, alert.model)
        if rule is None:
            return [dataclasses.replace(alert, state="ended")]
        rule.carry_on(event)
        return []

    def rest_after(self, ended: Alert) -> None:
        """An event that ended before this watch began is followed by its cooldown here."""
        if ended.measure != MEASURE:
            self.rules.rest_after(ended)
            return
        rule = self._rule(ended.query, ended.stream, ended.modality, ended.model)
        if rule is not None:
            rule.rest_after(ended.end_ns)

    def _rule(self, query_id: str, stream: str, modality: ModalityName, model: str) -> Rule | None:
        query = self._queries.get(query_id)
        if query is None or query.model != model or not query.watches(stream, modality):
            return None
        return self._stream(stream, modality, model, len(query.positive)).rule(query)

    def open(self) -> list[Open]:
        """Announced events that are going on."""
        own = [event for lines in self._streams.values() for event in lines.open]
        return own + self.rules.open()

    def peak(self, alert: Alert) -> tuple[Vectors, float] | None:
        """An alert's highest window: see `Lines.peak`."""
        lines = self._streams.get((alert.stream, alert.modality, alert.model))
        return lines.peak(alert) if lines else None

    def push(self, embedding: Embedding) -> tuple[Sequence[Score], list[Alert]]:
        """Scores of a window against each query that watches its stream, and alerts."""
        return self.push_all([embedding])[0]

    def push_all(
        self, embeddings: Sequence[Embedding]
    ) -> list[tuple[Sequence[Score], list[Alert]]]:
        """As `push` one after another; streams of the same queries are scored in one go."""
        places = [self._lines(embedding) for embedding in embeddings]
        for lines in places:
            lines.begin()
        self._recall()
        together: dict[Matcher | None, list[int]] = defaultdict(list)
        for at, lines in enumerate(places):
            together[lines.matcher].append(at)
        scored: dict[int, tuple[Values, Values]] = {}
        for matcher, group in together.items():
            if matcher is not None:
                found = matcher.push(np.stack([embeddings[at].vector for at in group]))
                scored.update(zip(group, zip(*found, strict=True), strict=True))
        nothing = np.zeros(0, np.float32)
        judged = []
        for at, (lines, embedding) in enumerate(zip(places, embeddings, strict=True)):
            scores, alerts = lines.push(embedding, *scored.get(at, (nothing, nothing)))
            places_of = (lines.place(query) for query in self.rules.used)
            used = [scores[place] for place in places_of if place is not None]
            combined = self.rules.push(embedding, used, lines.levels)
            judged.append((scores, self._spoken(alerts) + combined))
        return judged

    def _recall(self) -> None:
        """Lets rules know what their queries made of what streams gave so far."""
        if not (names := self.rules.unheard):
            return
        pasts: list[Past] = []
        for (stream, modality, _), lines in self._streams.items():
            lines.begin()
            for name in sorted(names):  # sums of floats depend on their order
                if (past := lines.past(name, stream, modality)) is not None:
                    pasts.append(past)
        self.rules.recall(pasts)

    def _spoken(self, alerts: Iterable[Alert]) -> list[Alert]:
        """Alerts less those of queries that are for rules alone."""
        return [alert for alert in alerts if self._queries[alert.query].config.alert]

    def hear(
        self, stream: str, modality: ModalityName, model: str, pieces: Iterable[Piece]
    ) -> None:
        """What a stream gave before this watch began, from which its background is known at once.

        Args:
            pieces: starts and ends (n,) in UTC ns and vectors (n, dim) of computed windows, oldest
                first.
        """
        pieces = iter(pieces)
        if (first := next(pieces, None)) is not None:
            lines = self._stream(stream, modality, model, first[2].shape[1])
            lines.hear(itertools.chain((first,), pieces))

    def _lines(self, embedding: Embedding) -> Lines:
        stream, modality, model = embedding.stream, embedding.modality, embedding.model
        others = self._models.total() - self._models[model]
        self.refused += others > 0 and any(
            q.model != model and q.watches(stream, modality) for q in self._queries.values()
        )
        return self._stream(stream, modality, model, len(embedding.vector))

    def _stream(self, stream: str, modality: ModalityName, model: str, dim: int) -> Lines:
        key = (stream, modality, model)
        if key not in self._streams:
            lines = Lines(functools.partial(self._matcher, modality, dim), dim)
            for query in self._queries.values():
                if query.model == model and query.watches(stream, modality):
                    lines.put(query)
            for query_id, judged in self._judged.items():
                if stream in judged:
                    lines.judge(query_id, judged[stream])
            self._streams[key] = lines
        return self._streams[key]

    def _matcher(self, modality: ModalityName, dim: int, queries: tuple[Query, ...]) -> Matcher:
        """The matcher of these queries, which streams share that watch for the same."""
        key = (modality, queries)
        if (matcher := self._matchers.get(key)) is None:
            nothing = np.zeros((0, dim), np.float32)
            matcher = Matcher(queries, self._background.get(modality, nothing))
            self._matchers[key] = matcher
        return matcher

    def due(self, now_ns: int) -> list[Alert]:
        """Ends events of streams that fell silent; what rules make of the time that went by."""
        ended = [alert for lines in self._streams.values() for alert in lines.due(now_ns)]
        return self._spoken(ended) + self.rules.due(now_ns)

    def flush(self) -> list[Alert]:
        """Everything is over: ends every event."""
        ended = [alert for lines in self._streams.values() for alert in lines.flush()]
        return self._spoken(ended) + self.rules.flush()

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
