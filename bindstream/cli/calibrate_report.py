"""What a calibration found, as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from bindstream.budget.promise import per_hour
from bindstream.cli.app import out, warn
from bindstream.cli.backtest_report import event_of, promised

if TYPE_CHECKING:
    from bindstream.backtest import Event, Tried
    from bindstream.matcher import Query
    from bindstream.playback import Recording

Lines = Sequence[tuple["Query", "Tried"]]


def show(
    tried: Lines,
    played: Sequence[Recording],
    *,
    stored: Path | None,
    now_ns: int,
    as_json: bool,
) -> None:
    """Print it.

    Args:
        stored: the history's folder; None if there is none.
    """
    for note in _notes(played, stored, now_ns):
        warn(note)
    if as_json:
        said = {
            "recordings": [_recording(one, stored) for one in played],
            "levels": [_level(query, one, played) for query, one in tried],
        }
        typer.echo(json.dumps(said, indent=2, ensure_ascii=False))
        return
    for recording in played:
        out.print(_told(recording, stored), markup=False, highlight=False)
    table = Table(box=SIMPLE_HEAD)
    for heading in ("query", "stream", "budget", "hours", "alert at z", "false alarms"):
        table.add_column(heading, overflow="fold")
    for query, one in tried:
        table.add_row(
            escape(query.config.id),
            escape(one.stream),
            per_hour(query.config.budget),
            f"{one.series.hours:.1f}",
            f"{one.promise.cut:.1f}" if len(one.series) else "",
            str(one.promise),
        )
    out.print(table)
    for query, one in tried:
        _tell_true(query, one, played)


def _notes(played: Sequence[Recording], stored: Path | None, now_ns: int) -> list[str]:
    from bindstream.recalling import BACK_NS

    if not played:
        return []
    if stored is None:
        return ["nothing was kept: put `history: {}` into the configuration, or a run begins anew."]
    early = [one for one in played if one.span[0] < now_ns - BACK_NS]
    return [
        f"{one.file}: begins more than a day ago, and a run knows the last day of the history."
        for one in early
    ]


def _told(recording: Recording, stored: Path | None) -> str:
    start_ns, end_ns = recording.span
    said = f"{recording.stream}: {recording.file}: {len(recording.windows)} windows"
    said += f" ({recording.void} could not be used)" if recording.void else ""
    if stored is None:
        return said
    begin, end = (datetime.fromtimestamp(ns / 1e9) for ns in (start_ns, end_ns))
    return f"{said}, kept as of {begin:%Y-%m-%d %H:%M:%S} to {end:%H:%M:%S}"


def _taken_for_true(tried: Tried) -> list[Event]:
    """The events that were left out of the background, the highest first."""
    highest = sorted(tried.found, key=lambda event: -event.top)
    return highest[: tried.promise.left_out]


def _tell_true(query: Query, tried: Tried, played: Sequence[Recording]) -> None:
    if not (count := tried.promise.left_out):
        return
    what = "1 peak was" if count == 1 else f"{count} peaks were"
    said = f"{query.config.id} on {tried.stream}: {what} taken for true, and is no background"
    out.print(said, markup=False, highlight=False)
    for event in _taken_for_true(tried):
        at = _in_file(event, tried.stream, played)
        when = f"{datetime.fromtimestamp(event.start_ns / 1e9):%Y-%m-%d %H:%M:%S}"
        where = f"{at[0]} at {at[1]:.0f} s" if at else f"{tried.stream}/{event.start_ns}"
        out.print(f"  {when}  z {event.top:5.1f}  {where}", markup=False, highlight=False)


def _in_file(event: Event, stream: str, played: Sequence[Recording]) -> tuple[str, float] | None:
    """The recording that an event is in, and where in it, seconds from its first window on."""
    for recording in played:
        start_ns, end_ns = recording.span
        if recording.stream == stream and start_ns <= event.start_ns < end_ns:
            return str(recording.file), (event.start_ns - start_ns) / 1e9
    return None


def _recording(recording: Recording, stored: Path | None) -> dict[str, Any]:
    start_ns, end_ns = recording.span
    return {
        "stream": recording.stream,
        "file": str(recording.file),
        "windows": len(recording.windows),
        "void": recording.void,
        "hours": round((end_ns - start_ns) / 3.6e12, 3),
        "kept": None if stored is None else {"start_ns": start_ns, "end_ns": end_ns},
    }


def _level(query: Query, tried: Tried, played: Sequence[Recording]) -> dict[str, Any]:
    true = []
    for event in _taken_for_true(tried):
        at = _in_file(event, tried.stream, played)
        true.append({**event_of(tried, event), **({"file": at[0], "at_s": at[1]} if at else {})})
    return {
        "query": query.config.id,
        "stream": tried.stream,
        "budget_per_hour": query.config.budget,
        **promised(tried),
        "left_out": tried.promise.left_out,
        "taken_for_true": true,
    }
