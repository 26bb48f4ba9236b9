"""The level of a rule over queries, drawn from what its evidence usually amounts to."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from bindstream.budget.promise import Promise, per_hour, promise
from bindstream.budget.tail import FEWEST
from bindstream.combine.background import FusedBackground
from bindstream.combine.odds import LEAST, chance, log_odds
from bindstream.config import QueryConfig
from bindstream.config.rule import CombinedRule
from bindstream.levels import shape_of
from bindstream.rules import Level

HYSTERESIS = 0.5
"""An event goes on until so far below the level, in nats; less than the least sign has."""
FIRST_REFIT = 120
GROWTH = 1.1
MOST_REFIT = 3600
"""Seconds of background after which a level is drawn from it: first, by how much more each time,
and at the latest. As for queries (`bindstream.lines`)."""
Intervals = Sequence[tuple[int, int]]


class DrawnLevel:
    """How much evidence starts an event: `now`. `query` is what an event has to be, as the rules of
    queries state it; `made` what is promised, None until that is known; `least` the least level."""

    def __init__(self, rule: CombinedRule) -> None:
        self._budget = rule.budget
        self._background = FusedBackground()
        self._refit_at = FIRST_REFIT
        self._confirmed: Intervals = ()
        self._false: Intervals = ()
        self.least = LEAST * rule.needed
        on = max(log_odds(chance(rule.budget, rule.within_s)), self.least)
        said = (
            f"meant for {per_hour(rule.budget)}; nothing is promised before its background is known"
        )
        self._start = self.now = Level(on, on - HYSTERESIS, promise=said)
        self.made: Promise | None = None
        self.query = QueryConfig(
            id=rule.id,
            text=(rule.said,),
            literal=True,
            on=on,
            off=on - HYSTERESIS,
            share=0,
            budget=rule.budget,
            min_length_s=rule.min_length_s,
            max_length_s=rule.max_length_s,
            cooldown_s=rule.cooldown_s,
        )

    @property
    def known_ns(self) -> int:
        """The end of the background; what lies before it was learned."""
        return self._background.end_ns

    def learn(self, value: float, start_ns: int, end_ns: int) -> None:
        """Takes the evidence of [start_ns, end_ns), oldest first."""
        self._background.push(value, start_ns, end_ns)
        if self._background.seconds >= self._refit_at:
            self._draw()

    def recall(self, background: FusedBackground) -> None:
        """Takes another background in place of what was learned."""
        self._background, self._refit_at = background, FIRST_REFIT
        if background.seconds >= FIRST_REFIT:
            self._draw()

    def judge(self, confirmed: Intervals, false: Intervals) -> None:
        """What users said of the rule's alerts: intervals [start, end) in UTC ns of events that
        were true, which are no background, and of such that were not."""
        self._confirmed, self._false = confirmed, false
        if self._background.seconds >= FIRST_REFIT:
            self._draw()

    def _draw(self) -> None:
        """The level that holds, from what can be promised: see `bindstream.levels`."""
        seconds = self._background.seconds
        self._refit_at = min(math.ceil(seconds * GROWTH), seconds + MOST_REFIT)
        series, shape = self._background.series(), shape_of(self.query)
        # Below the least level nothing matters; a tail begins where evidence does.
        series = dataclasses.replace(series, values=np.maximum(series.values, self.least))
        made = self.made = promise(series, shape, self._budget, self._confirmed, self._false)
        if made.is_kept:
            on = max(made.cut, self.least)
        elif made.tail.peaks < FEWEST:
            on = self._start.on
        else:
            on = max(self._start.on, made.tail.level(self._budget))
        self.now = Level(on, on - HYSTERESIS, promise=str(made))
