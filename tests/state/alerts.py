"""Alerts to keep."""

from __future__ import annotations

from typing import Any

from bindstream.records import Alert

S = 1_000_000_000
T0 = 1_700_000_000 * S


def alert(at_s: float = 0, state: str = "started", query: str = "dog", **changes: Any) -> Alert:
    """The alert of an event that begins `at_s` into the run and lasts 3 s."""
    start_ns = T0 + round(at_s * S)
    given = {
        "id": f"{query}/mic/{start_ns}",
        "query": query,
        "text": query,
        "state": state,
        "stream": "mic",
        "modality": "audio",
        "start_ns": start_ns,
        "end_ns": start_ns + 3 * S,
        "peak_ns": start_ns + S,
        "peak_z": 9.5,
        "peak_cosine": 0.4,
        "on": 5.0,
        "off": 3.0,
        "scores": (5.0, 9.5),
        "model": "m1",
        **changes,
    }
    return Alert(**given)
