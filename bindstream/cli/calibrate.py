"""bindstream calibrate: how high a configuration's queries have to score, before it runs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bindstream.cli.app import app, errors, warn
from bindstream.cli.model_options import DeviceOption, PrecisionOption, ThreadsOption
from bindstream.cli.search import JsonOption, when
from bindstream.cli.trying import Contrasts, encoded, query_from, read_model
from bindstream.errors import ConfigError, DataError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from bindstream.backtest import Tried
    from bindstream.config import Config, HistoryConfig, QueryConfig, StreamConfig
    from bindstream.matcher import Query
    from bindstream.models.encoder import Model
    from bindstream.playback import Recording

_HELP = """Show each query's level on each stream, what it promises, and what is missing.

What the history holds of a stream is its background. With --recording a stream's background comes
from files too: they are played through its windows and its tower, and kept in the history as if
they had ended just now, in time in which the stream was not heard. The next `bindstream run` then
knows the stream at once. Without a `history` section they are only looked at.

Record what is usual: hours of it if you can. True events in it do no harm while they are few; what
is taken for one is listed, and is no background. Files are WAV, FLAC or OGG for microphones, videos
for cameras, 16-bit videos for thermal and depth, CSV or NPZ for imu.

Examples:

  bindstream calibrate home.yaml

  bindstream calibrate home.yaml --recording kitchen=night1.wav --recording kitchen=night2.wav

  bindstream calibrate home.yaml --query "glass breaking" --budget 1/week --since 2d --json
