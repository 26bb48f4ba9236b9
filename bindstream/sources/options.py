"""What every source's options have in common."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class SourceOptions(BaseModel):
    """Options of a source, written under `source:` in a configuration. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lateness_s: float | None = Field(
        default=None,
        ge=0,
        le=60,
        description="how long a window waits for late readings; the modality's own if left out",
    )


class PlaybackOptions(SourceOptions):
    """Options of sources that may play a recording."""

    speed: Annotated[float, Field(gt=0, allow_inf_nan=False)] | Literal["max"] = Field(
        default=1.0,
        description='recordings only: 1 plays in real time, 2 twice as fast, "max" without waiting',
    )
    loop: bool = Field(
        default=False, description="recordings only: start again at the end, for ever"
    )
