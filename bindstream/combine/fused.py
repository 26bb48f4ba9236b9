"""A rule over queries: the evidence of several streams as one series in event time, and its events.

Streams' windows arrive out of order between streams, by seconds. The series has a value a second of
capture time; a second is looked at once every stream that the rule listens to has passed it, or,
where a clock runs, once the foremost is `LATE_S` beyond it: nobody waits for long for a stream that
is gone. Within that the order of arrival changes nothing. What comes later still counts for the
seconds after it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

from bindstream.budget.promise import Promise, per_hour, promise
from bindstream.budget.tail import FEWEST
from bindstream.combine.background import FusedBackground
from bindstream.combine.odds import LEAST, chance, evidence, log_odds, reaches
from bindstream.combine.signs import SILENCE_NS, Sign, Signs, Sum
from bindstream.config import QueryConfig
from bindstream.config.rule import CombinedRule
from bindstream.levels import shape_of
from bindstream.records import Alert, Embedding, Part, Score
from bindstream.rules import Level, Rule

STEP_NS = 1_000_000_000
"""The series has one value a second, which is what windows are apart by default."""
LATE_S = 5.0
LATE_NS = round(LATE_S * 1e9)
"""How far behind the foremost stream another may be and still count in full."""
JUMP_NS = LATE_NS
"""A stream whose windows are further behind its own newest: its clock went back."""
HYSTERESIS = 0.5
"""An event goes on until so far below the level, in nats; less than the least sign has."""
FIRST_REFIT = 120
GROWTH = 1.1
MOST_REFIT = 3600
"""Seconds of background after which a level is drawn from it: first, by how much more each time,
and at the latest. As for queries (`bindstream.lines`)."""
DOUBT = 60
"""Windows after which a query that none of them was held against is worth a word."""
Found = tuple[Score, Level, float]
"""A query's score, its level on that stream, and its budget, false alarms an hour."""


