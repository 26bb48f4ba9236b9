"""The alert desk: lists a run's alerts, and takes in what users say of them."""

from __future__ import annotations

from typing import Any

from bindstream.clocks.host import Clock
from bindstream.control import Answer, Request
from bindstream.errors import ConfigError, StateError
from bindstream.state import State
from bindstream.state.known import nothing_of
from nodes.match_health import MatchHealth
from nodes.watched import Watched

TOLD_S = 10.0
"""How long the match actor may take to take in a verdict."""
LISTED_MOST = 10_000
"""Alerts in one answer: about 20 MB."""
NOTE_MOST = 1000
"""Characters of a note."""
EVER = 2**62
"""No time in ns is beyond it."""


class AlertDesk:
    """Answers control requests about alerts.

    Args:
        state: where they are kept; None if the run keeps none.
    """

    def __init__(self, state: State | None, match: Watched[MatchHealth], clock: Clock) -> None:
        self._state, self._match, self._clock = state, match, clock

    def answer(self, request: Request) -> Answer:
        """Answers alert.list and alert.judge.

        Raises:
            BindstreamError: there is no such operation or alert, or the run keeps no state.
        """
        if self._state is None:
            raise StateError(
                "this run keeps no alerts.", fix="Add `state: {}` to its configuration."
            )
        match request.get("op"):
            case "alert.list":
                return self._listed(self._state, request)
            case "alert.judge":
                return self._judge(self._state, request)
            case op:
                raise ConfigError(f"there is no operation {op!r}.")

    def _listed(self, state: State, request: Request) -> Answer:
        since_ns = request.get("since_ns")
        query, stream = (
            None if request.get(key) is None else str(request[key]) for key in ("query", "stream")
        )
        found = state.alerts(
            since_ns=None if since_ns is None else _number("since_ns", since_ns, -EVER, EVER),
            query=query,
            stream=stream,
            most=_number("most", request.get("most", 20), 1, LISTED_MOST),
        )
        note = "" if found else nothing_of(state, query, stream)
        return {"alerts": [each.plain() for each in found], "note": note}

    def _judge(self, state: State, request: Request) -> Answer:
        verdict = request.get("verdict")
        if verdict not in ("confirmed", "rejected"):
            raise ConfigError(f"{verdict!r} is no verdict.", fix="Say confirmed or rejected.")
        name, note = str(request.get("id")), str(request.get("note", ""))
        if len(note) > NOTE_MOST:
            raise ConfigError(f"a note of {len(note)} characters.", fix=f"{NOTE_MOST} at most.")
        found = state.judge(name, verdict, note, self._clock.now_ns())
        warnings = [found.remark] if found.remark else []
        warnings += self._match.tell(self._match.handle.judge.remote(found.alert.query), TOLD_S)
        return {"alert": found.plain(), "warnings": warnings}


def _number(name: str, value: Any, least: int, most: int) -> int:
    if not isinstance(value, int) or not least <= value <= most:
        raise ConfigError(f"{name} is {value!r}: a whole number from {least} to {most} is due.")
    return value
