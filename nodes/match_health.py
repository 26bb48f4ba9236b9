"""What the match actor says of itself."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bindstream.records import Score
from bindstream.watch import Watch

SHOWN_MOST = 500
"""Lines of very many that health tells of: the scores of the highest z, and the first levels."""


@dataclass(frozen=True)
class Armed:
    """A query on a stream: the z that starts an alert now, and what is promised of it. Of a rule
    over queries: the evidence that does (`stream` is "")."""

    query: str
    stream: str
    on: float
    promise: str


@dataclass(frozen=True)
class MatchHealth:
    """What the match actor says of itself; `queries` is None until they were given to it, and its
    loop does nothing: `beat_s` is 0 until then."""

    pid: int
    queries: tuple[str, ...] | None
    embeddings: dict[str, int]
    alerts: int
    alerts_of: dict[str, int]
    missed: dict[str, int]
    refused: int
    warming: list[tuple[str, str]]
    armed: list[Armed]
    rules: list[Armed]
    doubts: list[str]
    latency: dict[str, dict[str, float]]
    scores: list[Score]
    beat_s: float
    error: str
    is_behind: bool = False  # windows of recordings wait for their turn
    passed_ns: int = -1  # how far recordings were judged, UTC ns of capture


def highest(scores: Iterable[Sequence[Score]]) -> list[Score]:
    """The last scores of all streams; of very many those of the highest z."""
    found = [score for some in scores for score in some]
    if len(found) <= SHOWN_MOST:
        return found
    return heapq.nlargest(SHOWN_MOST, found, key=lambda s: -math.inf if math.isnan(s.z) else s.z)


def armed(watch: Watch) -> list[Armed]:
    """Queries on streams, as they are armed."""
    found = itertools.islice(watch.levels(), SHOWN_MOST)
    return [Armed(query, stream, level.on, level.promise) for query, stream, level in found]


def armed_rules(watch: Watch) -> list[Armed]:
    """Every rule over queries, as it is armed."""
    return [Armed(r, "", level.on, level.promise) for r, level in watch.rules.levels()]
