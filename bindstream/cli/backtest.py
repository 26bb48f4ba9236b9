"""bindstream backtest: what a query would have done on what the history holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bindstream.cli.app import app, errors
from bindstream.cli.model_options import DeviceOption, PrecisionOption, ThreadsOption, warn_of
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

if TYPE_CHECKING:
    from bindstream.backtest import Tried
    from bindstream.history.reader import History
    from bindstream.history.search import Scope
    from bindstream.matcher import Query, Vectors
    from bindstream.models.encoder import Model

_HELP = """Try a query on what was kept, before it watches.

For each stream: the level that keeps the budget of false alarms on this background, what that
promises, the events that would have been announced, and those that just missed. If what you ask for
happened meanwhile, it is among them: then it is no false alarm.

Several WORDS are phrasings of the same thing. The pipeline keeps its vectors where its
configuration has a `history` section.

Examples:

  bindstream backtest "glass breaking" --since 7d

  bindstream backtest "a dog barks" barking --not "a door slams" --budget 1/day --stream garden

  bindstream backtest "someone shouts" -c home.yaml --out shouts.png
"""


@app.command(help=_HELP)
def backtest(
    words: Annotated[list[str], typer.Argument(metavar="WORDS...", help="What to watch for.")],
    negatives: Annotated[
        list[str] | None, typer.Option("--not", help="What it is not; may be repeated.")
    ] = None,
    budget: Annotated[
        str,
        typer.Option(metavar="RATE", help="False alarms allowed: 0.2 (an hour), 3/day, 1/week."),
    ] = "0.2",
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
    from bindstream.models import load_model
    from bindstream.queries import doubts, encode_query

    scope = scope_of(since, until, streams, modality)
    kept, configured = history_of(config, history)
    query = _query(
        text=words,
        negatives=negatives or [],
        budget=budget,
        min_length_s=min_length,
        cooldown_s=cooldown,
    )
    if picture is not None:
        backtest_report.check_picture(picture)
    with errors.status("Reading the model …"):
        loaded = load_model(
            model or configured,
            modalities=["text"],
            device=device,
            threads=threads,
            precision=precision,
        )
        encoded = encode_query(query, loaded.encode_text, loaded.fingerprint)
    warn_of(loaded, [*query.said, *query.held_against])
    for note in doubts(query, []):
        errors.print(f"! {note}", style="yellow", markup=False, highlight=False)
    tried = _tried(kept, loaded, encoded, scope)
    for warning in kept.warnings:
        errors.print(f"! {warning}", style="yellow", markup=False, highlight=False)
    backtest_report.show(tried, query, picture, as_json)


def _query(**given: Any) -> Any:
    from pydantic import ValidationError

    from bindstream.config import QueryConfig
    from bindstream.errors import ConfigError

    try:
        return QueryConfig.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = " ".join(map(str, first["loc"]))
        raise ConfigError(f"{first['msg']}.", where=where or "the query") from None


def _tried(history: History, model: Model, query: Query, scope: Scope) -> list[Tried]:
    """The query on each stream of the scope that it may listen to.

    Raises:
        HistoryError: nothing was kept of this model in the period.
    """
    from bindstream.backtest import backtest as try_on
    from bindstream.errors import HistoryError
    from bindstream.history.computed import computed

    found: list[Tried] = []
    contrasts: dict[str, Vectors] = {}
    period = scope.since_ns, scope.until_ns
    with errors.status("Reading the history …") as status:
        names = history.streams(model.fingerprint, *period)
        for name in names if scope.streams is None else [n for n in names if n in scope.streams]:
            status.update(f"Trying it on {name} …")
            first = next(iter(history.read(model.fingerprint, name, *period)), None)
            if first is None or scope.modality not in (None, first.modality):
                continue
            if first.modality not in contrasts:
                contrasts[first.modality] = _contrast(model, first.modality)
            pieces = computed(history, model.fingerprint, name, *period)
            found.append(try_on(query, contrasts[first.modality], name, pieces))
    if not found:
        others = ", ".join(f"{n:,} of {m}" for m, n in history.models().items()) or "nothing"
        raise HistoryError(
            f"there are no windows of this model ({model.fingerprint}) in the period.",
            where=str(history.folder),
            fix=f"It holds {others}. Go further back with --since, or give --model.",
        )
    return found


def _contrast(model: Model, modality: Any) -> Vectors:
    import numpy as np

    phrases = model.background(modality)
    dim = model.dim
    return model.encode_text(phrases) if phrases else np.zeros((0, dim), np.float32)
