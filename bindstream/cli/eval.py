"""bindstream eval: the published zero-shot table, measured on a dataset that lies here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bindstream.cli.app import PARTIAL, app, errors
from bindstream.cli.eval_report import Measurement, record, show, show_protocols
from bindstream.cli.model_options import DeviceOption, PrecisionOption, ThreadsOption, warn_of
from bindstream.errors import ConfigError

if TYPE_CHECKING:
    from bindstream.evaluation.records import Asked, Dataset, Protocol
    from bindstream.evaluation.runner import Report, Settings
    from bindstream.evaluation.templates import Templates
    from bindstream.evaluation.words import Unknown
    from bindstream.models.encoder import Model
    from bindstream.records import ModalityName

_HELP = """Measure a model as ImageBind's zero-shot table was measured.

Reads a dataset in the layout it is published in (nothing is downloaded),
embeds it, matches it against words, and prints the figure with its 95 %
interval beside the published one. --list shows the protocols: what each
measures, its published figure, and which can only be met roughly.

Your own recordings: `folder` takes a folder for each class, named as the
class is said; `csv` a list with the columns file and label, or file and
text, and source where several files come from one recording.

The published figures are of imagebind_huge, with class names said in CLIP's
80 sentences (--templates published). Intervals are Wilson's, or by bootstrap
over sources where several items come from one.

A file that cannot be read is named, counted and left out (exit code 3); more
than --most-broken of them are an error.

Examples:

  bindstream eval --list

  bindstream eval esc50 --data ~/ESC-50 --model huge

  bindstream eval imagenet --data ~/imagenet --model huge --limit 5000 --json

  bindstream eval folder --data my_sounds --templates plain --confusion c.png
"""
_WORDS_SHOWN = 8


ProtocolArgument = Annotated[
    str | None, typer.Argument(metavar="PROTOCOL", help="As --list names them.")
]
DataOption = Annotated[
    Path | None, typer.Option("--data", help="The dataset's folder; for csv, the list.")
]
LimitOption = Annotated[int | None, typer.Option(min=1, help="Take so many items, by --seed.")]
TemplatesOption = Annotated[
    str, typer.Option("--templates", help="plain, published, or a file of sentences with {}.")
]
ModalityOption = Annotated[
    str | None, typer.Option("--modality", "-m", help="folder and csv: what to read files as.")
]
ScaleOption = Annotated[
    float, typer.Option(min=0.001, help="nyud and sund: multiplies disparities.")
]
BrokenOption = Annotated[
    float, typer.Option(min=0, max=1, help="Share of items that may be unreadable.")
]
PictureOption = Annotated[
    Path | None, typer.Option(help="Write a picture of the top confusions, PNG.")
]


@app.command("eval", help=_HELP)
def evaluate_model(
    name: ProtocolArgument = None,
    data: DataOption = None,
    model: Annotated[str, typer.Option(help="A model's name or directory.")] = "starter",
    listing: Annotated[bool, typer.Option("--list", help="Show the protocols.")] = False,
    limit: LimitOption = None,
    said_in: TemplatesOption = "published",
    modality: ModalityOption = None,
    disparity_scale: ScaleOption = 1.0,
    most_broken: BrokenOption = 0.05,
    confusion: PictureOption = None,
    seed: Annotated[int, typer.Option(min=0, help="Draws --limit, boxes, bootstraps.")] = 0,
    batch: Annotated[int, typer.Option(min=1, help="Model inputs at a time.")] = 16,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    threads: ThreadsOption = None,
) -> None:
    from bindstream.config.paths import expanded
    from bindstream.evaluation.protocols import PROTOCOLS, protocol_of
    from bindstream.evaluation.records import Asked
    from bindstream.evaluation.runner import Settings
    from bindstream.evaluation.templates import templates

    if listing:
        show_protocols(PROTOCOLS, as_json)
        return
    if name is None or data is None:
        raise ConfigError(
            f"there is no {'PROTOCOL' if name is None else '--data'}.",
            fix="Name both, as in: bindstream eval esc50 --data ~/ESC-50; or give --list.",
        )
    if confusion is not None and not confusion.absolute().parent.is_dir():
        folder = confusion.absolute().parent
        raise ConfigError(f"there is no folder {folder}.", fix="Make it first.")
    protocol = protocol_of(name)
    settings = Settings(templates(said_in), batch, seed, most_broken)
    asked = Asked(expanded(data), _modality(modality, protocol), seed, disparity_scale)
    choice = {"device": device, "threads": threads, "precision": precision}
    found = _measure(protocol, asked, settings, limit, model, choice)
    for failed in found.result.broken:
        errors.print(f"{failed.file}: {failed.error}", markup=False, highlight=False)
    if as_json:
        typer.echo(json.dumps(record(found), indent=2, ensure_ascii=False))
    else:
        show(found)
    if confusion is not None:
        _draw(found, confusion)
    if found.result.broken:
        raise typer.Exit(PARTIAL)


def _measure(
    protocol: Protocol,
    asked: Asked,
    settings: Settings,
    limit: int | None,
    model: str,
    choice: dict[str, Any],
) -> Measurement:
    from bindstream.evaluation.protocols import read_dataset
    from bindstream.evaluation.runner import evaluate, limited
    from bindstream.models import load_model

    dataset = read_dataset(protocol, asked)
    listed = len(dataset.items) + dataset.absent
    dataset = replace(dataset, items=limited(dataset.items, limit, settings.seed))
    loaded = load_model(model, modalities=(*dataset.modalities, "text"), **choice)
    warn_of(loaded)
    unknown = _unknown(loaded, dataset, settings.templates)
    with _bar() as report:
        result = evaluate(loaded, dataset, settings, report)
    return Measurement(
        protocol=protocol,
        data=asked.path,
        dataset=dataset,
        model=loaded,
        templates=settings.templates,
        unknown=unknown,
        result=result,
        limit=limit,
        seed=settings.seed,
        listed=listed,
    )


def _modality(given: str | None, protocol: Protocol) -> ModalityName | None:
    from bindstream.modalities import SENSORS

    if given is None:
        return None
    if protocol.name not in ("folder", "csv"):
        raise ConfigError(
            f"{protocol.name} is {protocol.modality}.", where="--modality", fix="Leave it out."
        )
    for name in SENSORS:
        if name == given:
            return name
    raise ConfigError(
        f"{given!r} is no modality of files.", fix=f"Choose one of {', '.join(SENSORS)}."
    )


@contextmanager
def _bar() -> Iterator[Report]:
    """A bar on standard error, where a person watches."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description:16}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal)
    with bar:
        tasks: dict[str, Any] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total or None)
            bar.update(tasks[what], completed=done)

        yield report


