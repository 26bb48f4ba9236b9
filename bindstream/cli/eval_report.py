"""What bindstream eval says: the table of protocols, a row beside the published one, a record."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from bindstream.cli.app import out

if TYPE_CHECKING:
    from pathlib import Path

    from bindstream.evaluation.records import Dataset, Protocol
    from bindstream.evaluation.runner import Result
    from bindstream.evaluation.templates import Templates
    from bindstream.evaluation.words import Unknown
    from bindstream.models.encoder import Model

TOP_CONFUSIONS = 20


@dataclass(frozen=True)
class Measurement:
    """All there is to say of one: `listed` is how many items the metadata list."""

    protocol: Protocol
    data: Path
    dataset: Dataset
    model: Model
    templates: Templates
    unknown: Unknown
    result: Result
    limit: int | None
    seed: int
    listed: int

    @property
    def notes(self) -> list[str]:
        """What has to be known to compare the row with the published one."""
        approximate, result = self.protocol.approximate, self.result
        notes = [f"approximate: {approximate}"] if approximate else []
        notes += self.dataset.notes
        here, due = len(self.dataset.classes), self.protocol.classes
        if due and here != due:
            notes.append(f"there are {here} classes to choose from, published with {due}")
        if here == 1:
            notes.append("there is one class, which nothing can be mistaken for")
        if self.limit is not None and self.limit < self.listed - self.dataset.absent:
            easier = ", and fewer are easier to search" * (self.dataset.task == "retrieval")
            notes.append(f"{self.limit} items of {self.listed} were drawn{easier}")
        if self.dataset.absent:
            notes.append(f"{self.dataset.absent} of {self.listed} listed items are not on disk")
        if result.broken:
            notes.append(f"{len(result.broken)} items cannot be read and are left out")
        notes += [
            f"{count} items have no {what}" for what, count in result.lacking.items() if count
        ]
        if empty := result.measured.empty:
            notes.append(f"no item is of {empty} of the {len(self.dataset.classes)} classes")
        return notes


def show_protocols(table: Mapping[str, Protocol], as_json: bool) -> None:
    """The table, how each dataset is laid out, and which rows are approximate."""
    if as_json:
        rows = [
            {
                "protocol": protocol.name,
                "title": protocol.title,
                "modality": protocol.modality,
                "metric": protocol.metric,
                "n": protocol.n or None,
                "classes": protocol.classes or None,
                "published": dict(protocol.published),
                "layout": protocol.layout,
                "found": protocol.found,
                "approximate": protocol.approximate,
            }
            for protocol in table.values()
        ]
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    shown = Table(box=SIMPLE_HEAD)
    for heading in ("protocol", "embeds", "metric", "n", "published"):
        shown.add_column(heading, justify="right" if heading == "n" else "left", no_wrap=True)
    for protocol in table.values():
        shown.add_row(
            protocol.name + ("*" if protocol.approximate else ""),
            protocol.modality,
            protocol.metric,
            f"{protocol.n:,}" if protocol.n else "",
            ", ".join(f"{value:.1f}" for value in protocol.published.values()),
        )
    out.print(shown)
    for protocol in table.values():
        line = f"{protocol.name}, {protocol.title}: {protocol.layout_and_place}"
        out.print(line, markup=False, highlight=False)
        if protocol.approximate:
            line = f"  * approximate: {protocol.approximate}."
            out.print(line, style="yellow", markup=False, highlight=False)


def show(found: Measurement) -> None:
    """The row beside the published one, and what stands behind it."""
    protocol, result, measured = found.protocol, found.result, found.result.measured
    table = Table(box=SIMPLE_HEAD)
    for heading in ("dataset", "metric", "n", "this\nmodel", "95 %\ninterval", "published", "n"):
        left = heading in ("dataset", "metric")
        table.add_column(heading, justify="left" if left else "right", no_wrap=True)
    for figure in measured.figures:
        published = protocol.published.get(figure.metric)
        table.add_row(
            escape(protocol.title),
            escape(figure.metric),
            f"{result.n:,}",
            f"[bold]{100 * figure.value:.1f}[/]",
            f"{100 * figure.interval.low:.1f} – {100 * figure.interval.high:.1f}",
            "" if published is None else f"{published:.1f}",
            "" if published is None or not protocol.n else f"{protocol.n:,}",
        )
    out.print(table)
    for line in _behind(found):
        out.print(f"{line}.", markup=False, highlight=False)
    for note in found.notes:
        out.print(f"! {note}.", style="yellow", markup=False, highlight=False)


def _behind(found: Measurement) -> list[str]:
    result, measured = found.result, found.result.measured
    by_wilson = measured.figures[0].method == "Wilson"
    how = "Wilson" if by_wilson else f"bootstrap over {result.sources:,} sources"
    lines = [f"{found.model.name}, {result.seconds:.0f} s; interval by {how}"]
    if measured.folds:
        shares = list(measured.folds.values())
        each = ", ".join(f"{fold}: {100 * share:.1f}" for fold, share in measured.folds.items())
        lines.append(f"folds {each}; their mean {100 * sum(shares) / len(shares):.1f}")
    if not math.isnan(measured.mean_class):
        lines.append(f"mean-class accuracy {100 * measured.mean_class:.1f}")
    lines += [
        f"{confusion.true} was taken for {confusion.taken_for} {confusion.items} times"
        for confusion in measured.confusions[:3]
    ]
    return lines


def record(found: Measurement) -> dict[str, Any]:
    """All of it for --json; figures in percent."""
    result, measured, unknown = found.result, found.result.measured, found.unknown
    model, dataset, protocol = found.model, found.dataset, found.protocol
    return {
        "protocol": protocol.name,
        "data": str(found.data),
        "model": {
            "name": model.name,
            "fingerprint": model.fingerprint,
            "precision": model.precision,
        },
        "task": dataset.task,
        "modalities": list(dataset.modalities),
        "n": result.n,
        "sources": result.sources,
        "listed": found.listed,
        "absent": dataset.absent,
        "limit": found.limit,
        "seed": found.seed,
        "templates": found.templates.name if dataset.classes else None,
        "sentences": len(found.templates.sentences) if dataset.classes else None,
        "figures": _figures(found),
        "published_n": protocol.n or None,
        "folds": {fold: 100 * share for fold, share in measured.folds.items()},
        "mean_class": None if math.isnan(measured.mean_class) else 100 * measured.mean_class,
        "classes": len(dataset.classes),
        "empty_classes": measured.empty,
        "confusions": [each._asdict() for each in measured.confusions[:TOP_CONFUSIONS]],
        "unknown": {
            "texts": unknown.total,
            "touched": unknown.touched,
            "wholly": unknown.wholly,
            "words": list(unknown.words),
        },
        "broken": [{"file": str(each.file), "error": each.error} for each in result.broken],
        "lacking": dict(result.lacking),
        "approximate": protocol.approximate,
        "notes": found.notes,
        "seconds": round(result.seconds, 3),
    }


def _figures(found: Measurement) -> list[dict[str, Any]]:
    return [
        {
            "metric": figure.metric,
            "percent": 100 * figure.value,
            "low": 100 * figure.interval.low,
            "high": 100 * figure.interval.high,
            "interval": figure.method,
            "published": found.protocol.published.get(figure.metric),
        }
        for figure in found.result.measured.figures
    ]
