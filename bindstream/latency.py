"""Where the time goes between the closing of a window and its alert, stage by stage."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

import numpy as np

from bindstream.records import Stages

STAGES = (
    "closed",
    "features",
    "arrived",
    "batched",
    "embedded",
    "published",
    "delivered",
    "alerted",
)
"""In the order in which a window passes them; what lies between two is the later one's time:
"arrived" is the way to the embedding process, "batched" the wait for company and for a tower that
is busy with other windows, "embedded" the tower's own time."""
AGAIN = "announced_again"
"""The stage of an alert that an earlier process may have announced already."""
TO_BUS, LESS_TOWER, TO_ALERT = "closed → bus", "closed → bus less tower", "closed → alert"
MEMORY = 2000
"""Windows over which latencies are summed up."""


class Latency:
    """Collects the stages' times of windows; all figures in milliseconds."""

    def __init__(self) -> None:
        self._times: dict[str, deque[float]] = {}

    def push(self, stages: Stages) -> None:
        for before, after in pairwise(STAGES):
            if before in stages and after in stages:
                self._add(after, stages[after] - stages[before])
        if "published" in stages and "closed" in stages:
            to_bus_ns = stages["published"] - stages["closed"]
            self._add(TO_BUS, to_bus_ns)
            if "batched" in stages and "embedded" in stages:
                self._add(LESS_TOWER, to_bus_ns - (stages["embedded"] - stages["batched"]))
        if "alerted" in stages and "closed" in stages:
            self._add(TO_ALERT, stages["alerted"] - stages["closed"])

    def _add(self, name: str, ns: int) -> None:
        self._times.setdefault(name, deque(maxlen=MEMORY)).append(ns / 1e6)

    def summary(self) -> dict[str, dict[str, float]]:
        """For each stage: windows counted `n`, median `p50` and 99th percentile `p99` in ms."""
        return {
            name: {
                "n": len(times),
                "p50": float(np.percentile(times, 50)),
                "p99": float(np.percentile(times, 99)),
            }
            for name, times in self._times.items()
        }
