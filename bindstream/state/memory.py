"""A watch's memory: what it announces is kept first, and it begins where the last one ended."""

from __future__ import annotations

import dataclasses
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence

from bindstream.budget.rejected import Judged
from bindstream.config.rule import CombinedRule
from bindstream.errors import StateError
from bindstream.latency import AGAIN
from bindstream.matcher import Query
from bindstream.records import Alert
from bindstream.state.kept import KeptAlert, Verdict
from bindstream.state.store import Announcement, State
from bindstream.watch import Watch

NOTED_NS = 1_000_000_000
"""How often it is noted how far open events have come."""
WAITING_MOST = 1000
"""Announcements that wait while the disk is full; the oldest of more are not kept."""
TOLD_AGAIN_NS = 24 * 3600 * 1_000_000_000
"""What was written so long ago, and nobody was told of, is not announced any more: whoever asks
for it finds it among the alerts."""
JUDGED_MOST = 256
"""The latest verdicts that count for one query."""


class Memory:
    """What one watch remembers; without a `state` nothing.

    No method raises while the disk is full or the file in use: `trouble` says it, "" when all is
    well, and what could not be written is written later.

    Args:
        trouble: why there is no state although one was asked for.
    """

    def __init__(self, state: State | None, trouble: str = "") -> None:
        self._state = state
        self._waiting: deque[KeptAlert] = deque(maxlen=WAITING_MOST)
        self._told: list[Announcement] = []  # that the outbox does not know of yet
        self._lost = 0
        self._too_old = ""
        self._owes_told = self._owes_ends = False
        self._own: set[Announcement] = set()  # of this process, as long as it owes something
        self._noted_ns = 0
        self.trouble = trouble

    def begin(self, watch: Watch) -> list[Alert]:
        """Gives a watch, after its queries and rules were put, the past: verdicts, cooldowns,
        open events.

        Returns:
            Ends of events that it does not watch for any more.
        """
        if self._state is None:
            return []
        try:
            events = self._state.open()
            judged = self._state.judged()
        except StateError as error:
            self.trouble, self._owes_ends = str(error), True
            return []
        ended = [alert for event in events for alert in watch.carry_on(event)]
        # Of two of one query, where the end of the first could not be written, one goes on.
        known = {event.alert.id for event in watch.open()} | {alert.id for alert in ended}
        ended += [_ended(event.alert) for event in events if event.alert.id not in known]
        for name in sorted(judged):
            self.judge(watch, name)
        self._rest(watch)
        return ended

    def untold(self, now_ns: int) -> list[Alert]:
        """Announcements that an earlier process wrote and died before everybody was told of them,
        in their order, each with the stage `AGAIN`; for before anything else is announced. Of
        those that are too old `trouble` tells."""
        if self._state is None:
            return []
        try:
            found = self._state.untold()
            old = [a for a in found if now_ns - a.stages.get("alerted", a.end_ns) > TOLD_AGAIN_NS]
            if old:
                self._state.told([(a.id, a.state) for a in old])
        except StateError as error:
            self.trouble, self._owes_told = str(error), True
            return []
        if old:
            self.trouble = self._too_old = (
                f"nobody may have been told of {len(old)} announcements of an earlier run, which "
                f"are over a day old: `bindstream alerts` lists them, the last is {old[-1].id}"
            )
        return [
            dataclasses.replace(alert, stages={**alert.stages, AGAIN: now_ns})
            for alert in found
            if alert not in old
        ]

    def owed(self, now_ns: int) -> tuple[list[Alert], list[Alert]]:
        """What `untold` and `begin` could not read when they were asked, since the disk was full or
        the file in use: announcements to be told again, and ends to be announced."""
        again: list[Alert] = []
        ended: list[Alert] = []
        if self._state is None:
            return again, ended
        if self._owes_told:
            self._owes_told = False
            again = [a for a in self.untold(now_ns) if (a.id, a.state) not in self._own]
        if self._owes_ends:
            try:
                events = [event.alert for event in self._state.open()]
            except StateError as error:
                self.trouble = str(error)
            else:
                self._owes_ends = False
                own = {name for name, _ in self._own}
                ended = [_ended(alert) for alert in events if alert.id not in own]
        if not (self._owes_told or self._owes_ends):
            self._own.clear()
        return again, ended

    def told(self, alerts: Iterable[Alert]) -> None:
        """Everybody was told of these announcements."""
        if self._state is None:
            return
        self._told += [(alert.id, alert.state) for alert in alerts]
        self._clear()

    def _clear(self) -> None:
        """Take from the outbox what everybody was told of."""
        assert self._state is not None
        if not self._told:
            return
        try:
            self._state.told(self._told)
        except StateError as error:
            self.trouble = str(error)  # and again with the next
            return
        waiting = {(each.alert.id, each.alert.state) for each in self._waiting}
        self._told = [each for each in self._told if each in waiting]

    def recall(self, watch: Watch, name: str) -> None:
        """Gives a watch what it is to know of a query or rule that was put while it runs."""
        if self._state is not None:
            self.judge(watch, name)
            self._rest(watch, name)

    def judge(self, watch: Watch, name: str) -> None:
        """Lets a watch know what users said of a query's or a rule's alerts by now.

        Verdicts on what was watched for under the same id by another model or other words, or was
        made of other queries, do not count.
        """
        query = next((q for q in watch.queries if q.config.id == name), None)
        rule = next((r for r in watch.rules.configs if r.id == name), None)
        if self._state is None or (query is None and not isinstance(rule, CombinedRule)):
            return
        try:
            kept = self._state.alerts(query=name, judged=True, most=JUDGED_MOST)
        except StateError as error:
            self.trouble = str(error)
            return
        if query is not None:
            self._judge_query(watch, query, kept)
        elif isinstance(rule, CombinedRule):
            own = [k for k in kept if {p.query for p in k.alert.parts} <= set(rule.wanted)]
            own = [k for k in own if k.alert.parts]
            watch.rules.judge(name, _said(own, "confirmed"), _said(own, "rejected"))

    def _judge_query(self, watch: Watch, query: Query, kept: Sequence[KeptAlert]) -> None:
        text = query.config.shown[0]
        by_stream: dict[str, list[KeptAlert]] = defaultdict(list)
        for each in kept:
            if each.alert.text == text and each.alert.model == query.model:
                by_stream[each.alert.stream].append(each)
        judged = {stream: _judged(some) for stream, some in by_stream.items()}
        watch.judge(query.config.id, judged)

    def _rest(self, watch: Watch, name: str | None = None) -> None:
        assert self._state is not None
        try:
            for alert in self._state.last_ended(name):
                watch.rest_after(alert)
        except StateError as error:
            self.trouble = str(error)

    def keep(self, watch: Watch, alerts: Sequence[Alert]) -> None:
        """Writes announcements; for before anybody is told of them."""
        if self._state is None or not alerts:
            return
        if self._owes_told or self._owes_ends:
            self._own |= {(alert.id, alert.state) for alert in alerts}
        for alert in alerts:
            self._lost += len(self._waiting) == WAITING_MOST
            self._waiting.append(KeptAlert(alert, *(watch.peak(alert) or ())))
        self._write(watch)

    def due(self, watch: Watch, now_ns: int) -> None:
        """Notes how far open events have come, about once a second; writes what had to wait."""
        if self._state is None or 0 <= now_ns - self._noted_ns < NOTED_NS:
            return
        self._noted_ns = now_ns
        self._write(watch)

    def _write(self, watch: Watch) -> None:
        assert self._state is not None
        try:
            if self._waiting:
                self._state.keep_alerts(list(self._waiting), set(self._told))
                self._waiting.clear()
            self._clear()
            if events := watch.open():
                self._state.note(events)
            lost = f"{self._lost} announcements could not be kept" if self._lost else ""
            self.trouble = "; ".join(filter(None, (self._too_old, lost)))
        except StateError as error:
            self.trouble = f"{error} Alerts are announced all the same; {len(self._waiting)} wait."

    @property
    def is_behind(self) -> bool:
        """Whether something could not be read or written yet."""
        return bool(self._waiting or self._told or self._owes_told or self._owes_ends)

    def close(self) -> None:
        if self._state is not None:
            self._state.close()


def _ended(alert: Alert) -> Alert:
    return dataclasses.replace(alert, state="ended")


def _said(kept: Sequence[KeptAlert], verdict: Verdict) -> tuple[tuple[int, int], ...]:
    """Intervals [start, end) of those of which that was said."""
    return tuple((k.alert.start_ns, k.alert.end_ns) for k in kept if k.verdict == verdict)


def _judged(kept: Sequence[KeptAlert]) -> Judged:
    return Judged(
        confirmed=_said(kept, "confirmed"),
        rejected=tuple(
            found for k in kept if k.verdict == "rejected" and (found := k.rejected) is not None
        ),
    )
