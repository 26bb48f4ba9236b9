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

from bindstream.budget.events import SILENCE_NS
from bindstream.combine.drawn import DrawnLevel, Intervals
from bindstream.combine.lacking import lacking
from bindstream.combine.past import Past
from bindstream.combine.recalled import evidence_of, recalled
from bindstream.combine.signs import STEP_NS, Sign, Signs, Sum, sign_of
from bindstream.config.rule import CombinedRule
from bindstream.records import Alert, Embedding, ModalityName, Score
from bindstream.rules import Level, Open, Rule

LATE_S = 5.0
LATE_NS = round(LATE_S * 1e9)
"""How far behind the foremost stream another may be and still count in full."""
JUMP_NS = LATE_NS
"""A stream whose windows are further behind its own newest: its clock went back."""
DOUBT = 60
"""Windows after which a query that none of them was held against is worth a word."""
MEASURE = "log_odds"
"""What its alerts measure."""
Found = tuple[Score, Level, float]
"""A query's score, its level on that stream, and its budget, false alarms an hour."""


class Fused:
    """Turns scores of a rule's queries into its alerts. Reads no clock.

    `late` counts signs that came too late to count in full.
    """

    def __init__(self, rule: CombinedRule) -> None:
        self.config = rule
        self._signs = Signs(rule)
        self._drawn = DrawnLevel(rule)
        self._recalled_ns = -1  # until when its background is known from what was heard before
        self._rule: Rule | None = None
        self._quiet_ns = -1  # when the last event ended that another watch announced
        self._expected: frozenset[str] = frozenset()
        self._missing: tuple[str, ...] = ()
        self._over: set[str] = set()
        self._newest: dict[str, int] = {}
        self._last: Embedding | None = None
        self._at_ns: int | None = None  # the last second that was looked at
        self._value = 0.0  # of that second
        self._place: tuple[str, ModalityName] | None = None  # the stream of an event
        self._windows = 0
        self.late = 0

    @property
    def level(self) -> Level:
        """How much evidence starts an event now, and what that promises."""
        return self._drawn.now

    @property
    def open(self) -> list[Open]:
        """The announced event that is going on, if there is one."""
        found = self._rule.open if self._rule else None
        return [] if found is None else [Open(_measured([found.alert])[0], found.share)]

    def expect(self, streams: Iterable[str], missing: Sequence[str] = ()) -> None:
        """The streams that its queries watch, all of which are waited for.

        Args:
            missing: those of its queries that are not watched for.
        """
        self._expected, self._missing = frozenset(streams), tuple(missing)

    def carry_on(self, event: Open) -> bool:
        """Goes on with an event that was announced before; False if it was none of this rule. Its
        evidence counts for as long as it would have."""
        alert = event.alert
        queries = {part.query for part in alert.parts}
        if alert.measure != MEASURE or not queries <= set(self.config.wanted):
            return False
        self._rule = Rule(self._drawn.query, alert.model)
        self._rule.carry_on(event)
        self._place = alert.stream, alert.modality
        for part in alert.parts:
            self._signs.put(Sign(part, stands_out=False))
        return True

    def rest_after(self, ended: Alert) -> None:
        """An event that ended before is followed by its cooldown here too."""
        if ended.measure != MEASURE or ended.end_ns <= self._quiet_ns:
            return
        self._quiet_ns = ended.end_ns
        self._place = self._place or (ended.stream, ended.modality)
        self._rule = self._rule or Rule(self._drawn.query, ended.model)
        self._rule.rest_after(ended.end_ns)

    def judge(self, confirmed: Intervals, false: Intervals) -> None:
        """What users said of its alerts, in place of what they said before: intervals [start, end)
        in UTC ns of events that were true, which are no background, and of such that were not."""
        self._drawn.judge(confirmed, false)

    def recall(self, pasts: Sequence[Past]) -> None:
        """Its background is known at once from what its queries made of what their streams gave,
        in place of what was learned.

        Args:
            pasts: of each of its queries on each stream that it watches.
        """
        background = recalled(evidence_of(self.config, pasts))
        if background.seconds:
            self._recalled_ns = background.end_ns
            self._drawn.recall(background)

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
            sign = sign_of(score, level, budget, self.config.within_s) if new else None
            if sign is not None:
                self._signs.put(sign)
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
        self._at_ns, self._recalled_ns = None, -1
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
            if all(looked) and at_ns > self._recalled_ns:
                self._drawn.learn(found.value, at_ns - STEP_NS, at_ns)
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
            self._rule = Rule(self._drawn.query, last.model)
        # An event keeps the stream it began with.
        if found.parts and self._value < self.level.off and self._rule.open is None:
            strongest = max(found.parts, key=lambda part: part.log_odds)
            self._place = strongest.stream, strongest.modality
        self._value = found.value
        assert self._place is not None
        stream, modality = self._place
        score = Score(
            query=self.config.id,
            stream=stream,
            modality=modality,
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

    def due(self, now_ns: int) -> list[Alert]:
        """Waits no longer for streams that are far behind; ends an event if all fell silent."""
        if self._last is None:
            return _measured(self._rule.due(now_ns)) if self._rule else []
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
        found = [what] if (what := lacking(self.config, self._missing)) else []
        if self._windows >= DOUBT and (never := self._signs.never - set(self._missing)):
            names = ", ".join(sorted(never))
            found.append(f"no window was held against {names} yet")
        if self.late:
            found.append(f"{self.late} signs came more than {LATE_S:g} s after other streams'")
        return found


def _measured(alerts: list[Alert]) -> list[Alert]:
    return [dataclasses.replace(alert, measure=MEASURE) for alert in alerts]
