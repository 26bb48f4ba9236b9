"""What is recorded of a run, as a configuration states it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from bindstream.config.places import Problem, place_problems, unusable_folder
from bindstream.config.section import Section


class RecordConfig(Section):
    """Record what every sensor gives, and the vectors, alerts and accounts made of it.

    Nothing is recorded without this section (or `--record`): these are pictures and sounds of
    whoever is there. `record: {}` takes the defaults.
    """

    path: Path = Field(
        default=Path("recordings"),
        description="the folder, made as needed, on each stream's host; a folder in it a run",
    )
    pictures: Literal["jpeg", "lossless"] = Field(
        default="jpeg", description="lossless takes about ten times the room"
    )
    quality: int = Field(default=90, ge=30, le=95, description="of JPEG")
    segment_bytes: int = Field(
        default=256_000_000, ge=100_000, description="a new file begins when one is so large"
    )
    segment_s: float = Field(
        default=600, ge=1, le=86400, description="a new file begins after so long, seconds"
    )
    keep_bytes: int = Field(
        default=20_000_000_000,
        ge=1_000_000,
        description="of all recordings in the folder; what is too much goes, the oldest first",
    )

    @model_validator(mode="after")
    def _segments_fit(self) -> RecordConfig:
        if self.segment_bytes * 2 > self.keep_bytes:
            raise PydanticCustomError(
                "segment",
                "segment_bytes ({segment}) must be at most half of keep_bytes ({keep})",
                {"segment": self.segment_bytes, "keep": self.keep_bytes},
            )
        return self


def record_problems(data: dict[str, Any], folder: Path) -> Iterator[Problem]:
    """What is wrong with the section beside its values: see `place_problems`."""
    yield from place_problems(data, folder, "record", RecordConfig, unusable_folder)
    if data.get("record") is not None and missing():
        fix = "Run: pip install 'bindstream[record]'."
        yield ("record",), f"needs {missing()}, which is not installed", fix, "warning"


def missing() -> str:
    """The first package that recording needs and that is not installed; "" if all are."""
    needed = ("mcap", "mcap_protobuf", "foxglove_schemas_protobuf", "zstandard")
    return next((name for name in needed if importlib.util.find_spec(name) is None), "")
