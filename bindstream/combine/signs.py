"""Signs: what windows said of the queries of one rule, of late, and what they amount to."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bindstream.budget.events import SILENCE_NS
from bindstream.combine.odds import any_of, evidence, reaches
from bindstream.config.rule import CombinedRule
from bindstream.records import Part, Score
from bindstream.rules import Level

STEP_NS = 1_000_000_000
"""Evidence is summed once a second, which is what windows are apart by default."""


@dataclass(frozen=True, slots=True)
class Sign:
    """One window's evidence for one query; `stands_out` if it would be enough by itself."""

    part: Part
    stands_out: bool

    @property
    def middle_ns(self) -> int:
        """Its time: the middle of the window."""
        return (self.part.start_ns + self.part.end_ns) // 2


def sign_of(score: Score, level: Level, budget: float, within_s: float) -> Sign | None:
    """What a score says for a rule; None if that is nothing. See `odds.evidence`."""
    odds = evidence(score, level, budget, within_s)
    if not odds:
        return None
    part = Part(
        query=score.query,
        stream=score.stream,
        modality=score.modality,
        start_ns=score.start_ns,
        end_ns=score.end_ns,
        log_odds=odds,
    )
    return Sign(part, reaches(score, level))


@dataclass(frozen=True)
class Sum:
    """What signs amount to, in nats, and those that it is made of, as the rule names them."""

    value: float = 0.0
    parts: tuple[Part, ...] = ()


class Signs:
    """The signs of a rule's queries, and when each was looked for at all."""

    def __init__(self, rule: CombinedRule) -> None:
        self._rule = rule
        self._within_ns = round(rule.within_s * 1e9)
        self._signs: dict[str, list[Sign]] = {name: [] for name in rule.members}
        self._scored: dict[str, list[int]] = {name: [] for name in rule.members}
        self.never = set(rule.members)

    def scored(self, query: str, end_ns: int) -> None:
        """A window that ended then was held against the query."""
        bisect.insort(self._scored[query], end_ns)
        self.never.discard(query)

    def put(self, sign: Sign) -> None:
        self._signs[sign.part.query].append(sign)

    def first_ns(self, after_ns: int) -> int | None:
        """The end of the first scored window after `after_ns`; None if there is none."""
        later = [ends[at] for ends in self._scored.values() if (at := _after(ends, after_ns)) >= 0]
        return min(later, default=None)

    def looked(self, at_ns: int) -> list[bool]:
        """For each query of the rule whether its streams spoke shortly before `at_ns`."""
        return [_after(ends, at_ns - SILENCE_NS, at_ns) >= 0 for ends in self._scored.values()]

    def forget(self, at_ns: int) -> None:
        """Lets go of what can no longer count after `at_ns`."""
        for query, signs in self._signs.items():
            old_ns = at_ns - self._within_ns
            self._signs[query] = [sign for sign in signs if sign.middle_ns > old_ns]
        for ends in self._scored.values():
            del ends[: bisect.bisect_right(ends, at_ns - SILENCE_NS)]

    def clear(self) -> None:
        for signs in self._signs.values():
            signs.clear()
        for ends in self._scored.values():
            ends.clear()

    def sum(self, at_ns: int) -> Sum:
        """What all windows that ended by `at_ns` amount to."""
        rule = self._rule
        against = [best for name in rule.none if (best := self._best(name, at_ns)) is not None]
        if any(sign.stands_out for sign in against):
            return Sum()
        found = self._in_order(at_ns) if rule.sequence else self._each(rule.wanted, at_ns)
        if len(found) < rule.needed:
            return Sum()
        odds = [sign.part.log_odds for sign in found]
        value = any_of(_padded(odds, len(rule.wanted))) if rule.any else sum(odds)
        value -= sum(sign.part.log_odds for sign in against)
        return Sum(value, tuple(sign.part for sign in found)) if value > 0 else Sum()

    def _each(self, queries: Iterable[str], at_ns: int) -> list[Sign]:
        bests = (self._best(query, at_ns) for query in queries)
        return [best for best in bests if best is not None]

    def _in_order(self, at_ns: int) -> list[Sign]:
        """The peak of the first query, that of the second after it, and so on."""
        found: list[Sign] = []
        for query in self._rule.wanted:
            after_ns = found[-1].middle_ns if found else None
            best = self._best(query, at_ns, after_ns)
            if best is None:
                break
            found.append(best)
        return found

    def _best(self, query: str, at_ns: int, after_ns: int | None = None) -> Sign | None:
        """The query's highest sign within the rule's time; of equals the earliest."""
        since_ns = at_ns - self._within_ns
        near = [
            sign
            for sign in self._signs[query]
            if sign.part.end_ns <= at_ns
            and sign.middle_ns > since_ns
            and (after_ns is None or sign.middle_ns > after_ns)
        ]
        # Whatever the order in which they came, the same one is taken.
        key = lambda s: (s.part.log_odds, -s.middle_ns, s.part.stream)  # noqa: E731
        return max(near, key=key, default=None)


def _padded(odds: Sequence[float], count: int) -> list[float]:
    return [*odds, *[0.0] * (count - len(odds))]


def _after(ends: list[int], after_ns: int, until_ns: float = math.inf) -> int:
    """Place of the first end in (after_ns, until_ns]; -1 if there is none."""
    at = bisect.bisect_right(ends, after_ns)
    return at if at < len(ends) and ends[at] <= until_ns else -1
