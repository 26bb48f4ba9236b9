"""What the sensor side of one stream says of itself."""

from __future__ import annotations

from dataclasses import dataclass

from bindstream.accounts import Accounts
from bindstream.sources.reader import ReaderHealth


@dataclass(frozen=True)
class IntakeHealth:
    """What one stream's sensor side can say of itself.

    `refused` counts readings that were late, duplicate, invalid, or from a clock that jumped;
    `void` is the reason of the latest window that could not be used; `frozen` says that the sensor
    gives the very same readings again and again ("" = it does not). `change` is by how much the
    latest window differed that the stream's gate compared, by the names of its levels.

    `behind_s` is how far a recording that is played has fallen behind its schedule, seconds (see
    `bindstream.intake.schedule`): how long ago the oldest reading or closed window was due that
    still waits here, or by how much the last window was late if none waits. Windows that were
    handed out and not embedded yet are not in it: they are few, and hold up the next ones. It
    stands still once the stream was stopped. 0 for live sources, at speed "max", and before the
    first reading. `catching_up` says that this process of the stream began late, was not in time
    yet, and still has the time that it is given for it: how far it is behind then says nothing of
    whether its host is fast enough.
    """

    reader: ReaderHealth
    accounts: Accounts
    refused: dict[str, int]
    void: str
    notes: dict[str, int]
    frozen: str
    change: dict[str, float]
    behind_s: float
    catching_up: bool
