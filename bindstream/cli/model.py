"""bindstream model import: a published checkpoint becomes a model directory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bindstream.cli.app import app, errors, out
from bindstream.errors import ConfigError

if TYPE_CHECKING:
    from bindstream.models.directory import ModelSpec
    from bindstream.records import ModalityName

model_app = typer.Typer(
    no_args_is_help=True, help="Import a published checkpoint, and say what a model holds."
)
app.add_typer(model_app, name="model")

_IMPORT_HELP = """Make a model directory of a published checkpoint.

Takes imagebind_huge.pth, and OpenCLIP's ViT-H/14 for vision and text; as
.pth, .bin or .safetensors. Every name, shape and value is checked before
anything is written. Of several checkpoints, each tower comes from the first
that has it.

Text needs CLIP's vocabulary, bpe_simple_vocab_16e6.txt.gz: it lies under bpe/
of ImageBind's repository and under clip/ of openai/CLIP.

ImageBind's weights are licensed CC BY-NC-SA 4.0: for research alone.

Examples:

  bindstream model import imagebind_huge.pth --out huge \\
    --vocab bpe_simple_vocab_16e6.txt.gz

  bindstream model import imagebind_huge.pth --out ears --towers audio,imu

  bindstream model import open_clip_pytorch_model.bin imagebind_huge.pth \\
    --out mixed --vocab bpe_simple_vocab_16e6.txt.gz
"""


class Stored(str, Enum):
    """How weights are stored."""

    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"
    FLOAT32 = "float32"


@model_app.command("import", help=_IMPORT_HELP)
def import_model(
    checkpoints: Annotated[
        list[Path], typer.Argument(metavar="CHECKPOINT...", help="Files of weights.")
    ],
    to: Annotated[Path, typer.Option("--out", "-o", help="The folder to make.")],
    vocabulary: Annotated[
        Path | None, typer.Option("--vocab", help="CLIP's bpe_simple_vocab_16e6.txt.gz.")
    ] = None,
    towers: Annotated[
        str | None, typer.Option(help="Towers to take, with commas between; all if left out.")
    ] = None,
    dtype: Annotated[Stored, typer.Option(help="How to store the weights.")] = Stored.FLOAT16,
    name: Annotated[str | None, typer.Option(help="The model's name.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the model in --out.")] = False,
) -> None:
    from bindstream.models import missing_package

    wanted = None if towers is None else _towers(towers)
    try:
        from bindstream.models.published.importing import import_checkpoints
    except ImportError as error:
        raise missing_package(error) from error
    with _bar() as report:
        spec = import_checkpoints(
            checkpoints,
            to,
            vocabulary=vocabulary,
            towers=wanted,
            name=name,
            dtype=dtype.value,
            force=force,
            report=report,
        )
    _summarise(spec, to)


def _towers(given: str) -> list[ModalityName]:
    from bindstream.modalities import MODALITIES

    names = [name.strip() for name in given.split(",") if name.strip()]
    if not names or set(names) - set(MODALITIES):
        raise ConfigError(
            f"{given!r} names no towers.",
            where="--towers",
            fix=f"Choose from {','.join(MODALITIES)}, with commas between.",
        )
    return [name for name in MODALITIES if name in names]


@contextmanager
def _bar() -> Iterator[Callable[[str, float], None]]:
    """A bar on standard error, where a person watches."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (TextColumn("{task.description:24}"), BarColumn(), TaskProgressColumn())
    bar = Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal)
    with bar:
        task = bar.add_task("", total=1.0)
        yield lambda what, share: bar.update(task, description=what, completed=share)


def _summarise(spec: ModelSpec, directory: Path) -> None:
    size = sum(file.bytes for file in spec.files.values())
    lines = (
        f"{spec.name} is in {directory}: {', '.join(spec.towers)}; {_bytes(size)}, {spec.dtype}, "
        f"fingerprint {spec.fingerprint}.",
        f"Licence: {spec.licence}.",
        f"In a configuration: model: {{name: {json.dumps(str(directory.absolute()))}}}",
        f"What it holds: bindstream model info {directory}",
    )
    for line in lines:
        out.print(line, markup=False, highlight=False)


def _bytes(count: float) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
