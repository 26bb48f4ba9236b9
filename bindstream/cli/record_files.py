"""bindstream record info, cut, export: what can be done with a recording."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bindstream.cli.app import PARTIAL, errors, out, warn
from bindstream.cli.record import record_app
from bindstream.cli.tables import counted
from bindstream.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from bindstream.recording import Recording
    from bindstream.recording.summary import Summary

WIDEST = 80
"""Letters that a line of `record info` takes at most."""
PathArgument = Annotated[Path, typer.Argument(help="A recording's folder, or one of its files.")]
FromOption = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="T",
        help="Seconds from its beginning (90), a time of day (18:30:05), or a date with a time.",
    ),
]
ToOption = Annotated[
    str | None,
    typer.Option("--to", metavar="T", help="Likewise: a number counts from its beginning."),
]
StreamsOption = Annotated[
    str | None, typer.Option(metavar="A,B", help="These streams; all if left out.")
]

_INFO_HELP = """Say what a recording holds: streams, times, rates, gaps, sizes, vectors, alerts.

Reads all of it and says what is damaged; it may still be being written. Times are of this place's
clock. Exit code 3 if some of it cannot be read.

Examples:

  bindstream record info recordings/20261122T054300Z

  bindstream record info night.mcap --json
"""


@record_app.command(help=_INFO_HELP)
def info(
    path: PathArgument,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    from bindstream.recording import Recording
    from bindstream.recording.summary import summarise

    with Recording(path) as recording, progress("Reading", recording.disk_bytes) as told:
        said = summarise(recording, told)
    if as_json:
        out.print(json.dumps(said.plain(), ensure_ascii=False, indent=2), markup=False)
    else:
        _show(said)
    if said.damage:
        raise typer.Exit(PARTIAL)


_CUT_HELP = """Write a part of a recording to one file, with the very same readings and times.

Without --from and --to all of it: that joins the files of a run, and of a damaged recording keeps
what can be read. A reading belongs to the part in which it begins. Exit code 3 if something could
not be read.

Examples:

  bindstream record cut recordings/20261122T054300Z --out night.mcap \\
    --from 02:55:00 --to 03:10:00

  bindstream record cut recordings/20261122T054300Z --from 60 --to 90 --streams door,kitchen \\
    --out door.mcap

  bindstream record cut damaged.mcap --out whole.mcap
"""


@record_app.command(help=_CUT_HELP)
def cut(
    path: PathArgument,
    to: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="A new .mcap file.")],
    since: FromOption = None,
    until: ToOption = None,
    streams: StreamsOption = None,
) -> None:
    from bindstream.recording import Recording
    from bindstream.recording.cutting import cut as write_cut

    with Recording(path) as recording:
        from_ns, until_ns = _span(recording, since, until)
        begin = from_ns if from_ns is not None else recording.start_ns
        end = until_ns if until_ns is not None else recording.end_ns
        with progress("Cutting", max(end - begin, 1)) as told:
            reached = begin

            def at(ns: int) -> None:
                nonlocal reached
                told(max(ns - reached, 0))
                reached = max(ns, reached)

            totals = write_cut(recording, to, from_ns, until_ns, _names(streams), at)
        damage = recording.damage
    say_being_written(len(recording.being_written))
    say_damage(damage)
    many = sum(total.samples for total in totals.values())
    size = to.stat().st_size / 1e6
    out.print(
        f"{to}: {many:,} samples of {len(totals)} streams, {size:,.1f} MB.",
        markup=False,
        highlight=False,
    )
    if damage:
        raise typer.Exit(PARTIAL)


_EXPORT_HELP = """Write a recording as files for other programs.

Sound becomes WAV with silence where nothing was recorded; pictures a film (MP4, H.264) that is
shown as fast as it was taken, or with --pictures files as they are stored; motion, heat and depth
CSV (readings; lowest, mean and highest value of each frame); alerts and vectors CSV (which, when).
Beside each film and sound lies a CSV of the exact time of every sample, and of its gaps. Exit code
3 if something could not be read.

Examples:

  bindstream record export night.mcap --out night

  bindstream record export recordings/20261122T054300Z --out stills --streams door --pictures files
