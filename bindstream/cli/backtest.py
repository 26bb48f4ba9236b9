"""bindstream backtest: what a query or a rule would have done on what the history holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bindstream.cli.app import app, errors, warn
from bindstream.cli.backtest_rule import try_rule
from bindstream.cli.model_options import DeviceOption, PrecisionOption, ThreadsOption
from bindstream.cli.search import (
    ConfigOption,
    HistoryOption,
    JsonOption,
    ModalityOption,
    SinceOption,
    StreamOption,
    UntilOption,
    history_of,
    scope_of,
)
from bindstream.cli.sum_options import LikeOption, MinusOption, PlusOption, UnusualOption, sums_of
from bindstream.cli.trying import Contrasts, encoded, query_from, read_model
from bindstream.errors import ConfigError

if TYPE_CHECKING:
    from bindstream.backtest import Tried
    from bindstream.history.reader import History
    from bindstream.history.search import Scope
    from bindstream.matcher import Query
    from bindstream.models.encoder import Model

_HELP = """Try a query or a rule on what was kept, before it watches.

For each stream: the level that keeps the budget of false alarms on this background, what that
promises, the events that would have been announced, and those that just missed. If what you ask for
happened meanwhile, it is among them: then it is no false alarm.

Several WORDS are phrasings of the same thing; --like, --plus and --minus add files and stored
windows, as in `bindstream search`. The pipeline keeps its vectors where its
configuration has a `history` section.

With --rule a rule over queries of the configuration, or one that was added to its run, is tried on
all of its streams together: how much evidence keeps its budget, and the windows of which its events
are made. Beside it only --budget and the time may be given.

Examples:

  bindstream backtest "glass breaking" --since 7d

  bindstream backtest --rule break-in -c home.yaml --since 7d

  bindstream backtest "a dog barks" barking --not "a door slams" --budget 1/day --stream garden

  bindstream backtest "a dog barks" --plus rex.wav --minus "0.5*a cat meows"

  bindstream backtest "someone shouts" -c home.yaml --out shouts.png
"""


@app.command(help=_HELP)
def backtest(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[WORDS]...", help="What to watch for.")
    ] = None,
    like: LikeOption = None,
    plus: PlusOption = None,
    minus: MinusOption = None,
    unusual: UnusualOption = False,
    negatives: Annotated[
        list[str] | None, typer.Option("--not", help="What it is not; may be repeated.")
    ] = None,
    rule: Annotated[
        str | None, typer.Option("--rule", metavar="ID", help="A rule, in place of a query.")
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(metavar="RATE", help="False alarms allowed: 3/day, 1/week; else 0.2 an hour."),
    ] = None,
    min_length: Annotated[
        float, typer.Option(min=0, help="Shorter events say nothing, seconds.")
    ] = 0.0,
    cooldown: Annotated[float, typer.Option(min=0, help="Silence after an alert, seconds.")] = 5.0,
    since: SinceOption = "7d",
    until: UntilOption = None,
    streams: StreamOption = None,
    modality: ModalityOption = None,
    picture: Annotated[
        Path | None, typer.Option("--out", help="PNG of scores over time, and rates by level.")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    history: HistoryOption = None,
    model: Annotated[str | None, typer.Option(help="A model's name or directory.")] = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    threads: ThreadsOption = None,
) -> None:
    from bindstream.cli import backtest_report

    if picture is not None:
        backtest_report.check_picture(picture)
    if rule is not None:
        if unusual or any((words, like, plus, minus, negatives, streams, modality)):
            fix = "Beside it only --budget and the time may be given."
            raise ConfigError("a rule says itself what it is made of.", where="--rule", fix=fix)
        whole, wanted = try_rule(
            rule,
            config,
            history,
            scope_of(since, until, None, None),
            budget=budget,
            model=model,
            device=device,
            precision=precision,
            threads=threads,
        )
        backtest_report.show([whole], wanted, picture, as_json)
        return
    scope = scope_of(since, until, streams, modality)
    kept, configured = history_of(config, history)
    query = query_from(
        text=words or (None if unusual else []),
        unusual=unusual,
        **sums_of(like, plus, minus),
        negatives=negatives or [],
        modalities=modality,
        budget=budget or "0.2",
        min_length_s=min_length,
        cooldown_s=cooldown,
    )
    name = model or configured
    loaded = read_model(name, [query], device=device, precision=precision, threads=threads)
    (asked,) = encoded(loaded, [query], kept.folder)
    tried = _tried(kept, loaded, asked, scope)
    for warning in kept.warnings:
        warn(warning)
    backtest_report.show(tried, query, picture, as_json)


def _tried(history: History, model: Model, query: Query, scope: Scope) -> list[Tried]:
    """The query on each stream of the scope that it may listen to.

    Raises:
        HistoryError: nothing was kept of this model in the period.
    """
    from bindstream.backtest import backtest as try_on
    from bindstream.errors import HistoryError
    from bindstream.history.computed import computed

    found: list[Tried] = []
    contrasts = Contrasts(model)
    period = scope.since_ns, scope.until_ns
    with errors.status("Reading the history …") as status:
        names = history.streams(model.fingerprint, *period)
        for name in names if scope.streams is None else [n for n in names if n in scope.streams]:
            status.update(f"Trying it on {name} …")
            first = next(iter(history.read(model.fingerprint, name, *period)), None)
            if first is None or scope.modality not in (None, first.modality):
                continue
            if not query.watches(name, first.modality):
                continue
            pieces = computed(history, model.fingerprint, name, *period)
            found.append(try_on(query, contrasts.of(first.modality), name, pieces))
    if not found:
        others = ", ".join(f"{n:,} of {m}" for m, n in history.models().items()) or "nothing"
        raise HistoryError(
            f"there are no windows of this model ({model.fingerprint}) in the period that the "
            "query listens to.",
            where=str(history.folder),
            fix=f"It holds {others}. Go further back with --since, or give --model.",
        )
    return found
