"""Options that take a list: all arguments up to the next option."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

from typer import BadParameter
from typer.core import TyperCommand


def listing(*options: str) -> type[TyperCommand]:
    """A command of which these options take a list, such as `--images a.jpg b.jpg`."""

    class Listing(TyperCommand):
        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            return super().parse_args(ctx, list(spread(args, options)))

    return Listing


def spread(args: Sequence[str], options: Sequence[str]) -> Iterator[str]:
    """`--images a b` as `--images a --images b`, which is how click takes lists.

    Raises:
        BadParameter: such an option is followed by nothing.
    """
    option = ""
    for arg, following in zip_longest(args, args[1:], fillvalue="-"):
        if not arg.startswith("-"):
            yield from (option, arg) if option else (arg,)
        elif arg not in options:
            option = ""
            yield arg
        elif following.startswith("-"):
            raise BadParameter("takes one or more arguments.", param_hint=arg)
        else:
            option = arg
