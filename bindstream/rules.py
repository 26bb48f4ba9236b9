"""Rules: from scores to events. On and off levels, minimum length, cooldown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bindstream.config import QueryConfig
from bindstream.config.query import SILENCE_S
from bindstream.records import Alert, Score

SILENCE_NS = round(SILENCE_S * 1e9)
LETTING_GO = 0.1
"""An event goes on until its share falls below this part of what it took to start."""
SCORES_MOST = 120
"""Scores an alert carries: the latest ones."""


@dataclass
class _Event:
    """An event going on; `announced` once it has lasted long enough."""

    first: Score
    last: Score
    peak: Score
    scores: list[float] = field(default_factory=list)
    announced: bool = False


class Rule:
    """Turns one query's scores on one stream into alerts.

    An event starts when z reaches `on` with a share of at least `share`: the window stands out, and
    the query is a likely enough word for it. It ends when z falls below `off`, when something else
    explains the window (see `LETTING_GO`), or when the stream falls silent. It is announced once it
    has lasted `min_length_s` (from the start of its first window to the end of its last). For
    `cooldown_s` after the end of an announced one none starts. Windows that come out of order,
    older than the event's newest, change nothing.
    """

    def __init__(self, query: QueryConfig, model: str) -> None:
        self._query = query
        self._model = model
        self._event: _Event | None = None
        self._cooldown_ns = round(query.cooldown_s * 1e9)
        self._quiet_until_ns = 0

    def push(self, score: Score) -> list[Alert]:
        if self._event is None or not _follows(score, self._event.last):
            return self.flush() + self._begin(score)
        if score.end_ns < self._event.last.end_ns:
            return []
        if not (score.z >= self._query.off and score.share >= LETTING_GO * self._query.share):
            return self._end()
        return self._go_on(self._event, score)

    def _begin(self, score: Score) -> list[Alert]:
        # NaN, a background still being learned, reaches no level.
        answers = score.z >= self._query.on and score.share >= self._query.share
        if not answers or self._quiet(score):
            return []
        self._event = _Event(score, score, score)
        return self._go_on(self._event, score)

    def _quiet(self, score: Score) -> bool:
        """True in the cooldown; a clock that jumped to before it does not prolong it."""
        left_ns = self._quiet_until_ns - score.start_ns
        overlap_ns = score.end_ns - score.start_ns + SILENCE_NS
        return 0 < left_ns <= self._cooldown_ns + overlap_ns

    def _go_on(self, event: _Event, score: Score) -> list[Alert]:
        event.last = score
        event.scores = [*event.scores, score.z][-SCORES_MOST:]
        if score.z > event.peak.z:
            event.peak = score
        lasted_ns = score.end_ns - event.first.start_ns
        if event.announced or lasted_ns < round(self._query.min_length_s * 1e9):
            return []
        event.announced = True
        return [self._alert(event, "started")]

    def due(self, now_ns: int) -> list[Alert]:
        """Ends an event whose stream has fallen silent."""
        if self._event is None:
            return []
        # A recording may lag behind the clock without being silent: what counts is its arrival.
        last = self._event.last
        heard_ns = last.stages.get("delivered", last.end_ns)
        return self._end() if now_ns - heard_ns >= SILENCE_NS else []

    def flush(self) -> list[Alert]:
        """The stream is over: so is its event."""
        return [] if self._event is None else self._end()

    def _end(self) -> list[Alert]:
        event, self._event = self._event, None
        assert event is not None
        if not event.announced:
            return []
        self._quiet_until_ns = event.last.end_ns + self._cooldown_ns
        return [self._alert(event, "ended")]

    def _alert(self, event: _Event, state: Literal["started", "ended"]) -> Alert:
        peak = event.peak
        return Alert(
            id=f"{self._query.id}/{peak.stream}/{event.first.start_ns}",
            query=self._query.id,
            text=self._query.text[0],
            state=state,
            stream=peak.stream,
            modality=peak.modality,
            start_ns=event.first.start_ns,
            end_ns=event.last.end_ns,
            peak_ns=(peak.start_ns + peak.end_ns) // 2,
            peak_z=peak.z,
            peak_share=peak.share,
            peak_cosine=peak.cosine,
            on=self._query.on,
            off=self._query.off,
            scores=tuple(event.scores),
            model=self._model,
            readings=peak.readings,
            stages=event.last.stages,
        )


def _follows(score: Score, last: Score) -> bool:
    """False where a silence or a jump of the clock lies between two windows."""
    silent_ns = score.start_ns - last.end_ns
    late_ns = last.end_ns - score.end_ns
    return silent_ns < SILENCE_NS and late_ns < SILENCE_NS
