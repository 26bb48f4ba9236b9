"""What a search of the history found, as a table and as JSON."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bindstream.cli.app import errors, out, warn

if TYPE_CHECKING:
    from bindstream.history.reader import History
    from bindstream.history.search import Found, Hit, Question, Scope

FEW = 30
"""Windows of which a median and a spread are no more than a guess."""
WIDEST = 200


def answer(history: History, question: Question, scope: Scope, top: int, as_json: bool) -> None:
    """Search, and print what was found as a table or as JSON, with what is to be doubted of it."""
    from bindstream.history.reader import EVER_NS
    from bindstream.history.search import search as search_history

    begun_s = time.monotonic()
    with errors.status("Searching …"):
        found = search_history(history, question, scope, top)
        models = history.models()
        unknown = _unknown(history, question.model, scope)
    took_s = time.monotonic() - begun_s
    others = {name: count for name, count in models.items() if name != question.model}
    for warning in (*history.warnings, *unknown, *_doubts(question, found, models, others)):
        warn(warning)
    if as_json:
        said = {
            "model": question.model,
            "since": _utc(scope.since_ns),
            "until": None if scope.until_ns == EVER_NS else _utc(scope.until_ns),
            "searched": found.searched,
            "of_other_models": others,
            "took_s": round(took_s, 3),
            "hits": [_record(history, question.model, hit) for hit in found.hits],
        }
        typer.echo(json.dumps(said, indent=2, ensure_ascii=False))
        return
    if found.hits:
        # An id that is cut off names nothing: lines may be longer than the terminal.
        Console(width=max(out.width, WIDEST)).print(_table(found.hits))
    count = sum(found.searched.values())
    line = f"{count:,} windows of {len(found.searched)} streams searched in {took_s:.1f} s."
    out.print(line if found.hits else f"Nothing stands out. {line}", highlight=False)


def _unknown(history: History, model: str, scope: Scope) -> list[str]:
    """What is wrong with the names of streams that were asked for: nothing was kept of them."""
    if scope.streams is None:
        return []
    known = history.streams(model)
    return [
        f"nothing is kept of a stream {name!r}; there are: {', '.join(known) or 'none'}"
        for name in scope.streams
        if name not in known
    ]


def _doubts(
    question: Question, found: Found, models: dict[str, int], others: dict[str, int]
) -> list[str]:
    said = []
    if others:
        each = ", ".join(f"{count:,} of {name}" for name, count in others.items())
        said.append(
            f"vectors of other models are left out, as they cannot be compared: {each}. "
            "Search them by the model that made them: --model DIR."
        )
    if question.model not in models:
        said.append(f"there are no vectors of this model ({question.model}).")
    few = {hit.stream: hit.of for hit in found.hits if hit.of < FEW}
    said += [f"{name}: z of {count} windows says little." for name, count in few.items()]
    return said


def _table(hits: list[Hit]) -> Table:
    from bindstream.history.search import LIKELY

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("when", "UTC", "stream", "z", "cosine", "share", "long", "id"):
        table.add_column(name, no_wrap=True)
    for hit in hits:
        local = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(hit.start_ns / 1e9))
        table.add_row(
            local,
            _utc(hit.start_ns)[11:],
            escape(f"{hit.stream} ({hit.modality})"),
            f"{hit.z:.1f}",
            f"{hit.score:.2f}",
            f"{hit.share:.0%}" if hit.share < 1 else "",
            f"{(hit.end_ns - hit.start_ns) / 1e9:g} s",
            escape(_id(hit)),
            style="dim" if hit.share < LIKELY else "",
        )
    return table


def _id(hit: Hit) -> str:
    return f"{hit.stream}/{hit.peak_start_ns}"


def _record(history: History, model: str, hit: Hit) -> dict[str, Any]:
    """A hit with what is known of its peak."""
    peak_ns = hit.peak_start_ns
    windows = history.embeddings(model, hit.stream, peak_ns, peak_ns + 1)
    peak = next((each for each in windows if each.modality == hit.modality), None)
    known = ("seq", "coverage", "uncertainty_ns", "clock", "same_as", "readings")
    return {
        "id": _id(hit),
        "start": _utc(hit.start_ns),
        "end": _utc(hit.end_ns),
        **asdict(hit),
        "peak": {name: getattr(peak, name) for name in known} if peak else {},
    }


def _utc(time_ns: int) -> str:
    moment = datetime.fromtimestamp(time_ns / 1e9, timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
