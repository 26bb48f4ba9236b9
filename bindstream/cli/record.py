"""bindstream record: sensors alone to disk, and what can be done with a recording."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from bindstream.cli.app import FAILED, PARTIAL, app, out, screen, warn
from bindstream.cli.stopping import stopping
from bindstream.cli.tables import counted
from bindstream.errors import unnamed

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from bindstream.config import Config
    from bindstream.config.record import RecordConfig
    from bindstream.recording.sensors import SensorFigures, SensorRun

REFRESH_S = 0.5
_SENSORS = "sensors"


class _ConfigOrCommand(TyperGroup):
    """`record CONFIG` records; `record info` and the like are commands."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = [_SENSORS, *args]
        return super().parse_args(ctx, args)


_GROUP_HELP = """Record what sensors give, and look at recordings.

With a configuration, records its sensors alone, in one process: no model, no Ray. A recording is a
folder of MCAP files that Foxglove opens as they are; `bindstream replay` plays it again.
`bindstream run --record DIR` records vectors, alerts and accounts, too.

Examples:

  bindstream record configs/laptop.yaml --to recordings --seconds 60

  bindstream record sensors --help          (the options of that)

  bindstream record info recordings/20261122T054300Z

  bindstream record cut recordings/20261122T054300Z --from 60 --to 90 --out door.mcap

  bindstream record export night.mcap --out night
"""
record_app = typer.Typer(cls=_ConfigOrCommand, no_args_is_help=True, help=_GROUP_HELP)
app.add_typer(record_app, name="record")

_SENSORS_HELP = """Record the sensors of a configuration until Ctrl-C, or until all are over.

Each run makes a folder of its own in --to, named by its beginning (UTC). What would be too much,
see `record:` in `bindstream schema`, goes, the oldest first. While a stream waits it is said why;
at the end what recording each took of one core. Exit code 1 if every stream failed, 3 if some did
or if something that came was not recorded.

Examples:

  bindstream record configs/laptop.yaml

  bindstream record configs/robot.yaml --to /media/disk --seconds 600 --pictures lossless
"""


@record_app.command(_SENSORS, help=_SENSORS_HELP)
def sensors(
    config: Annotated[Path, typer.Argument(help="A YAML file; see configs/ for examples.")],
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            metavar="DIR",
            help="The folder of recordings; else record.path, or recordings beside CONFIG.",
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="End after so long, in seconds.")
    ] = None,
    pictures: Annotated[
        str | None, typer.Option(metavar="jpeg|lossless", help="In place of record.pictures.")
    ] = None,
) -> None:
    from bindstream.config import load_config
    from bindstream.recording.sensors import SensorRun

    read = load_config(config)
    run = SensorRun(read, record_config(read, to, pictures, beside=config.parent))
    out.print(f"Recording to {run.tape.folder}. Ctrl-C ends it.", markup=False, highlight=False)
    _watch(run, seconds)
    health, figures = run.tape.health(), run.figures()
    out.print(sensors_table(figures))
    out.print(
        f"{health.disk_bytes / 1e6:,.1f} MB in {counted(health.files, 'file')} "
        f"of {run.tape.folder}; this process took "
        f"{run.cpu_share:.1%} of one core, {sum(f.cpu_share for f in figures.values()):.1%} of it "
        "to record.",
        markup=False,
        highlight=False,
    )
    for name, detail in _details(figures).items():
        warn(f"{name}: {detail}")
    failed = [name for name, each in figures.items() if each.opens == 0 or each.state == "failed"]
    lost = sum(each.lost + each.missed for each in figures.values())
    if failed or lost:
        raise typer.Exit(FAILED if len(failed) == len(figures) else PARTIAL)


def record_config(
    config: Config, to: Path | None, pictures: str | None = None, *, beside: Path = Path()
) -> RecordConfig:
    """The `record` section of a configuration with what was said beside it; without one its
    defaults.

    Args:
        beside: the folder of the configuration's file, in which the default folder is.

    Raises:
        ConfigError: nothing can be kept there, or what was said cannot be.
    """
    from pydantic import ValidationError

    from bindstream.config import RecordConfig
    from bindstream.config.paths import resolved
    from bindstream.config.places import unusable_folder
    from bindstream.errors import ConfigError

    section = config.record or resolved(RecordConfig(), beside)
    path = to or section.path
    if said := unusable_folder(path.absolute()):
        fix = "Choose one that you may write to: --to DIR."
        raise ConfigError(f"it cannot be recorded to: {said}.", where=str(path), fix=fix)
    given = {"path": path} if pictures is None else {"path": path, "pictures": pictures}
    try:
        return RecordConfig.model_validate({**section.model_dump(), **given})
    except ValidationError as error:
        what = error.errors()[0]["msg"]
        raise ConfigError(f"{pictures!r}: {what}.", where="--pictures") from None


def _watch(run: SensorRun, seconds: float | None) -> None:
    """Record until stopped, over, or so long; with a table that lives where there is a terminal,
    and else with a word when a stream begins to wait."""
    from rich.live import Live

    until_s = time.monotonic() + seconds if seconds else float("inf")
    shown_s, trouble, waiting = 0.0, "", set[str]()
    with stopping() as stop:
        run.start()
        try:
            with Live(console=screen(), auto_refresh=False, transient=True) as live:
                while not stop.is_set() and not run.ended and time.monotonic() < until_s:
                    run.turn()
                    if time.monotonic() - shown_s < REFRESH_S:
                        continue
                    shown_s = time.monotonic()
                    if out.is_terminal:
                        live.update(sensors_picture(run.figures()), refresh=True)
                    else:
                        waiting = _say_waiting(run.figures(), waiting)
                    if trouble != (trouble := run.tape.health().trouble):
                        warn(trouble or "recording: well again")
        finally:
            run.stop()


def _say_waiting(figures: Mapping[str, SensorFigures], known: set[str]) -> set[str]:
    """Say of each stream that something is wrong with why, once: what is tried again and again says
    nothing new. Takes and returns those that were said already."""
    details = _details(figures)
    for name, detail in details.items():
        if name not in known:
            warn(f"{name}: {detail}")
    return set(details)


def _details(figures: Mapping[str, SensorFigures]) -> dict[str, str]:
    """Why streams give nothing, of those of which there is something to say; drivers, too, name the
    stream before what they say."""
    return {name: unnamed(each.detail, name) for name, each in figures.items() if each.detail}


def sensors_picture(figures: Mapping[str, SensorFigures]) -> RenderableType:
    """The table of the streams; below, a line for each of which there is something to say."""
    from rich.console import Group
    from rich.text import Text

    details = _details(figures).items()
    notes = [Text.assemble((name, "bold"), f": {detail}") for name, detail in details]
    return Group(sensors_table(figures), *notes)


def sensors_table(figures: Mapping[str, SensorFigures]) -> Table:
    """A line a stream: what came, how fast, how much of it, what was lost and what it cost."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("stream", "state", "samples", "a second", "MB", "lost", "% of a core"):
        left = name in ("stream", "state")
        table.add_column(name, no_wrap=True, justify="left" if left else "right")
    for name, each in figures.items():
        lost = each.lost + each.missed
        table.add_row(
            name,
            each.state,
            f"{each.samples:,}",
            f"{each.rate_hz:.1f}",
            f"{each.data_bytes / 1e6:,.1f}",
            f"[red]{lost}[/]" if lost else "0",
            f"{each.cpu_share * 100:.1f}",
        )
    return table
