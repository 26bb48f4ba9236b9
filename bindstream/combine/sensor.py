"""Rules without a model: a reading above or below a level, a stream that says nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

from bindstream.config import QueryConfig
from bindstream.config.rule import ReadingRule, SilenceRule
from bindstream.records import Alert, Embedding, ModalityName, Score
from bindstream.rules import Level, Open, Rule

DOUBT = 60
"""Windows without its reading after which a rule says so."""
MEASURE = "silent_s"
"""What alerts of silence measure."""
STEP_MOST_NS = 2_000_000_000
"""Silence counted between two looks at the clock, at most: a process that itself stood still for
longer heard nobody, which is not the streams' fault."""
START_NS = 30_000_000_000
"""A stream of which nothing ever came has so much longer: its process and its sensor are starting,
which takes 5 to 20 s on a small machine. One that never comes up is told of all the same."""


class ReadingWatch:
    """Turns a reading of each window into alerts. Reads no clock.

    Windows that reuse a vector have readings of their own, and count.
    """

    def __init__(self, rule: ReadingRule) -> None:
        self.config = rule
        # Events are of what is high: a level from above is watched upside down.
        self._sign = 1.0 if rule.above is not None else -1.0
        self._level = Level(self._sign * rule.level, self._sign * rule.end)
        self._rules: dict[str, Rule] = {}
        self._without: dict[str, int] = {}

    def push(self, window: Embedding) -> list[Alert]:
        """A window of any stream."""
        rule, stream = self.config, window.stream
        if rule.streams is not None and stream not in rule.streams:
            return []
        value = window.readings.get(rule.reading)
        if value is None:
            if (count := self._without.get(stream, 0)) >= 0:
                self._without[stream] = count + 1
            return []
        self._without[stream] = -1  # it carries the reading, whatever comes
        score = Score(
            query=rule.id,
            stream=stream,
            modality=window.modality,
            seq=window.seq,
            start_ns=window.start_ns,
            end_ns=window.end_ns,
            cosine=0.0,
            value=value,
            z=self._sign * value,
            readings=window.readings,
            stages=window.stages,
        )
        return self._measured(self._rule(stream, window.model).push(score, self._level))

    def _rule(self, stream: str, model: str) -> Rule:
        if stream not in self._rules:
            self._rules[stream] = Rule(self._as_query(), model)
        return self._rules[stream]

    @property
    def open(self) -> list[Open]:
        """Announced events that are going on."""
        found = (rule.open for rule in self._rules.values())
        return [Open(self._measured([one.alert])[0], one.share) for one in found if one is not None]

    def carry_on(self, event: Open) -> bool:
        """Goes on with an event that was announced before; False if it was none of this rule."""
        if not self._is_own(event.alert):
            return False
        alert = self._turned(event.alert)
        self._rule(alert.stream, alert.model).carry_on(Open(alert, event.share))
        return True

    def rest_after(self, ended: Alert) -> None:
        """An event that ended before is followed by its cooldown here too."""
        if self._is_own(ended):
            self._rule(ended.stream, ended.model).rest_after(ended.end_ns)

    def _is_own(self, alert: Alert) -> bool:
        rule = self.config
        same = alert.measure == rule.reading and (alert.on, alert.off) == (rule.level, rule.end)
        return same and (rule.streams is None or alert.stream in rule.streams)

    def _as_query(self) -> QueryConfig:
        """What an event has to be, as the rules of queries state it."""
        rule = self.config
        return QueryConfig(
            id=rule.id,
            text=(rule.said,),
            literal=True,
            min_length_s=rule.for_s,
            cooldown_s=rule.cooldown_s,
        )

    def due(self, now_ns: int) -> list[Alert]:
        """Ends events of streams that fell silent."""
        due = [alert for rule in self._rules.values() for alert in rule.due(now_ns)]
        return self._measured(due)

    def over(self, stream: str) -> list[Alert]:
        """A recording has ended: so has its event."""
        rule = self._rules.get(stream)
        return self._measured(rule.flush()) if rule else []

    def flush(self) -> list[Alert]:
        """Everything is over: ends every event."""
        return [alert for stream in self._rules for alert in self.over(stream)]

    def _measured(self, alerts: list[Alert]) -> list[Alert]:
        of = self.config.reading
        return [dataclasses.replace(self._turned(alert), measure=of) for alert in alerts]

    def _turned(self, alert: Alert) -> Alert:
        """Readings in place of what is watched, and the other way round."""
        return dataclasses.replace(
            alert,
            peak_z=self._sign * alert.peak_z,
            on=self._sign * alert.on,
            off=self._sign * alert.off,
            scores=tuple(self._sign * one for one in alert.scores),
        )

    def doubts(self) -> list[str]:
        """What keeps it from working."""
        missing = sorted(stream for stream, count in self._without.items() if count >= DOUBT)
        if self.config.streams is None and self._rules:
            return []  # others carry it
        return [f"no window of {stream} carries {self.config.reading!r}" for stream in missing]


