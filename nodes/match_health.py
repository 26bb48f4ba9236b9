"""What the match actor says of itself."""

from __future__ import annotations

import heapq
import itertools
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bindstream.records import Score
from bindstream.watch import Watch

SHOWN_MOST = 500
"""Lines of very many that health tells of: the scores of the highest z, and the first levels."""
WELL_S = 10.0
"""What failed is said for so long at least: whoever asks about once a second has to see it, and one
that fails with each window of a stream is not well in between."""


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
    loop does nothing: `beat_s` is 0 until then. `notes` is what happened once and is over."""

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
    notes: tuple[str, ...] = ()
    is_behind: bool = False  # windows of recordings wait for their turn
    passed_ns: int = -1  # how far recordings were judged, UTC ns of capture


class Failure:
    """What failed in a turn of the loop: `what` until it works again, "" then.

    Args:
        lasts: what failed once is said for good: of recordings, what was not judged is missing in
            what comes of them.
    """

    def __init__(self, *, lasts: bool) -> None:
        self.what = ""
        self._lasts, self._failed_s = lasts, 0.0

    def failed(self, error: Exception) -> None:
        """A turn failed, by `error`."""
        self.what, self._failed_s = f"{type(error).__name__}: {error}", time.monotonic()

    def worked(self) -> None:
        """A turn that had vectors to judge went well."""
        if not self._lasts and time.monotonic() - self._failed_s > WELL_S:
            self.what = ""


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
