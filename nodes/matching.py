"""A run's alerts: the actor that watches for them, and who ends them where that cannot."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

from bindstream.accounts import hold
from bindstream.calibration import WARM_UP
from bindstream.config import BusSinkConfig, Config, SinkConfig
from bindstream.errors import BindstreamError
from bindstream.state import State
from nodes.match import MatchNode
from nodes.match_health import MatchHealth
from nodes.placement import actor, here
from nodes.watched import Watched
from nodes.wiring import MATCH, Wiring

GONE_S = 1.0
"""How long a match actor may take to be gone once it was killed."""
CONNECT_S = 0.5
"""How long whoever ends alerts in its stead takes to be known to the bus."""


class Matching:
    """Starts the match actor of a run, and ends its alerts if it cannot.

    Args:
        state: None if the run keeps none: its alerts lie in the run's folder then, so that a match
            actor that dies loses none.
    """

    def __init__(self, config: Config, wiring: Wiring, state: State | None) -> None:
        self._lock = wiring.alerts_lock
        # The files of its sinks belong where the run was started.
        kept = config.evidence.path.absolute() if config.evidence is not None else None
        path = state.path if state is not None else wiring.folder / "alerts.db"
        self._given = wiring, _sinks(config), kept, path
        self._watched = 0, 0.0  # the process that watched last, and when it was heard
        self._learned = (
            "queries learn from the history what is usual"
            if config.history is not None
            else f"queries learn anew what is usual, for {WARM_UP} windows of a stream"
        )

    def start(self) -> Any:
        """The actor's handle."""
        return actor(MatchNode, {"name": MATCH, **here()}).remote(*self._given)

    def unjudged(self, match: Watched[MatchHealth]) -> list[str]:
        """What nobody judged, once a match actor watches again that was begun anew; to be asked
        after every time that it was asked for its health."""
        health, heard_s = match.health, time.monotonic() - match.silent_s
        if health is None or health.queries is None:
            return []
        (pid, before_s), self._watched = self._watched, (health.pid, heard_s)
        if pid in (0, health.pid):
            return []
        return [
            f"{match.name}: nobody judged what was published in the {heard_s - before_s:.0f} s "
            f"until now; {self._learned}"
        ]

    def end_instead(self, match: Watched[MatchHealth]) -> str:
        """Ends the events that a match actor left open which did not drain, and tells what it could
        not tell. Takes `GONE_S` and 3 s at most; returns what users should know."""
        match.end()
        said = f"{match.name} did not end in time: its events were ended without it"
        left = f"{match.name} did not end in time: its events are open"
        if (held := hold(self._lock, GONE_S)) is None:
            return left
        held.close()
        try:
            health = MatchNode(*self._given).drain(CONNECT_S)
        except BindstreamError as error:
            return f"{left} ({error})"
        if (last := match.health) is not None:  # with all that it counted
            health = dataclasses.replace(last, queries=(), error=health.error)
        match.health = health
        return said


def _sinks(config: Config) -> tuple[SinkConfig, ...]:
    """Those of the configuration; the bus among them where alerts are kept evidence of, or
    recorded."""
    heard = config.evidence or config.record
    if heard is None or any(sink.kind == "bus" for sink in config.sinks):
        return config.sinks
    return (*config.sinks, BusSinkConfig(kind="bus"))
