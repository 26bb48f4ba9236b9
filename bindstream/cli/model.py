"""bindstream model: what models there are, what they hold, and importing a checkpoint as one."""

from __future__ import annotations

import typer

from bindstream.cli.app import app

model_app = typer.Typer(
    no_args_is_help=True, help="Import a published checkpoint, and say what a model holds."
)
app.add_typer(model_app, name="model")
