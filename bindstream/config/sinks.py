"""Where alerts go, as a configuration states it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Discriminator, Field

from bindstream.config.section import Section


class TerminalSinkConfig(Section):
    """Print alerts to the terminal."""

    kind: Literal["terminal"]


class JsonlSinkConfig(Section):
    """Append alerts to a file, one JSON object a line; folders are made as needed."""

    kind: Literal["jsonl"]
    path: Path = Field(description="the file, created if it is not there")


class BusSinkConfig(Section):
    """Publish alerts on the bus, for `bindstream listen` and other programs."""

    kind: Literal["bus"]


SinkConfig = Annotated[
    TerminalSinkConfig | JsonlSinkConfig | BusSinkConfig,
    Discriminator("kind"),
]
