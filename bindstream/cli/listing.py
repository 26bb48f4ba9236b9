"""Options that take a list: all arguments up to the next option."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand


def listing(*options: str) -> type[TyperCommand]:
    """A command of which these options take a list, such as `--images a.jpg b.jpg`."""

    class Listing(TyperCommand):
        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            return super().parse_args(ctx, spread(args, options))

    return Listing


def spread(args: Sequence[str], options: Sequence[str]) -> list[str]:
    """`--images a b` as `--images a --images b`, which is how click takes lists."""
    found: list[str] = []
    option = ""
    for arg in args:
        if arg.startswith("-"):
            option = arg if arg in options else ""
            found += [] if option else [arg]
        else:
            found += [option, arg] if option else [arg]
    return found