class Fused:
    """Turns scores of a rule's queries into its alerts. Reads no clock.

    `late` counts signs that came too late to count in full.
    """

    def __init__(self, rule: CombinedRule) -> None:
        self.config = rule
        self._signs = Signs(rule)
        self._background = FusedBackground()
        self._refit_at = FIRST_REFIT
        self._least = LEAST * rule.needed
        on = max(log_odds(chance(rule.budget, rule.within_s)), self._least)
        said = (
            f"meant for {per_hour(rule.budget)}; nothing is promised before its background is known"
        )
        self._start = self.level = Level(on, on - HYSTERESIS, promise=said)
        self._shape = shape_of(self._as_query())
        self._rule: Rule | None = None
        self._expected: frozenset[str] = frozenset()
        self._over: set[str] = set()
        self._newest: dict[str, int] = {}
        self._last: Embedding | None = None
        self._at_ns: int | None = None  # the last second that was looked at
        self._value = 0.0  # of that second
        self._strongest: Part | None = None
        self._windows = 0
        self.late = 0

    def _as_query(self) -> QueryConfig:
        """What an event of the rule has to be, as the rules of queries state it."""
        return QueryConfig(
            id=self.config.id,
            text=(self.config.said,),
            literal=True,
            on=self._start.on,
            off=self._start.off,
            share=0,
            budget=self.config.budget,
            min_length_s=self.config.min_length_s,
            max_length_s=self.config.max_length_s,
            cooldown_s=self.config.cooldown_s,
        )

    def expect(self, streams: Iterable[str]) -> None:
        """The streams that its queries watch, all of which are waited for."""
        self._expected = frozenset(streams)

    def push(self, window: Embedding, found: Sequence[Found], *, new: bool) -> list[Alert]:
        """A window's scores for those of the rule's queries that watch its stream.

        Args:
            new: its vector was computed of it; one that stands for several windows is one sign.
        """
        alerts = self._follow(window)
        self._last = window
        self._windows += 1
        for score, level, budget in found:
            if math.isnan(score.z):  # still being learned
                continue
            self._signs.scored(score.query, window.end_ns)
            odds = evidence(score, level, budget, self.config.within_s) if new else 0.0
            if odds:
                self._signs.put(Sign(_part(score, odds), reaches(score, level)))
                self.late += self._at_ns is not None and window.end_ns <= self._at_ns
        return alerts + self._pass(self._passed_by_all())

    def _follow(self, window: Embedding) -> list[Alert]:
        """Keeps up with a stream's clock; begins anew if it went back before what was looked at."""
        before = self._newest.get(window.stream, window.end_ns)
        went_back = window.end_ns < before - JUMP_NS
        self._newest[window.stream] = window.end_ns if went_back else max(before, window.end_ns)
        if not went_back or self._at_ns is None:
            return []
        if max(self._newest.values()) >= self._at_ns - JUMP_NS:
            return []
        self._signs.clear()
        self._at_ns = None
        return _measured(self._rule.flush()) if self._rule else []

    def _passed_by_all(self) -> int:
        """What every stream that is waited for has passed; -1 while one never spoke."""
        waited = self._expected - self._over
        if not waited:
            return max(self._newest.values(), default=-1)
        return min(self._newest.get(stream, -1) for stream in waited)

    def _pass(self, until_ns: int) -> list[Alert]:
        """Looks at every second up to `until_ns` that was not looked at yet."""
        alerts: list[Alert] = []
        while (at_ns := self._next_ns()) is not None and at_ns <= until_ns:
            self._at_ns = at_ns
            looked = self._signs.looked(at_ns)
            found = self._signs.sum(at_ns)
            alerts += self._judge(at_ns, found)
            if all(looked):
                self._learn(found.value, at_ns)
            self._signs.forget(at_ns)
        return alerts

    def _next_ns(self) -> int | None:
        """The next second in which anybody spoke; None if there is none yet."""
        after_ns = -1 if self._at_ns is None else self._at_ns
        if self._at_ns is not None and any(self._signs.looked(after_ns + STEP_NS)):
            return after_ns + STEP_NS
        first_ns = self._signs.first_ns(after_ns)
        return None if first_ns is None else -(-first_ns // STEP_NS) * STEP_NS

    def _judge(self, at_ns: int, found: Sum) -> list[Alert]:
        last = self._last
        assert last is not None
        if self._rule is None:
            if not found.value:
                self._value = 0.0
                return []
            self._rule = Rule(self._as_query(), last.model)
        if found.parts and self._value < self.level.off:  # an event keeps the stream it began with
            self._strongest = max(found.parts, key=lambda part: part.log_odds)
        self._value = found.value
        assert self._strongest is not None
        score = Score(
            query=self.config.id,
            stream=self._strongest.stream,
            modality=self._strongest.modality,
            seq=at_ns // STEP_NS,
            start_ns=at_ns - STEP_NS,
            end_ns=at_ns,
            cosine=0.0,
            value=found.value,
            z=found.value,
            stages=last.stages,
            parts=found.parts,
        )
        alerts = self._rule.push(score, self.level)
        if self._rule.is_idle(score):
            self._rule = None
        return _measured(alerts)

    def _learn(self, value: float, at_ns: int) -> None:
        self._background.push(value, at_ns - STEP_NS, at_ns)
        total = self._background.total
        if total < self._refit_at:
            return
        self._refit_at = min(math.ceil(total * GROWTH), total + MOST_REFIT)
        self.level = self._drawn(
            promise(self._background.series(), self._shape, self.config.budget)
        )

    def _drawn(self, made: Promise) -> Level:
        """The level that holds, from what can be promised: see `bindstream.lines`."""
        if made.is_kept:
            on = max(made.cut, self._least)
        elif made.tail.peaks < FEWEST:
            on = self._start.on
        else:
            on = max(self._start.on, made.tail.level(self.config.budget))
        return Level(on, on - HYSTERESIS, promise=str(made))

    def due(self, now_ns: int) -> list[Alert]:
        """Waits no longer for streams that are far behind; ends an event if all fell silent."""
        if self._last is None:
            return []
        newest_ns = max(self._newest.values())
        heard_ns = self._last.stages.get("delivered", self._last.end_ns)
        if now_ns - heard_ns >= SILENCE_NS:
            return self.flush()
        return self._pass(newest_ns - LATE_NS)

    def over(self, stream: str) -> list[Alert]:
        """A recording has ended: it is not waited for."""
        self._over.add(stream)
        return self._pass(self._passed_by_all())

    def flush(self) -> list[Alert]:
        """Nobody speaks any more: so the event is over."""
        alerts = self._pass(max(self._newest.values(), default=-1))
        return alerts + (_measured(self._rule.flush()) if self._rule else [])

    def doubts(self) -> list[str]:
        """What keeps it from working."""
        found = []
        if self._windows >= DOUBT and self._signs.never:
            names = ", ".join(sorted(self._signs.never))
            found.append(f"no window was held against {names} yet")
        if self.late:
            found.append(f"{self.late} signs came more than {LATE_S:g} s after other streams'")
        return found


def _part(score: Score, odds: float) -> Part:
    return Part(
        query=score.query,
        stream=score.stream,
        modality=score.modality,
        start_ns=score.start_ns,
        end_ns=score.end_ns,
        log_odds=odds,
    )


def _measured(alerts: list[Alert]) -> list[Alert]:
    return [dataclasses.replace(alert, measure="log_odds") for alert in alerts]
