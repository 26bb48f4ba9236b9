"""All queries on one stream: scores against the stream's background, levels, rules.

A line is one query on one stream. Lines are scored side by side; only those that stand out, or did
a moment ago, are looked at one by one.
"""

from __future__ import annotations

import dataclasses
import heapq
import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from bindstream.budget.events import Series, Times
from bindstream.budget.heard import Heard, Piece
from bindstream.budget.rejected import Judged, Rejected, raised, usual
from bindstream.budget.tail import Tail
from bindstream.calibration import Backgrounds, Values
from bindstream.combine.past import Past, least_sign
from bindstream.levels import drawn
from bindstream.matcher import Matcher, Query, Vectors, shares
from bindstream.novelty import Novelty
from bindstream.records import Alert, Embedding, ModalityName, Score
from bindstream.rules import Level, Open, Rule, level_of
from bindstream.scores import Scores

FIRST_REFIT = 120
"""Windows after which a level is drawn from the background for the first time."""
GROWTH = 1.1
"""A level is drawn anew once the background is longer by a tenth."""
MOST_REFIT = 3600
"""And after so many windows at the latest."""
RESTS = 180
OVERHEAD = 1800
"""Between two levels as many windows go by as were heard, and `OVERHEAD`, divided by `RESTS`:
whatever the number of queries, drawing levels takes about a millisecond a window."""
SAMPLED = 1000
"""Windows of the past that tell what is usual on a stream."""
AT_ONCE = 0
"""When a level is due that waits for no rest: a user has said something."""
TOGETHER = 256
"""New queries that learn what was heard side by side."""


