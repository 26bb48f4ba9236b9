"""What there is where nothing was found: people mistype names."""

from __future__ import annotations

from bindstream.state.store import State

LOOKED_AT = 1000
"""The latest alerts are enough to name what there is."""


def nothing_of(state: State, query: str | None, stream: str | None) -> str:
    """Why no alert is of a query and a stream (None: any), and of which there are some; "" if some
    are. Blocks for the disk."""
    if query is None and stream is None:
        return ""
    latest = [each.alert for each in state.alerts(most=LOOKED_AT)]
    said = []
    for what, plural, name, known in (
        ("query", "queries", query, {alert.query for alert in latest}),
        ("stream", "streams", stream, {alert.stream for alert in latest}),
    ):
        if name is not None and name not in known:
            there = ", ".join(sorted(filter(None, known))) or "none"
            said.append(f"No alert is of a {what} {name!r}; {plural} of which there are: {there}.")
    return " ".join(said)
