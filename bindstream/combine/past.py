"""What a query made of what a stream gave before: what its evidence for a rule is computed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bindstream.budget.events import Times
from bindstream.budget.tail import Tail
from bindstream.records import ModalityName
from bindstream.rules import Level


@dataclass(frozen=True, eq=False)
class Past:
    """One query on all that one stream gave: its computed windows, oldest first.

    Args:
        budget: the query's, false alarms an hour.
        starts_ns, ends_ns: (n,) UTC; a window that was reused ends with the last that it stood for.
        z: (n,), NaN while the background was being learned.
        shares: (n,) in [0, 1]; below `least` it may be anything.
        tail, level: of the query on this stream.
    """

    query: str
    budget: float
    stream: str
    modality: ModalityName
    starts_ns: Times
    ends_ns: Times
    z: NDArray[np.floating]
    shares: NDArray[np.floating]
    tail: Tail
    level: Level

    @property
    def least(self) -> float:
        """The z from which a window may be a sign."""
        return least_sign(self.tail, self.level)

    @property
    def length_ns(self) -> int:
        """What a window takes that none was reused for."""
        return int((self.ends_ns - self.starts_ns).min(initial=np.iinfo(np.int64).max))


def least_sign(tail: Tail, level: Level) -> float:
    """The z from which a window may be a sign."""
    return min(tail.lowest, level.on)
