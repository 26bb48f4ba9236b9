"""Tables of what a pipeline says of itself."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from bindstream.errors import unnamed

if TYPE_CHECKING:
    from bindstream.config import Config
    from bindstream.scene import Verdict


def counted(count: int, one: str, more: str = "") -> str:
    """A count with its noun: 1 query, 2 queries; where `more` is not given, `one` with an s."""
    return f"{count} {one if count == 1 else more or one + 's'}"


def streams_table(said: dict[str, Any]) -> RenderableType:
    """A line a stream: its device's state and its accounts; below, what there is to say of each."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("stream", overflow="fold", min_width=6)
    for name in ("state", "captured", "embedded", "reused", "dropped", "pending"):
        table.add_column(name, no_wrap=name not in ("reused", "dropped"))
    below: list[Text] = []
    for name, stream in said["streams"].items():
        intake = stream.get("intake")
        if intake is None:  # it never answered, though its ledger may tell of it
            why = stream.get("failed", "")
            state, style = ("failed", "red") if why else ("starting", "default")
            accounts = stream.get("accounts")
            notes = [why]
        else:
            state, accounts = intake["reader"]["state"], intake["accounts"]
            style = _STYLES.get(state, "yellow")
            times = stream["restarts"]
            again = f"restarted {counted(times, 'time')}" if times else ""
            behind = _behind(intake["behind_s"], state)
            detail = intake["reader"]["detail"]
            notes = [again, stream.get("error"), detail, intake["void"], behind]
        counts = _counts(accounts, stream.get("tower_saved_s", 0.0)) if accounts else [""] * 5
        table.add_row(name, f"[{style}]{state}[/]", *counts)
        below += [_note(name, note) for note in notes if note]
    for column in table.columns:
        # Where it is too wide, what stands beside a number goes below it: no number is cut off.
        if column.header in ("reused", "dropped"):
            words = " ".join(map(str, column.cells)).split()
            column.min_width = max(map(len, words), default=0)
    return Group(table, *below)


def _behind(behind_s: float, state: str) -> str:
    """How late what is played is, or was at its end; nothing if it is hardly so."""
    from bindstream.intake.schedule import IN_TIME_S

    if behind_s < IN_TIME_S:
        return ""
    return f"{'ended ' if state == 'ended' else ''}{behind_s:.0f} s behind its schedule"


def _counts(accounts: dict[str, Any], tower_saved_s: float) -> list[str]:
    """captured, embedded, reused, dropped with the reasons, pending."""
    reasons = {why: n for why, n in accounts["dropped"].items() if n}
    dropped = str(sum(reasons.values()))
    if reasons:
        dropped += " (" + ", ".join(f"{why} {n}" for why, n in reasons.items()) + ")"
    return [
        str(accounts["captured"]),
        str(accounts["embedded"]),
        _reused(accounts, tower_saved_s),
        dropped,
        str(accounts["pending"]),
    ]


def _note(stream: str, note: str) -> Text:
    """A line on a stream; drivers, too, name it before what they say."""
    return Text.assemble((stream, "bold"), ": ", unnamed(note, stream))


def _reused(accounts: dict[str, Any], tower_saved_s: float) -> str:
    """How many windows, their share of all captured, and the tower time that they saved."""
    reused: int = accounts["reused"]
    if not reused:
        return "0"
    return f"{reused} ({reused / accounts['captured']:.0%}, saved {_lasting(tower_saved_s)})"


def _lasting(seconds: float) -> str:
    for unit_s, unit in ((3600, "h"), (60, "min")):
        if seconds >= unit_s:
            return f"{seconds / unit_s:.1f} {unit}"
    return f"{seconds:.1f} s"


_STYLES = {"live": "green", "ended": "dim", "failed": "red", "stalled": "red"}


def latency_table(said: dict[str, Any]) -> RenderableType:
    """A line a stage: how long windows spent in it; nothing before any window went by."""
    if not said.get("match", {}).get("latency"):
        return Text()
    table = Table("stage", "windows", "median ms", "99th percentile ms", box=SIMPLE_HEAD)
    for stage, times in said.get("match", {}).get("latency", {}).items():
        table.add_row(stage, str(times["n"]), f"{times['p50']:.1f}", f"{times['p99']:.1f}")
    return table


def history_line(said: dict[str, Any]) -> RenderableType:
    """What the history keeps, and what it could not; nothing where there is none."""
    history = said.get("history") or {}
    kept = history.get("kept")
    if kept is None:
        return Text("history: starting") if history else Text()
    text = Text.assemble(("history", "bold"), f": {kept['vectors']:,} vectors")
    text.append(f", {kept['bytes'] / 1e6:,.1f} MB in {kept['folder']}")
    if kept["oldest_ns"] is not None:
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(kept["oldest_ns"] / 1e9))
        text.append(f", since {since}")
    if kept["flushed_s"] is not None:
        text.append(f", flushed {kept['flushed_s']:.0f} s ago")
    for what, style in (("missed", "yellow"), ("lost", "red")):
        if counts := kept[what]:
            each = ", ".join(f"{count} of {stream}" for stream, count in counts.items())
            text.append(f"; {what} {each}", style=style)
    return text.append(f"; {kept['trouble']}" if kept["trouble"] else "", style="red")


def recording_line(said: dict[str, Any]) -> RenderableType:
    """What is recorded and where, and what could not be; nothing where nothing is."""
    recording = said.get("recording")
    if not recording:
        return Text()
    streams = [stream.get("recording") or {} for stream in said["streams"].values()]
    size = recording["disk_bytes"] + sum(stream.get("disk_bytes", 0) for stream in streams)
    samples = sum(sum(stream.get("samples", {}).values()) for stream in streams)
    lost = recording["lost"] + sum(sum(stream.get("lost", {}).values()) for stream in streams)
    text = Text.assemble(("recording", "bold"), f": {samples:,} samples, ")
    text.append(f"{recording['results']:,} vectors and alerts, {size / 1e6:,.1f} MB in ")
    text.append(recording["folder"])
    return text.append(f"; {lost} lost" if lost else "", style="red")


def notice_lines(said: dict[str, Any]) -> list[Text]:
    """What is wrong now, a line each; below, dimmer, what was said last and when: local time, with
    the day where it is not today."""
    lines = [Text(f"! {name}: {what}", style="red") for name, what in said["troubles"].items()]
    today = datetime.now().date()
    for notice in said["warnings"]:
        at = datetime.fromtimestamp(notice["at_ns"] / 1e9)
        when = f"{at:%H:%M:%S}" if at.date() == today else f"{at:%Y-%m-%d %H:%M:%S}"
        lines.append(Text(f"{when} {notice['what']}", style="dim"))
    return lines


def verdicts_table(verdicts: list[Verdict], config: Config) -> Table:
    """A line a query: events found and missed, alerts without an event."""
    words = {query.id: query.shown[0] for query in config.queries}
    table = Table("query", "found", "missed", "false alarms", box=SIMPLE_HEAD)
    for verdict in verdicts:
        table.add_row(
            escape(words[verdict.query]),
            _at(event.start_s for event in verdict.found),
            f"[red]{_at(event.start_s for event in verdict.missed)}[/]",
            f"[red]{len(verdict.false) or ''}[/]",
        )
    found, missed, false = (
        sum(len(getattr(verdict, what)) for verdict in verdicts)
        for what in ("found", "missed", "false")
    )
    table.add_section()
    table.add_row("in all", f"{found} of {found + missed}", str(missed), str(false))
    return table


def _at(times_s: Iterable[float]) -> str:
    return ", ".join(f"{t:.0f} s" for t in times_s)