@dataclasses.dataclass
class _Quiet:
    """A stream's silence: what it lasted, whether a window came since the last look and ever, when
    its event began (None: there is none), until when another watch followed that event, and when
    the last one ended."""

    lasted_ns: int = 0
    spoke: bool = False
    heard: bool = False
    begun: Alert | None = None
    followed_ns: int | None = None
    ended_ns: int | None = None


class SilenceWatch:
    """Alerts of streams of which no window comes. Reads no clock; `due` is told the time.

    What counts is when windows arrive, not when they were captured; windows that could not be
    embedded do not arrive. A recording that has ended is not silent. A stream that was never heard
    has `START_NS` more before its silence counts.

    Args:
        streams: every stream of the configuration.
    """

    def __init__(self, rule: SilenceRule, streams: Mapping[str, ModalityName]) -> None:
        self.config = rule
        self._modality = {
            name: modality
            for name, modality in streams.items()
            if rule.streams is None or name in rule.streams
        }
        self._quiet = {name: _Quiet() for name in self._modality}
        self._model = ""
        self._silent_ns = round(rule.silent_s * 1e9)
        self._now_ns: int | None = None

    def push(self, window: Embedding) -> list[Alert]:
        """A window of any stream; what it ends is said by the next `due`."""
        self._model = window.model
        if (quiet := self._quiet.get(window.stream)) is not None:
            quiet.spoke = True
        return []

    def due(self, now_ns: int) -> list[Alert]:
        """Starts and ends events. To be called about once a second."""
        before_ns, self._now_ns = self._now_ns, now_ns
        step_ns = 0 if before_ns is None else min(max(now_ns - before_ns, 0), STEP_MOST_NS)
        return [alert for stream in self._quiet for alert in self._look(stream, now_ns, step_ns)]

    @property
    def open(self) -> list[Open]:
        """Announced events that are going on."""
        begun = [quiet.begun for quiet in self._quiet.values() if quiet.begun is not None]
        return [
            Open(self._alert(a.stream, "started", a.start_ns, self._now_ns or a.end_ns), 0.0)
            for a in begun
        ]

    def carry_on(self, event: Open) -> bool:
        """Goes on with an event that was announced before; False if it was none of this rule.

        If nobody listened for longer than what is silence the event ends where it was left.
        """
        alert = event.alert
        if alert.measure != MEASURE or alert.stream not in self._quiet:
            return False
        quiet = self._quiet[alert.stream]
        quiet.begun, quiet.followed_ns = alert, alert.end_ns
        self._model = alert.model
        return True

    def rest_after(self, ended: Alert) -> None:
        """An event that ended before is followed by its cooldown here too."""
        if ended.measure == MEASURE and ended.stream in self._quiet:
            self._quiet[ended.stream].ended_ns = ended.end_ns

    def _look(self, stream: str, now_ns: int, step_ns: int) -> list[Alert]:
        quiet = self._quiet[stream]
        followed_ns, quiet.followed_ns = quiet.followed_ns, None
        if followed_ns is not None and now_ns - followed_ns > self._silent_ns:
            return self._end(quiet, followed_ns)
        if quiet.spoke:
            ended = self._end(quiet, now_ns)
            quiet.lasted_ns, quiet.spoke, quiet.heard = 0, False, True
            return ended
        quiet.lasted_ns += step_ns
        rests_ns = round(self.config.cooldown_s * 1e9)
        rests = quiet.ended_ns is not None and now_ns - quiet.ended_ns < rests_ns
        enough_ns = self._silent_ns + (0 if quiet.heard else START_NS)
        if quiet.begun or rests or quiet.lasted_ns < enough_ns:
            return []
        quiet.begun = self._alert(stream, "started", now_ns - quiet.lasted_ns, now_ns)
        return [quiet.begun]

    def _end(self, quiet: _Quiet, now_ns: int) -> list[Alert]:
        begun, quiet.begun = quiet.begun, None
        if begun is None:
            return []
        quiet.ended_ns = now_ns
        return [self._alert(begun.stream, "ended", begun.start_ns, now_ns)]

    def _alert(
        self, stream: str, state: Literal["started", "ended"], start_ns: int, end_ns: int
    ) -> Alert:
        silent_s = (end_ns - start_ns) / 1e9
        rule = self.config
        return Alert(
            id=f"{rule.id}/{stream}/{start_ns}",
            query=rule.id,
            text=rule.said,
            state=state,
            stream=stream,
            modality=self._modality[stream],
            start_ns=start_ns,
            end_ns=end_ns,
            peak_ns=(start_ns + end_ns) // 2,
            peak_z=silent_s,
            peak_cosine=0.0,
            on=rule.silent_s,
            off=0.0,
            scores=(silent_s,),
            model=self._model,
            measure=MEASURE,
        )

    def over(self, stream: str) -> list[Alert]:
        """A recording has ended, which is no silence."""
        quiet = self._quiet.pop(stream, None)
        if quiet is None or quiet.begun is None:
            return []
        return self._end(quiet, self._now_ns or quiet.begun.end_ns)

    def flush(self) -> list[Alert]:
        """Everything is over: ends every event."""
        return [alert for stream in list(self._quiet) for alert in self.over(stream)]

    def doubts(self) -> list[str]:
        return []
