"""What several of these programs take on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def some_of(names: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    """Reads some of `names`, comma-separated."""

    def read(given: str) -> tuple[str, ...]:
        asked = given.split(",")
        if unknown := [name for name in asked if name not in names]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(names)}")
        return tuple(asked)

    return read
