"""All rules of a run: which scores and windows each is given."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bindstream.combine.drawn import Intervals
from bindstream.combine.fused import Found, Fused
from bindstream.combine.past import Past
from bindstream.combine.sensor import ReadingWatch, SilenceWatch
from bindstream.config.rule import AnyRule, CombinedRule, ReadingRule
from bindstream.matcher import Query
from bindstream.records import Alert, Embedding, ModalityName, Score
from bindstream.rules import Level, Open


class RuleSet:
    """Watches every stream for every rule. Reads no clock.

    Args:
        streams: every stream of the configuration, with its modality: those are waited for, and may
            be silent.
    """

    def __init__(self, streams: Mapping[str, ModalityName]) -> None:
        self._streams = dict(streams)
        self._over: set[str] = set()
        self._rules: dict[str, Fused | ReadingWatch | SilenceWatch] = {}
        self._queries: Mapping[str, Query] = {}
        self._made_of: dict[str, tuple[Query | None, ...]] = {}
        self._unheard: set[str] = set()
        self._computed: dict[str, int] = {}

    @property
    def configs(self) -> list[AnyRule]:
        return [rule.config for rule in self._rules.values()]

    @property
    def used(self) -> set[str]:
        """Ids of the queries that rules are made of."""
        return {name for rule in self._fused() for name in rule.config.members}

    def put(self, rule: AnyRule) -> list[Alert]:
        """Adds a rule, or replaces the one of the same id, whose events end."""
        ended = self.remove(rule.id)
        if isinstance(rule, CombinedRule):
            self._rules[rule.id] = Fused(rule)
            self._made_of.pop(rule.id, None)
            self.arrange(self._queries)
        elif isinstance(rule, ReadingRule):
            self._rules[rule.id] = ReadingWatch(rule)
        else:
            there = {s: m for s, m in self._streams.items() if s not in self._over}
            self._rules[rule.id] = SilenceWatch(rule, there)
        return ended

    def remove(self, rule_id: str) -> list[Alert]:
        """Ends the rule's events; nothing if there is no such rule."""
        rule = self._rules.pop(rule_id, None)
        self._unheard.discard(rule_id)
        return rule.flush() if rule else []

    def arrange(self, queries: Mapping[str, Query]) -> None:
        """The queries that there are now, by their ids."""
        self._queries = queries
        for rule in self._fused():
            made_of = tuple(queries.get(name) for name in rule.config.members)
            if made_of == self._made_of.get(rule.config.id):
                continue
            self._made_of[rule.config.id] = made_of
            if None not in made_of:
                self._unheard.add(rule.config.id)
            members = [query for query in made_of if query is not None]
            missing = [name for name in rule.config.members if name not in queries]
            streams = (
                stream
                for stream, modality in self._streams.items()
                if stream not in self._over and any(q.watches(stream, modality) for q in members)
            )
            rule.expect(streams, missing)

    @property
    def unheard(self) -> set[str]:
        """Ids of the queries of rules that are new, or whose queries are: `recall` gives them what
        streams gave before."""
        if not self._unheard:
            return set()
        new = (rule.config for rule in self._fused() if rule.config.id in self._unheard)
        return {name for rule in new for name in rule.members}

    def recall(self, pasts: Sequence[Past]) -> None:
        """What queries made of what streams gave before, for rules that do not know it yet.

        Args:
            pasts: of each query in `unheard` on each stream that it watches.
        """
        for rule in self._fused():
            if rule.config.id in self._unheard:
                rule.recall([past for past in pasts if past.query in rule.config.members])
        self._unheard.clear()

    def carry_on(self, event: Open) -> list[Alert]:
        """Goes on with an event that was announced before; if no rule watches for it any more it
        ends here and now."""
        rule = self._rules.get(event.alert.query)
        if rule is not None and rule.carry_on(event):
            return []
        return [dataclasses.replace(event.alert, state="ended")]

    def rest_after(self, ended: Alert) -> None:
        """An event that ended before is followed by its cooldown here too."""
        if (rule := self._rules.get(ended.query)) is not None:
            rule.rest_after(ended)

    def judge(self, rule_id: str, confirmed: Intervals, false: Intervals) -> None:
        """What users said of the alerts of a rule over queries: see `Fused.judge`."""
        rule = self._rules.get(rule_id)
        if isinstance(rule, Fused):
            rule.judge(confirmed, false)

    def open(self) -> list[Open]:
        """Announced events that are going on."""
        return [event for rule in self._rules.values() for event in rule.open]

    def push(
        self, window: Embedding, scores: Sequence[Score], levels: Mapping[str, Level]
    ) -> list[Alert]:
        """Alerts of a window.

        Args:
            scores: of the queries in `used` that watch its stream.
            levels: of each of these queries on this stream now.
        """
        new = self._is_new(window)
        found: dict[str, Found] = {
            score.query: (score, levels[score.query], self._queries[score.query].config.budget)
            for score in scores
        }
        alerts: list[Alert] = []
        for rule in self._rules.values():
            if isinstance(rule, Fused):
                if own := [found[name] for name in rule.config.members if name in found]:
                    alerts += rule.push(window, own, new=new)
            else:
                alerts += rule.push(window)
        return alerts

    def _is_new(self, window: Embedding) -> bool:
        """False if the window's vector is one that came before."""
        computed = window.seq if window.same_as is None else window.same_as
        before = self._computed.get(window.stream)
        self._computed[window.stream] = computed
        return window.same_as is None or computed != before

    def due(self, now_ns: int) -> list[Alert]:
        """What the time itself starts and ends; to be called about once a second where a clock
        runs."""
        return [alert for rule in self._rules.values() for alert in rule.due(now_ns)]

    def over(self, stream: str, *, failed: bool = False) -> list[Alert]:
        """A recording has ended: nobody waits for it. One that could not be read is silent, too."""
        alerts: list[Alert] = []
        for rule in self._rules.values():
            if not (failed and isinstance(rule, SilenceWatch)):
                alerts += rule.over(stream)
        if not failed:
            self._over.add(stream)
        return alerts

    def flush(self) -> list[Alert]:
        """Everything is over: ends every event."""
        return [alert for rule in self._rules.values() for alert in rule.flush()]

    def levels(self) -> Iterator[tuple[str, Level]]:
        """(rule, level): how much evidence starts an alert now, and what that promises."""
        for rule in self._fused():
            yield rule.config.id, rule.level

    def doubts(self) -> list[str]:
        """Rules that cannot work as they are, and why."""
        return [
            f"rule {rule.config.id!r}: {'; '.join(doubts)}"
            for rule in self._rules.values()
            if (doubts := rule.doubts())
        ]

    def _fused(self) -> Iterable[Fused]:
        return (rule for rule in self._rules.values() if isinstance(rule, Fused))
