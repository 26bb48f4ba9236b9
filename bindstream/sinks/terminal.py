"""Alerts on the terminal, one line an announcement."""

from __future__ import annotations

from datetime import datetime

from rich.console import Console
from rich.text import Text

from bindstream.records import Alert

LEAST_SHARE = 0.1
"""What is less likely is not worth a word."""
UNITS = {"_c": "°C", "_m": "m", "_hz": "Hz", "_s": "s"}


class TerminalSink:
    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()

    def accept(self, alert: Alert) -> None:
        self._console.print(lines(alert), soft_wrap=True)

    def close(self) -> None:
        """Nothing to close."""


def lines(alert: Alert) -> Text:
    """One alert in one line, and where it helps in a second one what else the sensor may have
    shown, and where its evidence will lie."""
    said = [f"shows: {also}"] if (also := shows(alert)) else []
    if alert.state == "started" and alert.evidence:
        said.append(f"evidence: {alert.evidence}")
    first = line(alert)
    return first.append(f"\n          {'  '.join(said)}", style="dim") if said else first


def shows(alert: Alert) -> str:
    """What the sensor showed when an alert started, as in "rain 41 %, a dog 22 %"; "" where it is
    hardly anything but what the alert says already."""
    likely = [(text, share) for text, share in alert.shows if share >= LEAST_SHARE]
    if alert.state == "ended" or not any(text != alert.text for text, _ in likely):
        return ""
    return ", ".join(f"{' '.join(text.split())} {share:.0%}" for text, share in likely)


def line(alert: Alert) -> Text:
    """One alert in one line: when, what (and its id, where that is another), which stream, how
    clearly, for how long."""
    begun = alert.state == "started"
    text = Text(f"{clock(alert.start_ns)}  ")
    text.append("● " if begun else "○ ", style="bold red" if begun else "dim")
    text.append(" ".join(alert.text.split()), style="bold" if begun else "dim")
    if alert.query != alert.text:  # which is what commands take
        text.append(f" [{alert.query}]", style="dim")
    text.append(f"  {alert.stream} ({alert.modality})", style="cyan")
    lasted_s = (alert.end_ns - alert.start_ns) / 1e9
    text.append(f"  {height(alert)}")
    if not begun:
        text.append(f"  ended after {lasted_s:.0f} s")
    if alert.readings:
        shown = ", ".join(reading(k, v) for k, v in alert.readings.items())
        text.append(f"  {shown}", style="dim")
    return text


def height(alert: Alert) -> str:
    """How far an alert stands out, in what its level is of."""
    if alert.measure == "z":
        return f"z {alert.peak_z:.1f} (on {alert.on:g}), share {alert.peak_share:.0%}"
    if alert.measure != "log_odds":
        return f"{reading(alert.measure, alert.peak_z)} (on {alert.on:g})"
    parts = [f"{part.query} on {part.stream} {clock(part.start_ns)}" for part in alert.parts]
    return f"evidence {alert.peak_z:.1f} (on {alert.on:.1f}): {', '.join(parts)}"


def clock(time_ns: int) -> str:
    """A UTC time in ns on this place's clock."""
    return datetime.fromtimestamp(time_ns / 1e9).strftime("%H:%M:%S")


def reading(name: str, value: float) -> str:
    """A physical reading with its unit: ("max_c", 81.5) gives "max 81.5 °C"."""
    for suffix, unit in UNITS.items():
        if name.endswith(suffix):
            return f"{name.removesuffix(suffix).replace('_', ' ')} {value:.1f} {unit}"
    return f"{name} {value:.3g}"