class Lines:
    """Every query that watches one stream. Reads no clock.

    Args:
        matchers: gives the matcher of some queries, against this modality's background; streams of
            the same queries share one.
        dim: length of the stream's vectors.
    """

    def __init__(self, matchers: Callable[[tuple[Query, ...]], Matcher], dim: int) -> None:
        self._matchers = matchers
        self._queries: tuple[Query, ...] = ()
        self._new: list[Query] = []
        self.matcher: Matcher | None = None
        self._heard = Heard(dim)
        self._novelty = Novelty()
        self._backgrounds = Backgrounds(np.zeros(0, np.float32))
        self._unusual = np.zeros(0, np.intp)
        self._on = np.zeros(0)
        self._share = np.zeros(0)
        self._at: dict[str, int] = {}
        self.levels: dict[str, Level] = {}
        self._tails: dict[str, Tail] = {}
        self._refits: list[tuple[int, str]] = []
        self._rested = 0
        self._rules: dict[str, Rule] = {}
        self._judged: dict[str, Judged] = {}
        self._computed = -1

    def warming(self) -> list[str]:
        """Queries whose background is still being learned."""
        ready = self._backgrounds.ready
        names = [q.config.id for line, q in enumerate(self._queries) if not ready[line]]
        return [*names, *(q.config.id for q in self._new)]

    def hear(self, pieces: Iterable[Piece]) -> None:
        """What the stream gave before: `heard.Heard.extend` says how. For before the first window
        and the first query."""
        self._heard.extend(pieces)

    def put(self, query: Query) -> None:
        """Adds a query. It learns from what the stream gave so far, with the next window."""
        self._new.append(query)

    def remove(self, query_id: str) -> list[Alert]:
        """Ends the query's event; nothing if there is no such query."""
        self._new = [q for q in self._new if q.config.id != query_id]
        if query_id in self._at:
            self._backgrounds.drop(self._at[query_id])
            self._arrange([q for q in self._queries if q.config.id != query_id])
            del self.levels[query_id]
            self._tails.pop(query_id, None)
            self._refits = [(due, name) for due, name in self._refits if name != query_id]
            heapq.heapify(self._refits)
        self._judged.pop(query_id, None)
        rule = self._rules.pop(query_id, None)
        return rule.flush() if rule else []

    def judge(self, query_id: str, judged: Judged) -> None:
        """What users said of a query's alerts here, in place of what they said before; its level is
        drawn anew soon."""
        self._judged[query_id] = judged
        if query_id in self._at and len(self._heard) >= FIRST_REFIT:
            self._refits = [
                (AT_ONCE if name == query_id else due, name) for due, name in self._refits
            ]
            heapq.heapify(self._refits)

    def rule(self, query: Query) -> Rule:
        """The rule of a query that was put here, which lives while something of the past counts."""
        return self._rules.setdefault(query.config.id, Rule(query.config, query.model))

    def place(self, query_id: str) -> int | None:
        """The place of a query's score among `push`'s scores; None if it has none."""
        return self._at.get(query_id)

    def past(self, query_id: str, stream: str, modality: ModalityName) -> Past | None:
        """What a query made of all that was heard; None while no level was drawn from that."""
        if (tail := self._tails.get(query_id)) is None:
            return None
        query, level = self._queries[self._at[query_id]], self.levels[query_id]
        z = self._learned([query], Backgrounds(np.array([query.config.off])))[:, 0]
        likely = np.ones(len(z))
        high = np.flatnonzero(z >= least_sign(tail, level))
        if len(high) and (matcher := self._matchers((query,))).has_contrast[0]:
            likely[high] = shares(matcher.push(self._heard.take(high))[1][:, 0])
        budget, times = query.config.budget, self._heard.times()
        return Past(query_id, budget, stream, modality, *times, z, likely, tail, level)

    @property
    def open(self) -> list[Open]:
        """Announced events that are going on."""
        return [found for rule in self._rules.values() if (found := rule.open) is not None]

    def peak(self, alert: Alert) -> tuple[Vectors, float] | None:
        """The vector (dim,) of an alert's highest window, and which cosine to it is usual here (see
        `budget.rejected`); None if that window is no longer known."""
        if (vector := self._heard.at(alert.peak_ns)) is None:
            return None
        others = self._heard.some(SAMPLED, but=(alert.start_ns, alert.end_ns))
        return vector, usual(others @ vector)

    def _arrange(self, queries: Sequence[Query]) -> None:
        self._queries = tuple(queries)
        self._at = {query.config.id: line for line, query in enumerate(queries)}
        self.matcher = self._matchers(self._queries) if queries else None
        self._unusual = _unusual(queries)
        levels = [self.levels[q.config.id] for q in queries]
        self._on = np.array([level.on for level in levels], np.float32)
        self._share = np.array([level.share for level in levels], np.float32)

    def begin(self) -> None:
        """Queries that came since the last window learn, and are watched for from now on."""
        if not self._new:
            return
        new, self._new = self._new, []
        if any(query.config.unusual for query in new):
            self._novelty.draw(self._heard)
        learned: list[Backgrounds] = []
        for start in range(0, len(new), TOGETHER):
            some = new[start : start + TOGETHER]
            lines = Backgrounds(np.array([q.config.off for q in some]))
            z = self._learned(some, lines)
            for line, query in enumerate(some):
                if len(self._heard) >= FIRST_REFIT:
                    self._refit(query, z[:, line])
                else:
                    self.levels[query.config.id] = level_of(query.config)
                    heapq.heappush(self._refits, (FIRST_REFIT, query.config.id))
            learned.append(lines)
        self._backgrounds.join(learned)
        self._arrange([*self._queries, *new])

    def _learned(self, queries: Sequence[Query], lines: Backgrounds) -> Values:
        """z of queries for all that was heard, (n, q), which `lines` learn."""
        matcher, unusual = self._matchers(tuple(queries)), _unusual(queries)
        found, starts = [np.zeros((0, len(queries)), np.float32)], self._heard.times()[0]
        for piece in self._heard.vectors():
            begins, starts = starts[: len(piece)], starts[len(piece) :]
            scored = self._with_unusual(matcher.push(piece), unusual, piece, begins)
            found.append(lines.push_all(scored[1]))
        return np.concatenate(found)

    def _with_unusual(
        self, scored: tuple[Values, Values], unusual: NDArray[np.intp], of: Vectors, begins: Times
    ) -> tuple[Values, Values]:
        """Cosines and values (n, q) of windows (n, dim).

        Args:
            unusual: lines that score how new a window is: 1 less its cosine to the likest ones.
            begins: (n,) when the windows begin, UTC ns.
        """
        if len(unusual):
            likest = self._novelty.push(of, begins)[:, None]
            scored = scored[0].copy(), scored[1].copy()
            scored[0][:, unusual], scored[1][:, unusual] = likest, 1 - likest
        return scored

    def push(
        self, embedding: Embedding, cosines: Values, values: Values
    ) -> tuple[Sequence[Score], list[Alert]]:
        """A window's score for each query, and the alerts it started or ended.

        Args:
            cosines, values: (q,), what `matcher` makes of the window, since `begin`.
        """
        repeated = self._is_repeated(embedding)
        taken = self._heard.push(embedding, repeated=repeated)
        if self.matcher is None:
            return [], []
        begins, of = np.array([embedding.start_ns]), embedding.vector[None]
        found = self._with_unusual((cosines[None], values[None]), self._unusual, of, begins)
        cosines, values = found[0][0], found[1][0]
        alarmed = [self._at[event.alert.query] for event in self.open]
        z = self._backgrounds.push(values, repeated=repeated, alarmed=alarmed)
        likely = np.where(self.matcher.has_contrast, shares(values), np.float32(1))
        scores = Scores(embedding, self._queries, cosines, values, z, likely, self._tails)
        reached = (z >= self._on) & (likely >= self._share)
        alerts = self._judge(scores, reached, repeated)
        if taken:
            self._refit_one()
        return scores, alerts

    def _is_repeated(self, embedding: Embedding) -> bool:
        """True for a vector that was scored before."""
        computed = embedding.seq if embedding.same_as is None else embedding.same_as
        repeated = embedding.same_as is not None and computed == self._computed
        self._computed = computed
        return repeated

    def _judge(self, scores: Scores, reached: NDArray[np.bool_], repeated: bool) -> list[Alert]:
        alerts: list[Alert] = []
        for line in np.flatnonzero(reached).tolist():
            self.rule(scores.queries[line])
        for name, rule in list(self._rules.items()):
            score = scores[self._at[name]]
            level = self._level(name, scores.embedding)
            alerts += rule.push(score, level, repeated=repeated)
            if rule.is_idle(score):
                del self._rules[name]
        return alerts

    def _level(self, name: str, embedding: Embedding) -> Level:
        """A query's level for one window: raised if that is like an event that was rejected."""
        level, judged = self.levels[name], self._judged.get(name, Judged())
        if not raised(judged.rejected, embedding.vector[None])[0]:
            return level
        up = raised(self._as_of_now(name, judged.rejected), embedding.vector[None])[0]
        return dataclasses.replace(level, on=level.on + float(up))

    def _as_of_now(self, name: str, rejected: Sequence[Rejected]) -> list[Rejected]:
        """Rejected events with the z that they would have against the background as it is now."""
        line = self._at[name]
        vectors = np.stack([each.vector for each in rejected])
        query, begins = self._queries[line], np.zeros(len(vectors), np.int64)
        scored = self._matchers((query,)).push(vectors)
        values = np.full((len(vectors), len(self._queries)), np.nan, np.float32)
        values[:, [line]] = self._with_unusual(scored, _unusual([query]), vectors, begins)[1]
        z = self._backgrounds.z(values)[:, line]
        return [
            dataclasses.replace(each, z=max(each.z, float(now)))
            for each, now in zip(rejected, z, strict=True)
        ]

    def _refit_one(self) -> None:
        """The level of one query that is due, if there was enough rest."""
        self._rested += 1
        due = self._refits[0][0] if self._refits else math.inf
        has_rested = self._rested * RESTS >= len(self._heard) + OVERHEAD
        if due > self._heard.total or not (has_rested or due == AT_ONCE):
            return
        self._rested = 0
        line = self._at[heapq.heappop(self._refits)[1]]
        query = self._queries[line]
        learned = Backgrounds(np.array([query.config.off]))
        if query.config.unusual:
            self._novelty.draw(self._heard)
        level = self._refit(query, self._learned([query], learned)[:, 0])
        if query.config.unusual:  # what was learned was held against another sample
            self._backgrounds.replace(line, learned)
        self._on[line], self._share[line] = level.on, level.share

    def _refit(self, query: Query, z: Values) -> Level:
        """Draws a query's level from its z (n,) of all that was heard."""
        starts, ends = self._heard.times()
        known = np.isfinite(z)  # not so in the warm-up
        total, name = self._heard.total, query.config.id
        judged = self._judged.get(name, Judged())
        # A level raised by so much is a score lowered by as much.
        values = z.astype(np.float64) - self._raised(judged)
        series = Series(values[known], starts[known], ends[known])
        remembered_h = series.hours if self._heard.is_full else math.inf
        made, level = drawn(query.config, series, judged, remembered_h)
        due = min(math.ceil(total * GROWTH), total + MOST_REFIT)
        heapq.heappush(self._refits, (due, name))
        self._tails[name] = made.tail
        self.levels[name] = level
        return level

    def _raised(self, judged: Judged) -> NDArray[np.float64]:
        """By how much the level is raised for each window that was heard, (n,)."""
        if not judged.rejected:
            return np.zeros(len(self._heard))
        return np.concatenate([raised(judged.rejected, some) for some in self._heard.vectors()])

    def due(self, now_ns: int) -> list[Alert]:
        """Ends events if the stream fell silent."""
        return [alert for rule in self._rules.values() for alert in rule.due(now_ns)]

    def flush(self) -> list[Alert]:
        """The stream is over: ends every event."""
        return [alert for rule in self._rules.values() for alert in rule.flush()]


def _unusual(queries: Sequence[Query]) -> NDArray[np.intp]:
    """The places of queries for whatever is unusual."""
    return np.flatnonzero([query.config.unusual for query in queries])
