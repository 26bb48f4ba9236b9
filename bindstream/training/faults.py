"""What is wrong with a training: all of it as one error, each with its line and the way out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from bindstream.config import Problem
from bindstream.config.known_keys import place_in, suggestion
from bindstream.config.yaml_text import Where
from bindstream.errors import ConfigError

MOST_SHOWN = 40  # problems; whoever has more of them has one cause for most


def refuse(problems: Sequence[Problem], where: str) -> None:
    """Raise them all as one error, if there are any.

    Raises:
        ConfigError: there are.
    """
    if not problems:
        return
    ordered = sorted(problems, key=lambda each: (each.file, each.line))
    shown = [f"  {problem}" for problem in ordered[:MOST_SHOWN]]
    if len(ordered) > MOST_SHOWN:
        shown.append(f"  and {len(ordered) - MOST_SHOWN} more.")
    count = "1 problem" if len(ordered) == 1 else f"{len(ordered)} problems"
    raise ConfigError(f"{count}:\n" + "\n".join(shown), where=where)


def problems_of(
    error: ValidationError,
    root: type[BaseModel],
    path: Path,
    data: Any,
    lines: dict[Where, int],
) -> list[Problem]:
    """What pydantic says of the data of a YAML file, each with its line and the way out."""
    return [_problem(detail, root, path, data, lines) for detail in _causes(error.errors())]


def _causes(details: Sequence[Any]) -> list[Any]:
    """Those that do not follow from another: a tower that is wrong also counts as absent, and one
    of an unknown modality has no published recipe."""
    wrong = {detail["loc"] for detail in details}
    deeper = {loc[:1] for loc in wrong if len(loc) > 1}

    def follows(loc: Where, kind: str) -> bool:
        if kind == "too_short":
            return loc in deeper
        return loc[2:] == ("recipe",) and (*loc[:2], "modality") in wrong

    return [detail for detail in details if not follows(detail["loc"], detail["type"])]


def _problem(
    detail: Any, root: type[BaseModel], path: Path, data: Any, lines: dict[Where, int]
) -> Problem:
    loc, kind = detail["loc"], detail["type"]
    where = place_in(data, loc, absent=kind == "missing")
    what = detail["msg"].removeprefix("Input ").removeprefix("Value error, ")
    what, fix = what[:1].lower() + what[1:], ""
    value = detail["input"]
    if kind == "extra_forbidden":
        what, fix = "unknown key", suggestion(str(loc[-1]), loc[:-1], root)
    elif kind == "missing":
        what, fix = "is required", "Add it."
    if isinstance(value, (dict, list, tuple)) or kind in ("missing", "extra_forbidden"):
        value = None
    return Problem(str(path), line_of(lines, where), dotted(where), value, what, fix)


def line_of(lines: dict[Where, int], where: Where) -> int:
    """The line of a place, or of what holds it."""
    while where and where not in lines:
        where = where[:-1]
    return lines.get(where, 1)


def dotted(where: Where) -> str:
    """A place as text: towers[0].recipe."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in where)
    return "".join(parts).lstrip(".")
