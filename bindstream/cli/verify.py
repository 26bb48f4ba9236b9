"""bindstream model verify: does a model give the figures it was published with?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from bindstream.cli.app import FAILED, out
from bindstream.cli.listing import listing
from bindstream.cli.model import model_app
from bindstream.cli.model_options import DeviceOption, PrecisionOption, warn_of
from bindstream.errors import ConfigError, DataError, ModelError

if TYPE_CHECKING:
    from bindstream.models.directory import ModelSpec
    from bindstream.models.encoder import Model
    from bindstream.models.verify import Comparison

_PLACE = (
    "The published dog_image.jpg, car_image.jpg, bird_image.jpg and dog_audio.wav, car_audio.wav, "
    "bird_audio.wav lie under .assets in the repository facebookresearch/ImageBind."
)
_HELP = f"""Check a model: its files, its golden vectors, and whether it tells things apart.

Without files it checks the model alone. With images and sounds it prints the three tables
of ImageBind's README, vision x text, audio x text and vision x audio: for each row, how it shares
out among the columns. Of imported ImageBind weights and the README's six files it says whether the
published figures are reproduced; of anything else, whether each row has its largest share on the
diagonal. Exit code 1 if something does not hold.

{_PLACE} Give equally many images, sounds and texts, of the same things in the same order.

Examples:

  bindstream model verify huge

  bindstream model verify huge --images dog_image.jpg car_image.jpg bird_image.jpg
  --sounds dog_audio.wav car_audio.wav bird_audio.wav

  bindstream model verify starter --images rex.jpg piano.jpg --sounds rex.wav piano.wav
  --text "a dog" --text "a piano"
