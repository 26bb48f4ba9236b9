"""The command line: one file a group of commands, each importing what is heavy when it runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from bindstream.cli.app import FAILED, USAGE, app, errors
from bindstream.errors import BindstreamError, ConfigError

_GROUPS = (
    "run",
    "watching",
    "query",
    "search",
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


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line on `args` (those of the process if None); ends by SystemExit."""
    try:
        app(args=args, prog_name="bindstream")
    except BindstreamError as error:
        errors.print(str(error), markup=False, highlight=False)
        sys.exit(USAGE if isinstance(error, ConfigError) else FAILED)
