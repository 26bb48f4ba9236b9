"""bindstream replay: a recording once more, through the same windows, towers, queries and rules."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bindstream.cli.app import FAILED, PARTIAL, app, errors
from bindstream.cli.model_options import ThreadsOption
from bindstream.cli.record_files import FromOption, ToOption, say_being_written, say_damage
from bindstream.errors import ConfigError

if TYPE_CHECKING:
    from bindstream.recording import Recording
    from bindstream.replay.plan import Plan, Played

_HELP = """Play a recording again, and announce what it announces.

The same recording with the same configuration, model, machine and --threads gives the same windows
and the same alerts each time, byte for byte, at every speed, in this process or on Ray: what is
judged when depends on the times of capture alone. They are the times that alerts show.

Without --config the configuration in the recording is used. Its state, history, evidence and sinks
are neither read nor written: what they would know is not in the recording. That is also why a live
run, which may have known more, need not have announced exactly the same.

--out writes a line an announcement, all of it but what belongs to one run (stages, evidence); with
--windows a line a window, too, with the SHA-256 of its vector. --json prints these lines in place
of what people read.

Exit code 1 if every stream failed, 3 if some did, or if something was lost on the way.

Examples:

  bindstream replay recordings/20261122T054300Z

  bindstream replay recordings/20261122T054300Z --query "glass breaking" --query "a dog barking"

  bindstream replay night.mcap --config home.yaml --from 02:55:00 --to 03:10:00 --speed 4

  bindstream replay night.mcap --ray --out night.jsonl --windows
"""


@app.command(help=_HELP)
def replay(
    path: Annotated[Path, typer.Argument(help="A recording's folder, or one of its files.")],
    speed: Annotated[
        str, typer.Option(metavar="N|max", help="1 in real time, 2 twice as fast, max at once.")
    ] = "max",
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="In place of the recorded one.")
    ] = None,
    since: FromOption = None,
    until: ToOption = None,
    loop: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="So many rounds, one after another.")
    ] = 1,
    queries: Annotated[
        list[str] | None,
        typer.Option("--query", help="Words, in place of the queries; may be repeated."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Another model's name or directory.")] = None,
    threads: ThreadsOption = None,
    on_ray: Annotated[
        bool, typer.Option("--ray", help="On Ray as `run` does, with the bus and control.")
    ] = False,
    to: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write what comes of it, JSON lines.")
    ] = None,
    windows: Annotated[
        bool, typer.Option("--windows", help="Lines for windows, too, with --out or --json.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print these lines.")] = False,
) -> None:
    from bindstream.cli.replaying import Lines, replay_here, replay_on_ray
    from bindstream.cli.trying import query_from
    from bindstream.recording import Recording
    from bindstream.replay.plan import plan

    with Recording(path) as recording:
        played = _played(recording, speed, since, until, loop)
        asked = [query_from(text=words) for words in queries or ()]
        planned = plan(recording, config, played, queries=asked, model=model, threads=threads)
        made_by = recording.facts.get("fingerprint", "")
    _say(planned, recording)
    if not as_json:
        _say_learning(planned, recording)
    with Lines(to, windows=windows, printed=as_json) as lines:
        replayed = (replay_on_ray if on_ray else replay_here)(planned, lines, made_by)
    replayed.report(lines.console)
    if replayed.failed:
        raise typer.Exit(FAILED if len(replayed.failed) == replayed.streams else PARTIAL)
    if replayed.troubles:
        raise typer.Exit(PARTIAL)


def _played(
    recording: Recording, speed: str, since: str | None, until: str | None, rounds: int
) -> Played:
    from bindstream.replay.moment import seconds_into
    from bindstream.replay.plan import Played

    bounds = recording.start_ns, recording.end_ns
    from_s = 0.0 if since is None else seconds_into(since, *bounds, "--from")
    to_s = None if until is None else seconds_into(until, *bounds, "--to")
    if to_s is not None and to_s <= from_s:
        raise ConfigError(f"--to {until} is not after --from {since or 0}.")
    return Played(_speed(speed), from_s, to_s, rounds)


def _speed(said: str) -> float | Literal["max"]:
    if said == "max":
        return "max"
    try:
        speed = float(said)
    except ValueError:
        speed = math.nan
    if not 0 < speed < math.inf:
        raise ConfigError(f"{said!r} is no speed.", where="--speed", fix="Such as 1, 0.5, or max.")
    return speed


def _say(planned: Plan, recording: Recording) -> None:
    say_being_written(len(recording.being_written))
    say_damage(recording.damage)
    for note in planned.notes:
        errors.print(f"Left out: {note}.", style="dim", markup=False, highlight=False)


def _say_learning(planned: Plan, recording: Recording) -> None:
    """That whatever queries had learned before the part that is played, they learn anew."""
    from bindstream.calibration import WARM_UP

    if planned.config.queries and planned.start_ns > recording.start_ns:
        what = f"a query judges only after {WARM_UP} windows of a stream"
        errors.print(f"Begins inside the recording: {what}.", style="dim", highlight=False)
