"""What is kept of a query, of a rule, and of an alert."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from bindstream.budget.rejected import Rejected
from bindstream.config import QueryConfig
from bindstream.config.rule import AnyRule, RuleConfig
from bindstream.records import Alert

Verdict = Literal["confirmed", "rejected"]
Asked = QueryConfig | AnyRule
"""What can be watched for. No query has the id of a rule."""
ASKED: TypeAdapter[Asked] = TypeAdapter(QueryConfig | RuleConfig)
"""Reads either."""


@dataclass(frozen=True)
class Kept:
    """What was said of a query or a rule while a watch ran.

    Args:
        config: it as it was given; None if that of the configuration's file holds.
        sent: what came with a query, as plain data: `taught`, what the file of a taught one held,
            and `examples`, the vectors of files that lie elsewhere.
        filed: the entry of the configuration's file at that time (see `entry`), "" if it had none.
        paused, removed: what was asked for.
    """

    id: str
    config: Asked | None = None
    sent: dict[str, Any] = field(default_factory=dict)
    filed: str = ""
    paused: bool = False
    removed: bool = False


def kind(config: Asked) -> Literal["query", "rule"]:
    """What people call it."""
    return "query" if isinstance(config, QueryConfig) else "rule"


def entry(config: Asked) -> str:
    """A query or rule as text: the same if it is the same, whatever later versions may add."""
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

    @property
    def remark(self) -> str:
        """What the verdict on it does not do; "" if it does all that a verdict does."""
        measure = self.alert.measure
        if measure == "z" or not self.verdict:
            return ""
        if measure != "log_odds":
            return f"{self.alert.query!r} is a rule of {measure}: its level stays as it was given"
        if self.verdict == "confirmed":
            return ""
        return (
            f"{self.alert.query!r} is a rule over queries: this counts as a false alarm where its "
            "level is drawn, but what is like it is not told apart; reject alerts of its queries, "
            "or let something speak against it (none)"
        )

    def plain(self) -> dict[str, Any]:
        """As plain data, less the vector."""
        said = {"verdict": self.verdict, "judged_ns": self.judged_ns, "note": self.note}
        return {**msgspec.to_builtins(self.alert), **said}
