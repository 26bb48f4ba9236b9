"""Records from JSON, which knows no numbers that are none: those are null in it."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def read_json(content: bytes | str, kind: type[T]) -> T:
    """What `msgspec.json.encode` made of a `kind` without optional fields; a null is NaN.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    try:
        return msgspec.convert(_numbers(msgspec.json.decode(content)), kind)
    except RecursionError:
        raise msgspec.DecodeError("it is nested too deeply") from None


def _numbers(said: Any) -> Any:
    if isinstance(said, dict):
        return {key: _numbers(value) for key, value in said.items()}
    if isinstance(said, list):
        return [_numbers(value) for value in said]
    return math.nan if said is None else said
