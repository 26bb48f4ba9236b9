"""bindstream model info, bindstream model list: what models hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from bindstream.cli.app import errors, out
from bindstream.cli.model import model_app

if TYPE_CHECKING:
    from bindstream.models.description import Description

_INFO_HELP = """Say what a model holds: towers, sizes, costs, words, licence and known limits.

Reads model.json and the heads of the other files alone. Of damage that has
the right size it says nothing; `bindstream model verify` does.

Examples:

  bindstream model info

  bindstream model info huge/ --json
"""
_LIST_HELP = """List the models that came with the package.

Example:

  bindstream model list
"""


@model_app.command("info", help=_INFO_HELP)
def info(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A model's name or directory.")
    ] = "starter",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    description = _described(model)
    if as_json:
        typer.echo(json.dumps(_plain(description), indent=2, ensure_ascii=False))
        return
    for what, said in _about(description).items():
        if said:
            out.print(f"[bold]{what:12}[/]{escape(said)}", highlight=False)
    out.print(_towers_table(description))
    for tower in description.towers.values():
        if tower.fault:
            errors.print(f"! {tower.fault}.", style="red", markup=False, highlight=False)
    if description.spec.limits:
        out.print("[bold]known limits[/]")
    for limit in description.spec.limits:
        out.print(f"- {limit}", style="yellow", markup=False, highlight=False)


@model_app.command("list", help=_LIST_HELP)
def list_models() -> None:
    from bindstream.models import installed_models

    table = Table("model", "fingerprint", "towers", "licence", box=SIMPLE_HEAD)
    for name in installed_models():
        spec = _described(name).spec
        table.add_row(name, spec.fingerprint, ", ".join(spec.towers), escape(spec.licence))
    out.print(table)


def _described(model: str) -> Description:
    from bindstream.models import missing_package, model_directory

    try:
        from bindstream.models.description import describe
    except ImportError as error:
        raise missing_package(error) from error
    return describe(model_directory(model))


def _plain(description: Description) -> dict[str, Any]:
    spec = description.spec
    told_otherwise = {"towers", "files", "trained_words", "background"}
    return {
        "directory": str(description.directory.absolute()),
        "fingerprint": spec.fingerprint,
        **spec.model_dump(mode="json", exclude=told_otherwise),
        "vocabulary": description.vocabulary,
        "known_words": description.known_words,
        "background": description.background,
        "towers": {
            modality: {
                **asdict(tower),
                "float32_bytes": tower.float32_bytes,
                "half_bytes": tower.half_bytes,
            }
            for modality, tower in description.towers.items()
        },
    }


def _about(description: Description) -> dict[str, str]:
    spec, known = description.spec, description.known_words
    text = f"{description.vocabulary} tokens, trained on "
    text += "text at large" if known is None else f"{known} words"
    return {
        "model": f"{spec.name}, fingerprint {spec.fingerprint}",
        "directory": f"{description.directory.absolute()} (format {spec.format})",
        "licence": spec.licence,
        "vectors": f"{spec.dim} values; preprocessing {spec.preprocessing}",
        "weights": f"stored as {spec.dtype}",
        "text": text if description.vocabulary else "",
        "background": _each(description.background, "{} phrases"),
        "temperature": _each(spec.temperature, "{:.3g}"),
        "scales": _each(spec.scales, "{:.4g}"),  # as published; vectors here are of unit length
    }


def _each(values: Mapping[Any, float], form: str) -> str:
    return ", ".join(f"{modality} {form.format(value)}" for modality, value in values.items())


def _towers_table(description: Description) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_footer=True)
    towers = description.towers.values()
    for head, foot in {
        "tower": "in all",
        "million\nweights": _sum(towers, "parameters"),
        "width": "",
        "heads": "",
        "blocks": "",
        "tokens": "",
        "file\nMB": _sum(towers, "file_bytes"),
        "float32\nMB": _sum(towers, "float32_bytes"),
        "half\nMB": _sum(towers, "half_bytes"),
        "GFLOP\na view": "",
    }.items():
        table.add_column(head, foot, justify="left" if head == "tower" else "right")
    for modality, tower in description.towers.items():
        table.add_row(
            modality,
            _millions(tower.parameters),
            *(str(count) for count in (tower.width, tower.heads, tower.blocks, tower.tokens)),
            _millions(tower.file_bytes),
            _millions(tower.float32_bytes),
            _millions(tower.half_bytes),
            f"{tower.gflop:.3g}",
        )
    return table


def _sum(towers: Any, what: str) -> str:
    counts = [getattr(tower, what) for tower in towers]
    return "?" if None in counts else _millions(sum(counts))


def _millions(count: int | None) -> str:
    if count is None:
        return "?"
    return f"{count / 1e6:.1f}" if count < 1e8 else f"{count / 1e6:.0f}"
