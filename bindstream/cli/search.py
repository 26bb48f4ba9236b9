"""bindstream search, bindstream similar: what the history holds, by words, files and windows."""

from __future__ import annotations

import re
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bindstream.cli.app import app
from bindstream.cli.model_options import DeviceOption, PrecisionOption, ThreadsOption, warn_of
from bindstream.cli.search_report import answer
from bindstream.cli.sum_options import LikeOption, MinusOption, PlusOption, sums_of
from bindstream.errors import ConfigError

if TYPE_CHECKING:
    from bindstream.history.reader import History
    from bindstream.history.search import Scope
    from bindstream.models.encoder import Model

_HELP = """Search what was kept for words, recordings, or stored windows.

The pipeline keeps its vectors where its configuration has a `history`
section. Hits are ranked by z, by how much a window stands out of what its
own stream answers over the period searched: cosines of different sensors
are not comparable. Those of which the words are no likely name (a share
below 30 %) come last. Neighbouring windows are one hit.

Several WORDS are phrasings of the same thing. --plus and --minus add and
subtract words, files or windows, each with a weight before it if it is not
1: "0.5*rain". A window is named by the id of a hit (STREAM/START_NS) or of
an alert (QUERY/STREAM/START_NS).

Times are 90s, 15m, 1h, 2d or 1w ago, or like 2026-11-21T14:00, in local
time unless they say otherwise.

Examples:

  bindstream search "glass breaking" --since 1h

  bindstream search --like bark.wav --stream garden --since 2d --json

  bindstream search "a dog" --minus "0.5*rain" -c home.yaml -m audio
"""
_SIMILAR_HELP = """Find what is like a stored window, or the beginning of an alert.

ID is that of a hit of `bindstream search` (STREAM/START_NS) or of an alert
(QUERY/STREAM/START_NS). No model is needed: the stored vector is what is
searched for.

Examples:

  bindstream similar kitchen/1795000000000000000

  bindstream similar glass-breaking/kitchen/1795000000000000000 --since 7d
"""
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="Take history and model from it.")
]
HistoryOption = Annotated[
    Path | None, typer.Option("--history", metavar="FOLDER", help="The history; else ./history.")
]
SinceOption = Annotated[str, typer.Option("--since", help="How far back.")]
UntilOption = Annotated[str | None, typer.Option("--until", help="Up to when.")]
StreamOption = Annotated[
    list[str] | None, typer.Option("--stream", help="This stream alone; may be repeated.")
]
ModalityOption = Annotated[
    str | None, typer.Option("--modality", "-m", help="Windows of this modality alone.")
]
TopOption = Annotated[int, typer.Option("--top", "-n", min=1, max=1000, help="So many hits.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command(help=_HELP)
def search(
    words: Annotated[list[str] | None, typer.Argument(metavar="[WORDS]...")] = None,
    like: LikeOption = None,
    plus: PlusOption = None,
    minus: MinusOption = None,
    file_modality: Annotated[
        str | None, typer.Option("--as", help="What files are of, if their names do not say.")
    ] = None,
    since: SinceOption = "1d",
    until: UntilOption = None,
    streams: StreamOption = None,
    modality: ModalityOption = None,
    top: TopOption = 10,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    history: HistoryOption = None,
    model: Annotated[str | None, typer.Option(help="A model's name or directory.")] = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    threads: ThreadsOption = None,
) -> None:
    from bindstream.cli.embed import modality_named
    from bindstream.history.question import ask
    from bindstream.models import load_model
    from bindstream.terms.examples import towers
    from bindstream.terms.term import terms

    summed = terms(**sums_of(like, plus, minus))
    if not words and not any(each.weight > 0 for each in summed):
        raise ConfigError("there is nothing to search for.", fix="Give WORDS, or --like FILE.")
    scope = scope_of(since, until, streams, modality)
    files_of = modality_named(file_modality) if file_modality else None
    opened, configured = history_of(config, history)
    needed = towers(summed, files_of)
    if words and "text" not in needed:
        needed.append("text")
    loaded: Model | None = None
    if needed or any(each.what.endswith(".npy") for each in summed):
        loaded = load_model(
            model or configured,
            modalities=needed,
            device=device,
            threads=threads,
            precision=precision,
        )
        said = [each.what for each in summed if each.kind == "words"]
        warn_of(loaded, [*(words or ()), *said])
    question = ask(opened, loaded, words or [], summed, files_of)
    answer(opened, question, scope, top, as_json)


@app.command(help=_SIMILAR_HELP)
def similar(
    window_id: Annotated[str, typer.Argument(metavar="ID", help="Of a window or an alert.")],
    seconds: Annotated[
        float, typer.Option("--seconds", min=0, help="All windows of so long, on average.")
    ] = 0.0,
    since: SinceOption = "1d",
    until: UntilOption = None,
    streams: StreamOption = None,
    modality: ModalityOption = None,
    top: TopOption = 10,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    history: HistoryOption = None,
) -> None:
    import numpy as np

    from bindstream.averaging import unit_mean
    from bindstream.history.search import Question
    from bindstream.terms.examples import stored
    from bindstream.terms.term import window_named

    stream, start_ns = window_named(window_id)
    opened, _ = history_of(config, history)
    windows = stored(opened, window_id, seconds)
    vector = unit_mean(np.stack([window.vector for window in windows]))
    itself = (stream, start_ns, windows[-1].end_ns)
    scope = scope_of(since, until, streams, modality, but=(itself,))
    answer(opened, Question(vector, windows[0].model), scope, top, as_json)


def scope_of(
    since: str,
    until: str | None,
    streams: list[str] | None,
    modality: str | None,
    but: tuple[tuple[str, int, int], ...] = (),
) -> Scope:
    from bindstream.cli.embed import modality_named
    from bindstream.history.reader import EVER_NS
    from bindstream.history.search import Scope

    now_ns = time.time_ns()
    since_ns = when(since, now_ns, "--since")
    # Recordings that were played faster than they were made end ahead of the clock.
    until_ns = EVER_NS if until is None else when(until, now_ns, "--until")
    if since_ns >= until_ns:
        raise ConfigError(
            f"--since {since} is not before --until {until}.", fix="The longer ago comes first."
        )
    return Scope(
        since_ns=since_ns,
        until_ns=until_ns,
        streams=None if streams is None else tuple(streams),
        modality=None if modality is None else modality_named(modality),
        but=but,
    )


def when(said: str, now_ns: int, option: str) -> int:
    """UTC ns of "1h" (ago) or of a date and time, local unless it says otherwise.

    Raises:
        ConfigError: it is neither.
    """
    ago = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", said.strip())
    if ago is not None:
        return now_ns - round(float(ago[1]) * _UNITS_S[ago[2]] * 1e9)
    try:
        moment = datetime.fromisoformat(said.strip().replace("Z", "+00:00")).astimezone()
        return round(moment.timestamp() * 1e6) * 1000
    except (ValueError, OverflowError):
        raise ConfigError(
            f"{said!r} is no time.", where=option, fix="Such as 90s, 15m, 1h, 2d, or a date."
        ) from None


def history_of(config: Path | None, folder: Path | None) -> tuple[History, str]:
    """The history, and the name of the model that the configuration has."""
    from bindstream.config import load_config
    from bindstream.history.reader import History

    if config is None:
        return History(folder or Path("history")), "starter"
    loaded = load_config(config, played=False)
    if folder is None and loaded.history is None:
        raise ConfigError(
            "it keeps no history.",
            where=str(config),
            fix="Put `history: {}` into it; vectors are kept from the next run on.",
        )
    return History(folder or loaded.history.path), loaded.model.name  # type: ignore[union-attr]
