"""Windows and scores as a rule is given them, without a model."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from bindstream.combine.fused import Fused
from bindstream.config.rule import ANY_RULE, CombinedRule
from bindstream.records import Alert, Embedding, ModalityName, Score
from bindstream.rules import Level

S = 1_000_000_000
T0 = 1_700_000_000 * S
VECTOR = np.eye(1, 4, dtype=np.float32)[0]
LEVEL = Level(5.0, 3.0)
RARE = 0.05
"""Events an hour: what the background reaches so seldom is a strong sign."""


def rule(**config: Any) -> CombinedRule:
    given = {"id": "break-in", "within_s": 10, "cooldown_s": 0, **config}
    made = ANY_RULE.validate_python(given)
    assert isinstance(made, CombinedRule)
    return made


def window(stream: str, at_s: float, **changes: Any) -> Embedding:
    """The window of 2 s that starts `at_s` into the run."""
    modality: ModalityName = "audio" if stream == "mic" else "vision"
    start_ns = T0 + round(at_s * S)
    return Embedding(
        stream, modality, round(at_s), start_ns, start_ns + 2 * S, VECTOR, "m1", **changes
    )


def score(query: str, of: Embedding, per_hour: float, z: float = 0.0, share: float = 1.0) -> Score:
    return Score(
        query,
        of.stream,
        of.modality,
        of.seq,
        of.start_ns,
        of.end_ns,
        cosine=0.1,
        value=0.1,
        z=z,
        share=share,
        per_hour=per_hour,
    )


def give(
    fused: Fused,
    query: str,
    stream: str,
    at_s: float,
    per_hour: float = math.inf,
    *,
    z: float = 0.0,
    new: bool = True,
    budget: float = 0.2,
) -> list[Alert]:
    """One window of a stream, held against one query."""
    of = window(stream, at_s)
    return fused.push(of, [(score(query, of, per_hour, z), LEVEL, budget)], new=new)


def spans(alerts: Iterable[Alert]) -> list[tuple[str, float, float]]:
    return [(a.state, (a.start_ns - T0) / S, (a.end_ns - T0) / S) for a in alerts]
