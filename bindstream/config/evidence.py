"""What is kept of alerts' sensor readings, as a configuration states it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from bindstream.config.history import unusable
from bindstream.config.problem import Severity
from bindstream.config.section import Section


class EvidenceConfig(Section):
    """Keep what the sensor gave around each alert, as files that people open.

    Nothing is kept without this section: these are pictures and sounds of whoever is there.
    `evidence: {}` takes the defaults.
    """

    path: Path = Field(
        default=Path("evidence"), description="the folder, made as needed, on the stream's host"
    )
    before_s: float = Field(
        default=3, ge=0, le=30, description="so much before an alert's start, seconds"
    )
    after_s: float = Field(
        default=3, ge=0, le=30, description="so much after an alert's end, seconds"
    )
    keep_days: float = Field(default=30, ge=0.01, le=36500, description="what is older goes")
    keep_bytes: int = Field(
        default=1_000_000_000,
        ge=1_000_000,
        description="what is too much goes, the oldest first; an alert takes 0.1 to 5 MB",
    )


def evidence_problems(
    data: dict[str, Any], folder: Path
) -> Iterator[tuple[tuple[str, ...], str, str, Severity]]:
    """What is wrong with the section's place beside its values: where, what, the way out, and how
    bad it is.

    Args:
        folder: that of the file, from which a relative path starts.
    """
    section = data.get("evidence")
    if section is None:
        if "evidence" in data:
            yield ("evidence",), "is empty: nothing is kept", "Write `evidence: {}`.", "warning"
        return
    try:
        path = EvidenceConfig.model_validate(section).path
    except ValidationError:
        return  # which is said elsewhere
    if why := unusable(folder.resolve() / path.expanduser()):
        yield ("evidence", "path"), why, "Choose a folder that you may write to.", "error"