"""


@model_app.command(help=_HELP, cls=listing("--images", "--sounds"))
def verify(
    model: Annotated[str, typer.Argument(metavar="DIR", help="A model's directory or name.")],
    images: Annotated[
        list[Path] | None, typer.Option(metavar="FILE...", help="Pictures, or videos.")
    ] = None,
    sounds: Annotated[
        list[Path] | None, typer.Option(metavar="FILE...", help="Sound files.")
    ] = None,
    texts: Annotated[
        list[str] | None, typer.Option("--text", "-t", help="Words; by default the README's.")
    ] = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    from bindstream.models import load_model, model_directory
    from bindstream.models.directory import read_spec
    from bindstream.models.verify import NEEDED, TEXTS, check_files, check_towers

    asked = _Asked(images or [], sounds or [], texts or list(TEXTS))
    comparing = bool(images or sounds or texts)
    directory = model_directory(model)
    spec = read_spec(directory)
    if comparing:
        _check_given(asked)
        check_towers(directory, spec)
    checked = check_files(directory, spec)
    _say(as_json, f"files: all {checked} are as model.json says")
    wanted = NEEDED if comparing else None
    loaded = load_model(directory, modalities=wanted, device=device, precision=precision)
    warn_of(loaded, asked.texts if comparing else ())
    for reason in loaded.reasons:
        _say(as_json, reason)
    golden = _golden(loaded)
    told = ", ".join(f"{modality} {cosine:.5f}" for modality, cosine in golden.items())
    _say(as_json, f"golden vectors: as they were saved (cosines {told})")
    about = {"name": loaded.name, "fingerprint": loaded.fingerprint, "precision": loaded.precision}
    record = {"model": about, "files": checked, "golden": golden, "tables": [], "holds": True}
    if comparing:
        record.update(_compare(loaded, spec, asked, as_json))
    if as_json:
        typer.echo(json.dumps(record, ensure_ascii=False))
    if not record["holds"]:
        raise typer.Exit(FAILED)


class _Asked(NamedTuple):
    images: list[Path]
    sounds: list[Path]
    texts: list[str]

    @property
    def names(self) -> dict[str, list[str]]:
        """What rows and columns are called, by modality."""
        vision, audio = ([path.name for path in files] for files in (self.images, self.sounds))
        return {"vision": vision, "audio": audio, "text": self.texts}


def _compare(model: Model, spec: ModelSpec, asked: _Asked, as_json: bool) -> dict[str, Any]:
    """Compute the tables, and show them or put them into what --json prints."""
    from bindstream.models.verify import compare, why_not_published

    why = why_not_published(spec, *asked)
    found = compare(model, spec, *asked, published=not why)
    if not as_json:
        _show(found, asked.names, why)
    return {
        "not_compared": why,
        "tables": [_record(comparison, asked.names) for comparison in found],
        "holds": all(comparison.holds for comparison in found),
    }


def _check_given(asked: _Asked) -> None:
    images, sounds, texts = (len(each) for each in asked)
    if not 1 < images == sounds == texts:
        raise ConfigError(
            f"images: {images}, sounds: {sounds}, texts: {texts}; they cannot be compared one to "
            "one.",
            fix="Give equally many, two or more, of the same things in the same order.",
        )
    files = (*asked.images, *asked.sounds)
    if missing := [str(path) for path in files if not path.is_file()]:
        raise DataError(f"There is no file {', '.join(missing)}.", fix=_PLACE)


def _golden(model: Model) -> dict[str, float]:
    if faults := model.faults():
        raise ModelError(
            "; ".join(f"{tower} {fault}" for tower, fault in faults.items()) + ".",
            where=model.name,
            fix="Its files are whole: try --device cpu, and `bindstream doctor` for the device.",
        )
    return {str(modality): cosine for modality, cosine in model.golden.items()}


def _say(as_json: bool, line: str, holds: bool = True) -> None:
    if not as_json:
        mark = ("✓ ", "green") if holds else ("✗ ", "red")
        out.print(Text.assemble(mark, line))


def _show(found: Sequence[Comparison], names: dict[str, list[str]], why: str) -> None:
    for comparison in found:
        out.print(_table(comparison, names))
    for comparison in found:
        _say(False, f"{comparison.name}: {_verdict(comparison)}", comparison.holds)
    if why:
        line = f"Published figures are ImageBind's only, and {why}: none are compared with."
        out.print(line, style="dim", markup=False, highlight=False)
    elif not all(comparison.holds for comparison in found):
        line = (
            "Check that the files are the published ones, unaltered; narrower numbers are off by a "
            "little: try --precision float32."
        )
        out.print(line, style="yellow", markup=False, highlight=False)


def _table(comparison: Comparison, names: dict[str, list[str]]) -> Table:
    table = Table(comparison.name, box=SIMPLE_HEAD)
    for name in names[comparison.columns]:
        table.add_column(escape(name), justify="right")
    for place, (name, row) in enumerate(
        zip(names[comparison.rows], comparison.shares, strict=True)
    ):
        shares = [f"{share:.4f}" for share in row]
        shares[place] = f"[bold]{shares[place]}[/]"
        table.add_row(escape(name), *shares)
    return table


def _verdict(comparison: Comparison) -> str:
    diagonal = _figures(comparison.diagonal)
    if comparison.published is None:
        leads = comparison.leads
        return f"the diagonal, {diagonal}, is the largest in {sum(leads)} of {len(leads)} rows"
    published = comparison.published
    said = f"{diagonal}, published {_figures(published.diagonal)} (± {published.tolerance})"
    return said + (": reproduced" if comparison.holds else ": not reproduced")


def _figures(diagonal: Any) -> str:
    return ", ".join(f"{share:.3f}" for share in diagonal)


def _record(comparison: Comparison, names: dict[str, list[str]]) -> dict[str, Any]:
    published = comparison.published
    return {
        "rows": comparison.rows,
        "columns": comparison.columns,
        "row_names": names[comparison.rows],
        "column_names": names[comparison.columns],
        "shares": comparison.shares.tolist(),
        "published": list(published.diagonal) if published else None,
        "tolerance": published.tolerance if published else None,
        "holds": comparison.holds,
    }
