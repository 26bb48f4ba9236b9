"""What a backtest found, as a table, as JSON, and as a picture."""

from __future__ import annotations

import importlib.util
import json
import math
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from bindstream.cli.app import out
from bindstream.errors import ConfigError, MissingPackageError

if TYPE_CHECKING:
    from bindstream.backtest import Event, Tried
    from bindstream.config import QueryConfig

SHOWN = 8
"""Events and near misses listed of each stream: the highest."""


def show(tried: list[Tried], query: QueryConfig, picture: Path | None, as_json: bool) -> None:
    """Print it; the picture is drawn first.

    Args:
        query: what was tried; of a rule what its events have to be.
    """
    is_rule = any(one.measure != "z" for one in tried)
    if picture is not None:
        _draw(tried, query.budget, picture)
    if as_json:
        said = {"rule" if is_rule else "query": query.id, "budget_per_hour": query.budget}
        typer.echo(json.dumps({**said, "streams": [_plain(one) for one in tried]}, indent=2))
        return
    table = Table(box=SIMPLE_HEAD)
    first, level = ("rule", "alert at evidence") if is_rule else ("stream", "alert at z")
    for heading in (first, "hours", level, "events", "an hour", "false alarms"):
        table.add_column(heading, overflow="fold")
    for one in tried:
        table.add_row(
            escape(one.stream or query.id),
            f"{one.series.hours:.1f}",
            f"{one.promise.cut:.1f}",
            str(len(one.found)),
            f"{one.per_hour:.2f}",
            str(one.promise),
        )
    out.print(table)
    for one in tried:
        _list(one, one.stream or query.id, "announced", one.found)
        _list(one, one.stream or query.id, "just missed", one.near)
    if picture is not None:
        out.print(f"Drawn in {picture}.", markup=False, highlight=False)


def _list(tried: Tried, of: str, what: str, events: tuple[Event, ...]) -> None:
    if not events:
        return
    highest = sorted(events, key=lambda event: -event.top)[:SHOWN]
    more = f", the highest {SHOWN}" if len(events) > SHOWN else ""
    out.print(f"{of}: {len(events)} {what}{more}", markup=False, highlight=False)
    for event in highest:
        lasted_s = (event.end_ns - event.start_ns) / 1e9
        when = f"{datetime.fromtimestamp(event.start_ns / 1e9):%Y-%m-%d %H:%M:%S}"
        name = f"{tried.stream}/{event.start_ns}" if tried.stream else _made_of(event)
        what = "z" if tried.measure == "z" else "evidence"
        line = f"  {when}  {what} {event.top:5.1f}  {lasted_s:4.0f} s  {name}"
        out.print(line, markup=False, highlight=False)


def _made_of(event: Event) -> str:
    """The parts of a rule's event, strongest first."""
    parts = sorted(event.parts, key=lambda part: -part.log_odds)
    return ", ".join(f"{part.query} on {part.stream} {part.log_odds:.1f}" for part in parts)


def _plain(tried: Tried) -> dict[str, Any]:
    return {
        "stream": tried.stream,
        **promised(tried),
        "events_per_hour": tried.per_hour,
        "events": [event_of(tried, event) for event in tried.found],
        "near_misses": [event_of(tried, event) for event in tried.near],
        "levels": tried.levels.tolist(),
    }


def promised(tried: Tried) -> dict[str, Any]:
    """The level and what it is good for; where nothing was heard the level is null."""
    made = tried.promise
    return {
        "hours": round(tried.series.hours, 3),
        "cut": _finite(made.cut),
        "promise": {
            "kept": made.is_kept,
            "at_most_per_hour": _finite(made.sure),
            "missing_hours": made.missing_hours,
            "words": str(made),
        },
    }


def _finite(value: float) -> float | None:
    """JSON knows no infinity."""
    return value if math.isfinite(value) else None


def event_of(tried: Tried, event: Event) -> dict[str, Any]:
    """With the id of its first window, which `bindstream similar` takes; of a rule those of its
    parts."""
    said = {"start_ns": event.start_ns, "end_ns": event.end_ns, tried.measure: event.top}
    if tried.measure == "z":
        return {"id": f"{tried.stream}/{event.start_ns}", **said}
    parts = [
        {
            "id": f"{part.stream}/{part.start_ns}",
            "query": part.query,
            "log_odds": part.log_odds,
        }
        for part in event.parts
    ]
    return {**said, "parts": parts}


def check_picture(path: Path) -> None:
    """Before anything is computed.

    Raises:
        ConfigError: it cannot be written there.
        MissingPackageError: matplotlib is not installed.
    """
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise ConfigError(f"{path} is no picture.", where="--out", fix="Name it .png or .svg.")
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"there is no folder {path.absolute().parent}.", where="--out")
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingPackageError(
            "Pictures need matplotlib, which is not installed.",
            fix="Run: pip install 'bindstream[train]'.",
        )


def _draw(tried: list[Tried], budget: float, path: Path) -> None:
    """A row a stream: z over time with the cut, and events an hour by cut with the budget."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 2.6 * len(tried) + 0.4), layout="constrained")
    axes = figure.subplots(len(tried), 2, squeeze=False, width_ratios=(3, 1))
    for (left, right), one in zip(axes, tried, strict=True):
        times = [datetime.fromtimestamp(ns / 1e9) for ns in one.series.starts_ns.tolist()]
        left.plot(times, one.series.values, ".", markersize=1, color="0.5")
        for events, colour in ((one.near, "tab:orange"), (one.found, "tab:red")):
            at = [datetime.fromtimestamp(event.start_ns / 1e9) for event in events]
            left.plot(at, [event.top for event in events], "o", markersize=4, color=colour)
        left.axhline(one.promise.cut, color="tab:red", linewidth=1)
        what = "z" if one.measure == "z" else "evidence"
        left.set_ylabel(f"{one.stream}\n{what}")
        left.tick_params(axis="x", labelrotation=20)
        if len(one.levels):
            rates = [(place + 1) / one.series.hours for place in range(len(one.levels))]
            right.step(one.levels, rates, where="post", color="0.3")
            right.set_yscale("log")
        right.axhline(budget, color="tab:blue", linewidth=1, linestyle="--")
        right.axvline(one.promise.cut, color="tab:red", linewidth=1)
        right.set_ylabel("events an hour")
    axes[-1][0].set_xlabel("time; dots: windows, orange: just missed, red: announced")
    axes[-1][1].set_xlabel(f"alert at {what} (red: the level, dashed: the budget)")
    figure.savefig(path, dpi=110)
