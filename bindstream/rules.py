"""Rules: from scores to events. On and off levels, N of M windows, lengths, cooldown."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from bindstream.budget.events import SILENCE_NS
from bindstream.config import QueryConfig
from bindstream.records import Alert, Score

LETTING_GO = 0.1
"""An event goes on until its share falls below this part of what it took to start."""
SCORES_MOST = 120
"""Scores an alert carries: the latest ones."""


@dataclass(frozen=True, slots=True)
class Level:
    """How high a window has to score: z from `on` to start an event and from `off` to go on with
    it, each with a share of at least `share` (`LETTING_GO` of it to go on)."""

    on: float
    off: float
    share: float = 0.0
    promise: str = ""


def level_of(query: QueryConfig) -> Level:
    """The level that holds until the stream's background has told a better one."""
    return Level(query.on, query.off, query.share)


@dataclass(frozen=True, slots=True)
class Open:
    """An announced event that is going on: the alert as it stands now, and the `share` in [0, 1]
    that its level asks for. Enough to go on with it elsewhere."""

    alert: Alert
    share: float


@dataclass
class _Event:
    """An event going on; `announced` once it has lasted long enough."""

    level: Level
    first: Score
    last: Score
    peak: Score
    scores: list[float] = field(default_factory=list)
    announced: bool = False


class Rule:
    """Turns one query's scores on one stream into alerts.

    An event starts when `needed` of the last `of` windows reach the level: a window stands out, and
    the query is a likely enough word for it. A vector that stands for several windows is one of
    them, as it is in the background that the level is drawn from. It ends when z falls below `off`,
    when something else explains the window (see `LETTING_GO`), when it has lasted `max_length_s`,
    or when the stream falls silent; the level at which it started holds until then. It is announced
    once it has lasted `min_length_s` (from the start of its first window to the end of its last).
    For `cooldown_s` after the end of an announced one none starts. Windows that come out of order,
    older than the event's newest, change nothing.
    """

    def __init__(self, query: QueryConfig, model: str) -> None:
        self._query = query
        self._model = model
        self._event: _Event | None = None
        self._reached: deque[tuple[int, Score]] = deque(maxlen=query.needed)
        self._latest: Score | None = None
        self._windows = 0
        self._cooldown_ns = round(query.cooldown_s * 1e9)
        self._most_ns = round(query.max_length_s * 1e9)
        self._quiet_until_ns = 0

    @property
    def open(self) -> Open | None:
        """The event that is going on, once it is announced."""
        if self._event is None or not self._event.announced:
            return None
        return Open(self._alert(self._event, "started"), self._event.level.share)

    def carry_on(self, open: Open) -> None:
        """Goes on with an event that was announced before; for before the first window."""
        self._event = _event_of(open)

    def rest_after(self, end_ns: int) -> None:
        """An event that ended at `end_ns`, UTC, is followed by its cooldown here too."""
        self._quiet_until_ns = end_ns + self._cooldown_ns

    def push(
        self, score: Score, level: Level | None = None, *, repeated: bool = False
    ) -> list[Alert]:
        """Alerts of this window.

        Args:
            level: that of the query's configuration if left out.
            repeated: its vector was pushed before.
        """
        self._windows += not repeated
        level = level or level_of(self._query)
        if self._event is None or not _follows(score, self._event.last):
            return self.flush() + self._begin(score, level, repeated)
        event = self._event
        if score.end_ns < event.last.end_ns:
            return []
        likely = score.share >= LETTING_GO * event.level.share
        if not (score.z >= event.level.off and likely):
            return self._end()
        if self._most_ns and score.end_ns > event.first.start_ns + self._most_ns:
            return self._end() + self._begin(score, level, repeated)
        return self._go_on(event, score)

    def is_idle(self, score: Score) -> bool:
        """True if nothing of the past matters after this window: the rule may be forgotten."""
        recent = self._reached and self._windows - self._reached[-1][0] < self._query.of
        return self._event is None and not recent and not self._quiet(score)

    def _begin(self, score: Score, level: Level, repeated: bool) -> list[Alert]:
        latest, self._latest = self._latest, score
        if latest is not None and not _follows(score, latest):
            self._reached.clear()
        if repeated and self._query.needed > 1:
            return []
        # NaN, a background still being learned, reaches no level.
        reached = score.z >= level.on and score.share >= level.share
        if not reached or self._quiet(score):
            return []
        self._reached.append((self._windows, score))
        first_at, first = self._reached[0]
        enough = len(self._reached) == self._query.needed
        if not enough or self._windows - first_at >= self._query.of:
            return []
        self._event = _Event(level, first, first, first)
        between = [one for _, one in self._reached]
        self._reached.clear()
        return [alert for one in between for alert in self._go_on(self._event, one)]

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
            id=f"{self._query.id}/{event.first.stream}/{event.first.start_ns}",
            query=self._query.id,
            text=self._query.shown[0],
            state=state,
            stream=peak.stream,
            modality=peak.modality,
            start_ns=event.first.start_ns,
            end_ns=event.last.end_ns,
            peak_ns=(peak.start_ns + peak.end_ns) // 2,
            peak_z=peak.z,
            peak_share=peak.share,
            peak_cosine=peak.cosine,
            on=event.level.on,
            off=event.level.off,
            scores=tuple(event.scores),
            model=self._model,
            promise=event.level.promise,
            parts=peak.parts,
            readings=peak.readings,
            stages=event.last.stages,
        )


def _event_of(open: Open) -> _Event:
    """The event of an alert as it stands: only what other alerts of it will say is known."""
    alert = open.alert

    def score(start_ns: int, end_ns: int) -> Score:
        return Score(
            query=alert.query,
            stream=alert.stream,
            modality=alert.modality,
            seq=-1,
            start_ns=start_ns,
            end_ns=end_ns,
            cosine=alert.peak_cosine,
            value=math.nan,
            z=alert.peak_z,
            share=alert.peak_share,
            readings=alert.readings,
            stages=alert.stages,
            parts=alert.parts,
        )

    return _Event(
        level=Level(alert.on, alert.off, open.share, alert.promise),
        first=score(alert.start_ns, alert.start_ns),
        last=score(alert.end_ns, alert.end_ns),
        peak=score(alert.peak_ns, alert.peak_ns),
        scores=list(alert.scores),
        announced=True,
    )


def _follows(score: Score, last: Score) -> bool:
    """False where a silence or a jump of the clock lies between two windows."""
    silent_ns = score.start_ns - last.end_ns
    late_ns = last.end_ns - score.end_ns
    return silent_ns < SILENCE_NS and late_ns < SILENCE_NS
