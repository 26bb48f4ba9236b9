"""The command line: one file a group of commands, each importing what is heavy when it runs."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from importlib import import_module

import typer

from bindstream.cli.app import FAILED, USAGE, app, errors
from bindstream.errors import BindstreamError, ConfigError

_GROUPS = (
    "run",
    "record",
    "record_files",
    "replay",
    "watching",
    "explain",
    "query",
    "alerts",
    "rule",
    "search",
    "backtest",
    "calibrate",
    "teach",
    "train",
    "align",
    "embed",
    "eval",
    "model",
    "info",
    "verify",
    "checking",
    "devices",
    "doctor",
    "keys",
)
for _group in _GROUPS:
    # Each adds its commands to `app`, in the order in which --help shows them.
    import_module(f"bindstream.cli.{_group}")


def _flow(of: typer.Typer) -> None:
    """Let the help of all commands flow: typer breaks its lines where the source does, and a
    terminal narrower than the source once more. Examples and lists keep their lines."""
    for command in of.registered_commands:
        text = inspect.cleandoc(command.help or inspect.getdoc(command.callback) or "")
        command.help = "\n\n".join(
            paragraph if paragraph.startswith((" ", "- ")) else " ".join(paragraph.splitlines())
            for paragraph in text.split("\n\n")
        )
    for group in of.registered_groups:
        if group.typer_instance is not None:
            _flow(group.typer_instance)


_flow(app)


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line on `args` (those of the process if None); ends by SystemExit."""
    try:
        app(args=args, prog_name="bindstream")
    except BindstreamError as error:
        errors.print(str(error), markup=False, highlight=False)
        sys.exit(USAGE if isinstance(error, ConfigError) else FAILED)