"""


@app.command(help=_HELP)
def calibrate(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The configuration.")],
    recordings: Annotated[
        list[str] | None,
        typer.Option(
            "--recording", metavar="STREAM=FILE", help="Of a stream, in order; may be repeated."
        ),
    ] = None,
    words: Annotated[
        list[str] | None,
        typer.Option("--query", help="These words, not the file's queries; may be repeated."),
    ] = None,
    budget: Annotated[
        str | None, typer.Option(metavar="RATE", help="False alarms allowed, for --query.")
    ] = None,
    since: Annotated[str, typer.Option("--since", help="How far back the history counts.")] = "7d",
    as_json: JsonOption = False,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    threads: ThreadsOption = None,
) -> None:
    from bindstream.cli import calibrate_report
    from bindstream.config import load_config

    loaded = load_config(config, played=False)
    queries = _queries(loaded, words, budget)
    now_ns = time.time_ns()
    since_ns = when(since, now_ns, "--since")
    files = _files(loaded, recordings or [])
    if loaded.history is None and not files:
        raise ConfigError(
            "it keeps no history, and no recording was given.",
            where=str(config),
            fix="Give --recording STREAM=FILE, or put `history: {}` into it.",
        )
    also = {stream.modality for stream, _ in files}
    name = loaded.model.name
    model = read_model(name, queries, also, device=device, precision=precision, threads=threads)
    folder = None if loaded.history is None else loaded.history.path
    asked = encoded(model, queries, folder)
    played = _played(loaded.history, files, model, now_ns)
    tried = _tried(loaded, model, asked, played, since_ns)
    calibrate_report.show(tried, played, stored=folder, now_ns=now_ns, as_json=as_json)


def _queries(
    config: Config, words: Sequence[str] | None, budget: str | None
) -> tuple[QueryConfig, ...]:
    if words:
        given = {} if budget is None else {"budget": budget}
        return tuple(query_from(text=text, **given) for text in words)
    if budget is not None:
        raise ConfigError("--budget is for --query.", fix="Budgets stand in the configuration.")
    if not config.queries:
        raise ConfigError("it has no queries.", fix='Give --query "WORDS".')
    return config.queries


def _files(config: Config, recordings: Sequence[str]) -> list[tuple[StreamConfig, Path]]:
    """Streams and files of "STREAM=FILE".

    Raises:
        ConfigError: one is not written so, or there is no such stream or file.
    """
    streams = {stream.name: stream for stream in config.streams}
    found: list[tuple[StreamConfig, Path]] = []
    for said in recordings:
        name, equals, file = said.partition("=")
        if not (name and equals and file):
            raise ConfigError(f"{said!r} is not STREAM=FILE.", where="--recording")
        if name not in streams:
            raise ConfigError(
                f"no stream is named {name!r}.",
                where="--recording",
                fix=f"There are: {', '.join(streams)}.",
            )
        if not Path(file).is_file():
            raise ConfigError(f"there is no file {file!r}.", where="--recording")
        found.append((streams[name], Path(file)))
    return found


def _played(
    history: HistoryConfig | None,
    files: Sequence[tuple[StreamConfig, Path]],
    model: Model,
    now_ns: int,
) -> list[Recording]:
    """The recordings in their places, and kept if there is a history.

    Raises:
        BindstreamError: a file cannot be used, or they cannot be kept.
    """
    from bindstream.history.adding import add, check_free, occupied
    from bindstream.playback import hop_ns, placed

    if history is not None and files:
        check_free(history.path)
    found: list[Recording] = []
    for stream in {stream.name: stream for stream, _ in files}.values():
        folder = None if history is None else history.path
        taken, clocks = occupied(folder, model.fingerprint, stream.name)
        mine = [file for of, file in files if of is stream]
        _check_new(stream, mine, clocks)
        made = _play_all(stream, mine, model)
        _check_length(stream, made)
        found += placed(made, hop_ns(stream), taken, now_ns)
    if history is not None and found:
        add(history, found, now_ns)
    return found


def _check_new(stream: StreamConfig, files: Sequence[Path], clocks: set[str]) -> None:
    """Refuse what was played already: twice the same is no more background."""
    from bindstream.playback import clock_of

    known = set(clocks)
    for file in files:
        if (clock := clock_of(file)) in known:
            raise ConfigError(
                f"{file} was played into {stream.name} already, and twice the same is no more.",
                where="--recording",
                fix="Leave it out.",
            )
        known.add(clock)


def _play_all(stream: StreamConfig, files: Sequence[Path], model: Model) -> list[Recording]:
    """The recordings of a stream, with a bar on standard error where a person watches."""
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from bindstream.file_length import windows_in
    from bindstream.playback import play

    counted = TextColumn("{task.fields[count]} windows")
    columns = (TextColumn("{task.description}"), BarColumn(), counted, TimeElapsedColumn())
    found: list[Recording] = []
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        for file in files:
            total = windows_in(stream, file)
            task = bar.add_task(f"{stream.name}: {escape(file.name)}", total=total, count="0")
            found.append(play(stream, file, model, partial(_advance, bar, task)))
            bar.remove_task(task)
    return found


def _advance(bar: Progress, task: TaskID) -> None:
    """One window more; of a recording that does not say how long it is there is no total."""
    at = next(each for each in bar.tasks if each.id == task)
    done, total = int(at.completed) + 1, at.total
    of = "" if total is None else f" of about {max(int(total), done)}"
    bar.update(task, advance=1, count=f"{done}{of}")


def _check_length(stream: StreamConfig, recordings: Sequence[Recording]) -> None:
    from bindstream.lines import FIRST_REFIT
    from bindstream.playback import hop_ns

    if (count := sum(len(recording.windows) for recording in recordings)) < FIRST_REFIT:
        length_s = FIRST_REFIT * hop_ns(stream) / 1e9
        raise DataError(
            f"the recordings are too short: {count} windows of {FIRST_REFIT} that a level is "
            "drawn from.",
            where=stream.name,
            fix=f"Give {length_s:.0f} s at least; hours are better.",
        )


def _tried(
    config: Config,
    model: Model,
    queries: Sequence[Query],
    played: Sequence[Recording],
    since_ns: int,
) -> list[tuple[Query, Tried]]:
    """Each query on each stream that it listens to."""
    from bindstream.backtest import backtest
    from bindstream.history.computed import computed
    from bindstream.history.reader import History
    from bindstream.playback import pieces

    contrasts, found = Contrasts(model), list[tuple["Query", "Tried"]]()
    folder = None if config.history is None else config.history.path
    history = None if folder is None else History(folder)
    with errors.status("Drawing levels …") as status:
        for stream in config.streams:
            status.update(f"Drawing levels on {stream.name} …")
            if history is not None:
                heard = list(computed(history, model.fingerprint, stream.name, since_ns))
            else:
                heard = pieces([one for one in played if one.stream == stream.name])
            for query in queries:
                if query.watches(stream.name, stream.modality):
                    contrast = contrasts.of(stream.modality)
                    found.append((query, backtest(query, contrast, stream.name, heard)))
    for warning in history.warnings if history is not None else ():
        warn(warning)
    return found