"""


@record_app.command(help=_EXPORT_HELP)
def export(
    path: PathArgument,
    to: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="A new, or empty folder.")],
    streams: StreamsOption = None,
    pictures: Annotated[
        str, typer.Option(metavar="film|files", help="Pictures as MP4, or each as a file.")
    ] = "film",
) -> None:
    from bindstream.recording import Recording
    from bindstream.recording.exporting import export as write_export

    if pictures not in ("film", "files"):
        raise ConfigError(f"{pictures!r} is neither film nor files.", where="--pictures")
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise ConfigError("it is not empty.", where=str(to), fix="Choose a new folder.")
    with Recording(path) as recording:
        many = sum(each.samples for each in recording.streams.values())
        with progress("Exporting", many) as told:
            written = write_export(
                recording, to, _names(streams), as_films=pictures == "film", told=told
            )
        damage = recording.damage
    say_being_written(len(recording.being_written))
    say_damage(damage)
    for file, what in written.items():
        out.print(f"{file}: {what}", markup=False, highlight=False)
    if damage:
        raise typer.Exit(PARTIAL)


def say_damage(damage: Sequence[str]) -> None:
    """What of a recording cannot be read; the rest can."""
    for what in damage:
        warn(f"damaged: {what}")


def say_being_written(files: int) -> None:
    """That more of a recording comes, if so: no damage, but it is not whole yet."""
    if files:
        line = f"Still being written: {counted(files, 'file')}."
        errors.print(line, style="dim", highlight=False)


@contextlib.contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on the terminal; gives what advances it."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda more: bar.advance(task, more)


def _names(said: str | None) -> list[str] | None:
    if said is None:
        return None
    names = [name.strip() for name in said.split(",") if name.strip()]
    if not names:
        raise ConfigError(f"{said!r} names no stream.", where="--streams")
    return names


def _span(recording: Recording, since: str | None, until: str | None) -> tuple[Any, Any]:
    """From and until, UTC ns; None where it is not said."""
    from bindstream.replay.moment import seconds_into

    begin, end = recording.start_ns, recording.end_ns
    from_ns, until_ns = (
        None if said is None else begin + round(seconds_into(said, begin, end, option) * 1e9)
        for said, option in ((since, "--from"), (until, "--to"))
    )
    if until_ns is not None and until_ns >= end:
        until_ns = None  # what begins at the very end, as a picture does, is in it
    if from_ns is not None and until_ns is not None and until_ns <= from_ns:
        raise ConfigError(f"--to {until} is not after --from {since}.")
    return from_ns, until_ns


def _show(said: Summary) -> None:
    from rich.console import Console

    begun, ended = (
        time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(ns / 1e9))
        for ns in (said.start_ns, said.end_ns)
    )
    lasts_s = (said.end_ns - said.start_ns) / 1e9
    files = counted(said.files, "file")
    lines = [
        f"{said.path}: {said.disk_bytes / 1e6:,.1f} MB on disk, in {files}",
        f"from {begun} to {ended}, {lasts_s:,.1f} s",
    ]
    if model := said.facts.get("model"):
        lines.append(f"model {model} {said.facts.get('fingerprint', '')}")
    for line in lines:
        out.print(line, markup=False, highlight=False)
    # Figures that are cut off say nothing: lines may be longer than the terminal.
    Console(width=max(out.width, WIDEST)).print(summary_table(said))
    announced = f" (announcements, ends included: {said.alerts})" if said.alerts else ""
    out.print(f"alerts that began: {said.alerts_begun}{announced}", highlight=False)
    if said.accounts:
        out.print("Counted from the beginning of the run that was recorded:", highlight=False)
    for name, accounts in said.accounts.items():
        dropped = sum(accounts.get("dropped", {}).values())
        out.print(
            f"{name}: {accounts.get('captured')} windows captured, {accounts.get('embedded')} "
            f"embedded, {accounts.get('reused')} reused, {dropped} dropped, "
            f"{accounts.get('pending')} pending",
            markup=False,
            highlight=False,
        )
    say_being_written(len(said.being_written))
    say_damage(said.damage)


def summary_table(said: Summary) -> Table:
    """A line a stream, at most `WIDEST` wide; without a column of vectors where there are none.
    What readings take is said of them as they came, not as they lie packed on the disk."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, padding=0)
    table.add_column("stream", overflow="fold", min_width=6)
    table.add_column("of", no_wrap=True)
    shown = ["seconds", "samples", "Hz", "gaps", "lost", "values", "MB raw"]
    if any(each.vectors for each in said.streams.values()):
        shown.append("vectors")
    for name in shown:
        table.add_column(name, no_wrap=True, justify="right")
    for name, each in said.streams.items():
        frames = each.modality not in ("audio", "imu")
        size = each.data_bytes / 1e6
        cells = {
            "seconds": f"{each.duration_s:.1f}",
            "samples": _count(each.samples),
            "Hz": f"{each.rate_hz:.1f}",
            "gaps": _count(each.gaps),
            "lost": f"[red]{_count(each.lost)}[/]" if each.lost else "0",
            "values": "×".join(map(str, each.shape[1::-1])) if frames else _count(each.readings),
            "MB raw": f"{size:.1f}" if size < 1000 else f"{size:,.0f}",
            "vectors": _count(each.vectors),
        }
        table.add_row(name, each.modality, *(cells[key] for key in shown))
    return table


def _count(many: int) -> str:
    """In nine letters, up to 10^11; `--json` has it exactly."""
    return f"{many:,}" if many < 10_000_000 else f"{many / 1e6:,.1f} M"
