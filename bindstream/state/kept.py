"""What is kept of a query and of an alert."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from bindstream.budget.rejected import Rejected
from bindstream.config import QueryConfig
from bindstream.records import Alert

Verdict = Literal["confirmed", "rejected"]


@dataclass(frozen=True)
class KeptQuery:
    """What was said of a query while a watch ran.

    Args:
        config: the query as it was given; None if that of the configuration's file holds.
        sent: what came with it, as plain data: `taught`, what the file of a taught one held, and
            `examples`, the vectors of files that lie elsewhere.
        filed: the entry of the configuration's file at that time (see `entry`), "" if it had none.
        paused, removed: what was asked for.
    """

    id: str
    config: QueryConfig | None = None
    sent: dict[str, Any] = field(default_factory=dict)
    filed: str = ""
    paused: bool = False
    removed: bool = False


def entry(config: QueryConfig) -> str:
    """A query as text: the same if it is the same, whatever later versions may add."""
    return config.model_dump_json(exclude_defaults=True)


@dataclass(frozen=True, eq=False)
class KeptAlert:
    """An alert and what was said of it.

    Args:
        alert: as it was announced last.
        vector: (dim,) of its highest window, of unit length; None if that was not known any more.
        usual: cosine to it that is usual on its stream (see `budget.rejected`).
        verdict: "" if nothing was said; `judged_ns` is when, UTC, and `note` why.
    """

    alert: Alert
    vector: NDArray[np.float32] | None = None
    usual: float = 0.0
    verdict: Verdict | Literal[""] = ""
    judged_ns: int = 0
    note: str = ""

    @property
    def rejected(self) -> Rejected | None:
        """What a rejection of it counts for; None if its vector is not known."""
        if self.vector is None:
            return None
        alert = self.alert
        return Rejected(alert.start_ns, alert.end_ns, self.vector, self.usual, alert.peak_z)

    def plain(self) -> dict[str, Any]:
        """As plain data, less the vector."""
        said = {"verdict": self.verdict, "judged_ns": self.judged_ns, "note": self.note}
        return {**msgspec.to_builtins(self.alert), **said}
