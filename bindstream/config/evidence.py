"""What is kept of alerts' sensor readings, as a configuration states it."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

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
