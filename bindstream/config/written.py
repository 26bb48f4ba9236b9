"""Values as people write them: names, one phrase or several, rates."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from bindstream.modalities import SENSORS
from bindstream.records import ModalityName

NAME = r"^[a-z0-9_-]+$"
"""Names of streams and queries: they are parts of bus topics and file names."""
LONGEST_NAME = 64


def as_tuple(value: Any) -> Any:
    """One phrase or name may stand where a list of them may."""
    return (value,) if isinstance(value, str) else value


def _one_or_more(item: dict[str, Any]) -> WithJsonSchema:
    """The JSON Schema of one item, or a list of them."""
    return WithJsonSchema({"anyOf": [item, {"type": "array", "items": item}]})


Phrase = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
Name = Annotated[str, StringConstraints(pattern=NAME, max_length=LONGEST_NAME)]
Phrases = Annotated[tuple[Phrase, ...], BeforeValidator(as_tuple), _one_or_more({"type": "string"})]
Names = Annotated[
    tuple[Name, ...],
    BeforeValidator(as_tuple),
    Field(min_length=1),
    _one_or_more({"type": "string", "pattern": NAME}),
]
Sensors = Annotated[
    tuple[ModalityName, ...],
    BeforeValidator(as_tuple),
    Field(min_length=1),
    _one_or_more({"enum": list(SENSORS)}),
]


def _per_hour(value: Any) -> Any:
    """A rate as people write it: 0.2, "0.2/h", "3/day", "1 a week"."""
    if not isinstance(value, str):
        return value
    found = RATE.fullmatch(value.lower())
    if found is None:
        raise PydanticCustomError(
            "budget",
            "{value} is no number of false alarms: write 0.2 (an hour), '3/day' or '1/week'",
            {"value": repr(value)},
        )
    return float(found[1]) / HOURS[(found[2] or "h")[0]]


RATE = re.compile(r"\s*(\d+\.?\d*|\.\d+)\s*(?:(?:/|a|an|per)\s*(h|hour|d|day|w|week))?\s*")
HOURS = {"h": 1.0, "d": 24.0, "w": 168.0}
Budget = Annotated[
    float,
    BeforeValidator(_per_hour),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}]}),
]
"""False alarms an hour."""


def id_from(text: str) -> str:
    """A query's id made from its words: "Glass breaking!" gives "glass-breaking".

    Words without Latin letters give "query-" and six hexadecimal digits of their SHA-256.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower())[:LONGEST_NAME].strip("-")
    return slug or "query-" + hashlib.sha256(text.encode()).hexdigest()[:6]


def check_lengths(least_s: float, most_s: float) -> None:
    """Refuse events that end (0: never) before they are long enough to be announced.

    Raises:
        PydanticCustomError: they do.
    """
    if 0 < most_s < least_s:
        raise PydanticCustomError(
            "lengths",
            "max_length_s ({most}) must not be below min_length_s ({least}): nothing would be "
            "announced",
            {"most": most_s, "least": least_s},
        )
