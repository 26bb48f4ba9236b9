"""Why an alert came, and what a stream shows now: as text, as bars, as plain data."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from bindstream.evidence import Evidence
    from bindstream.records import Alert

WIDTH = 24
"""Letters of a bar."""
_BLOCKS = " ▏▎▍▌▋▊▉█"
_SPARKS = "▁▂▃▄▅▆▇█"


def now_picture(said: dict[str, Any], now_ns: int) -> RenderableType:
    """What a stream shows now, as control says it."""
    from bindstream.sinks.terminal import clock, line, reading

    age_s = (now_ns - said["end_ns"]) / 1e9
    head = Text.assemble((said["stream"], "bold"), f" ({said['modality']})  ")
    head.append(f"{clock(said['start_ns'])} to {clock(said['end_ns'])}")
    # Recordings that are played faster than they were made are ahead of the clock.
    head.append(f", {age_s:.0f} s ago" if age_s >= 0 else "", style="dim")
    head.append(f", {said['coverage']:.0%} observed", style="dim")
    if said["readings"]:
        head.append("  " + ", ".join(reading(*each) for each in said["readings"].items()))
    last = [line(_alert(each)) for each in said["alerts"]]
    none = Text("no alerts of it so far", style="dim")
    return Group(head, _shows(said["shows"]), _standing(said["queries"]), *(last or [none]))


def _shows(shows: list[dict[str, Any]]) -> RenderableType:
    if not shows:
        return Text("the model has no words for it: no query of words is watched for", style="dim")
    table = Table("it shows", "", "share", "cosine", box=SIMPLE_HEAD)
    for each in shows:
        style = "bold" if each["query"] else ""
        table.add_row(
            Text(each["text"], style=style),
            Text(bar(each["share"]), style="cyan"),
            f"{each['share']:.0%}",
            f"{each['cosine']:.3f}",
        )
    return table


def _standing(queries: list[dict[str, Any]]) -> RenderableType:
    if not queries:
        return Text("no query watches it", style="dim")
    table = Table("query", "z against its cut", "z", "cut", "share", "promise", box=SIMPLE_HEAD)
    for each in queries:
        z, on = each["z"], each["on"]
        known = z is not None and math.isfinite(z)
        reached = known and z >= on and each["share"] >= each["least_share"]
        table.add_row(
            escape(each["query"]),
            Text(bar_with_cut(z if known else 0.0, on), style="bold red" if reached else "cyan"),
            f"{z:.1f}" if known else "learning",
            f"{on:.1f}",
            f"{each['share']:.0%}"
            + (f" of {each['least_share']:.0%}" if each["least_share"] else ""),
            escape(each["promise"]),
        )
    return table


def bar(share: float, width: int = WIDTH) -> str:
    """A bar of at most `width` letters, for a share in [0, 1]."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (_BLOCKS[rest] if rest else "")


def bar_with_cut(value: float, cut: float, width: int = WIDTH) -> str:
    """A bar of `value` with its `cut` marked by a stroke at two thirds; a full one ends in »."""
    place = 2 * width // 3
    filled = round(max(value, 0.0) / max(cut, 1e-9) * place)
    letters = ["█" if i < filled else "·" for i in range(width)]
    letters[place] = "┃"
    if filled > width:
        letters[-1] = "»"
    return "".join(letters)


def sparkline(values: tuple[float, ...], cut: float) -> Text:
    """A letter a value, those from the cut on in red."""
    text = Text()
    top = max((v for v in values if math.isfinite(v)), default=1.0)
    top = max(top, cut, 1e-9)
    for value in values:
        if not math.isfinite(value):
            text.append(" ")
            continue
        place = min(max(int(value / top * len(_SPARKS)), 0), len(_SPARKS) - 1)
        text.append(_SPARKS[place], style="red" if value >= cut else "")
    return text


def alert_picture(alert: Alert, evidence: Evidence | None, judged: str = "") -> RenderableType:
    """One alert: its scores, what it was nearly mistaken for, what users said of it, its files."""
    scores = Text.assemble(("scores", "bold"), "    ", sparkline(alert.scores, alert.on))
    scores.append(f"  starts at {alert.on:.1f}, ends below {alert.off:.1f}", style="dim")
    from bindstream.sinks.terminal import clock, line

    begun = datetime.fromtimestamp(alert.start_ns / 1e9)
    lines: list[RenderableType] = [line(alert), _named("alert", alert.id)]
    lines += [_named("began", f"{begun:%Y-%m-%d %H:%M:%S}"), scores]
    lines.append(_named("promise", alert.promise))
    shown = [f"{text} {share:.0%}" for text, share in alert.shows]
    lines.append(_named("shows", ", ".join(shown) or "nothing is known of its peak any more"))
    near = [f"{text} ({cosine:.3f})" for text, cosine in alert.nearest]
    own = f"; the query itself {alert.peak_cosine:.3f}" if alert.measure == "z" else ""
    lines.append(_named("nearest", ", ".join(near) + own if near else "held against no words"))
    lines += [
        _named("part", f"{p.query} on {p.stream} at {clock(p.start_ns)}, evidence {p.log_odds:.1f}")
        for p in alert.parts
    ]
    lines += [_named("judged", judged)] if judged else []
    if evidence is None:
        return Group(*lines, _named("files", "no evidence of it is kept"))
    told = evidence.told
    if told.kept_end_ns:
        span = f"{clock(told.kept_start_ns)} to {clock(told.kept_end_ns)}"
        lines.append(_named("kept", span))
    if told.note:
        lines.append(_named("note", told.note))
    return Group(*lines, *(_named("files", str(path)) for path in evidence.files))


def _named(name: str, what: str) -> Text:
    return Text.assemble((f"{name:<10}", "bold"), what or "none")


def plain(said: Any) -> Any:
    """The same as JSON knows it: numbers that are none are null."""
    if isinstance(said, dict):
        return {key: plain(value) for key, value in said.items()}
    if isinstance(said, list | tuple):
        return [plain(value) for value in said]
    if isinstance(said, float) and not math.isfinite(said):
        return None
    return said


def _alert(said: dict[str, Any]) -> Alert:
    import msgspec

    from bindstream.records import Alert

    return msgspec.convert(said, Alert)