def _unknown(model: Model, dataset: Dataset, chosen: Templates) -> Unknown:
    """Say which words of names or captions the model has never seen."""
    from bindstream.evaluation.words import unknown_in

    names = [name for said in dataset.classes.values() for name in said]
    captions = [caption for item in dataset.items for caption in item.captions]
    what = "class names" if names else "texts"
    found = unknown_in(names or captions, model.unknown_words)
    if found.touched:
        some = ", ".join(map(repr, found.words[:_WORDS_SHOWN]))
        more = f" and {len(found.words) - _WORDS_SHOWN} more"
        line = (
            f"! {found.touched} of {found.total} {what} hold words the model has never seen "
            f"({some}{more if len(found.words) > _WORDS_SHOWN else ''})"
        )
        if found.wholly:
            line += f"; of {found.wholly} it knows no word and cannot tell them apart"
        errors.print(f"{line}.", style="yellow", markup=False, highlight=False)
    sentences = unknown_in((s.replace("{}", " ") for s in chosen.sentences), model.unknown_words)
    if names and sentences.touched:
        line = f"! {sentences.touched} of the {sentences.total} sentences around names do, too"
        fix = "" if chosen.name == "plain" else ": try --templates plain"
        errors.print(f"{line}{fix}.", style="yellow", markup=False, highlight=False)
    return found


def _draw(found: Measurement, to: Path) -> None:
    from bindstream.evaluation.confusion import draw_confusions

    confusions = found.result.measured.confusions
    if not confusions:
        line = f"! {to} is not written: nothing was taken for another class."
        errors.print(line, style="yellow", markup=False, highlight=False)
        return
    draw_confusions(confusions, f"{found.protocol.title}, {found.model.name}", to)
