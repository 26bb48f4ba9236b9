"""Delivery: every announcement to every sink, in order; what a sink cannot take it gets again."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bindstream.records import Alert

BEHIND_MOST = 1000
"""Announcements that wait for a sink which cannot take them now; of more the oldest go."""


class Taker(Protocol):
    """A sink, as far as delivery knows it."""

    def accept(self, alert: Alert) -> None: ...


@dataclass(eq=False)
class _Parcel:
    """An announcement, and how many sinks have not taken it."""

    alert: Alert
    left: int


class Delivery:
    """Hands announcements to sinks.

    A full disk is waited for: that sink's announcements are tried again in their order, and others
    have theirs at once. What a sink refuses for another reason it is not given again.

    `trouble` says what is wrong now, "" if nothing is.
    """

    def __init__(self, sinks: Sequence[Taker]) -> None:
        self._lines: list[tuple[Taker, deque[_Parcel]]] = [(sink, deque()) for sink in sinks]
        self._wrong: dict[int, str] = {}
        self._lost = 0

    def push(self, alerts: Iterable[Alert]) -> list[Alert]:
        """Hand them out; returns the announcements that every sink has taken now."""
        taken = []
        for alert in alerts:
            parcel = _Parcel(alert, len(self._lines))
            if not self._lines:
                taken.append(alert)
            for _, line in self._lines:
                line.append(parcel)
                if len(line) > BEHIND_MOST:
                    line.popleft()
                    self._lost += 1
        return taken + self.due()

    def due(self) -> list[Alert]:
        """Try again what sinks could not take; returns what every sink has taken now."""
        taken = []
        for at, (sink, line) in enumerate(self._lines):
            while line:
                try:
                    sink.accept(line[0].alert)
                except OSError as error:
                    self._wrong[at] = f"{error.strerror or error}; {len(line)} announcements wait"
                    break
                except Exception as error:  # this one, ever again: it must not keep the others
                    self._wrong[at] = f"{type(error).__name__}: {error}"
                else:
                    self._wrong.pop(at, None)
                parcel = line.popleft()
                parcel.left -= 1
                if not parcel.left:
                    taken.append(parcel.alert)
        return taken

    @property
    def is_behind(self) -> bool:
        """Whether a sink has not got all."""
        return any(line for _, line in self._lines)

    @property
    def trouble(self) -> str:
        said = [f"{type(self._lines[at][0]).__name__}: {why}" for at, why in self._wrong.items()]
        if self._lost:
            said.append(f"{self._lost} announcements were too many to wait for a sink")
        return "; ".join(said)
