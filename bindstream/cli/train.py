"""bindstream train: towers for your own sensors, from pairs of recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bindstream.cli import train_report
from bindstream.cli.app import app
from bindstream.cli.model_options import DeviceOption, ThreadsOption

_HELP = """Train towers against the frozen towers of a base model.

CONFIG is YAML: the base, towers with their sizes and recipes, and lists of
pairs; configs/train/wrist.yaml is an example with every key.

A list is CSV, its first line names the columns. Each row has a recording,
`file` (of `modality`), and exactly one thing that it is paired with:

- `with_file` (of `with_modality`): another sensor's recording, made at once;
  `offset_s` is how much later the same moment is in it
- `text`: words for it, with | between several ways of saying it
- `class`: what it shows; `phrases` says it, with |, if the name says little

and, if you like: `start_s`, `end_s` (the interval), `source` (who or where it
was recorded), `split` (train or held_out). Files start from the list's folder.

A fifth of the sources is held out, never single windows: a tower that has seen
some windows of a recording knows the others. Without a source each file is
one.

Everything is checked first, and all problems are listed with their lines.
Ctrl-C keeps the state. OUT.work holds checkpoints, vectors of anchors and the
curve; OUT is a model directory with the base's towers and the new ones, and a
card with the held-out figures.

Examples:

  bindstream train configs/train/wrist.yaml --out wrist

  bindstream train mine.yaml --minutes 120

  bindstream train mine.yaml --resume --json
"""


@app.command(help=_HELP)
def train(
    context: typer.Context,
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A training, YAML.")],
    to: Annotated[
        Path | None, typer.Option("--out", "-o", help="The model directory, not CONFIG's.")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.01, help="Train so long in all, not as long as the recipes say."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a training that was stopped.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Begin anew, and replace the model in --out.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the final figures, JSON.")] = False,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
) -> None:
    from bindstream.training.config import load_training

    train_report.run(
        load_training(config, out=to, minutes=minutes),
        context,
        resume=resume,
        force=force,
        as_json=as_json,
        device=device,
        threads=threads,
    )
