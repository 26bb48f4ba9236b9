"""A stream's activity gate, as a configuration states it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from bindstream.config.section import Section
from bindstream.gate import GATE_LEVELS, REFRESH_S
from bindstream.records import ModalityName


def _default(modality: ModalityName, name: str) -> str:
    return f"{GATE_LEVELS[modality][name]:g} if left out"


Amount = Annotated[float, Field(gt=0)]


class GateConfig(Section):
    """When a window is so much like one already embedded that the latter's vector stands for it.

    Each level belongs to one modality; see `bindstream.gate` for what is compared and where the
    defaults come from.
    """

    grey_levels: Annotated[Amount, Field(le=255)] | None = Field(
        default=None,
        description="vision: most that a small part's mean may change, of 255; "
        + _default("vision", "grey_levels"),
    )
    celsius: Annotated[Amount, Field(le=100)] | None = Field(
        default=None,
        description="thermal: most that a small part's mean may change, °C; "
        + _default("thermal", "celsius"),
    )
    metres: Annotated[Amount, Field(le=50)] | None = Field(
        default=None,
        description="depth: most that a small part's mean distance may change, metres; "
        + _default("depth", "metres"),
    )
    dbfs: Annotated[float, Field(ge=-120, le=0)] | None = Field(
        default=None,
        description="audio: a window whose loudest 50 ms are below this is silence, dBFS; "
        + _default("audio", "dbfs"),
    )
    accel_ms2: Annotated[Amount, Field(le=50)] | None = Field(
        default=None,
        description="imu: farthest that acceleration may stray, gravity included, m/s²; "
        + _default("imu", "accel_ms2"),
    )
    gyro_rads: Annotated[Amount, Field(le=50)] | None = Field(
        default=None,
        description="imu: farthest that the turning rate may stray, rad/s; "
        + _default("imu", "gyro_rads"),
    )
    refresh_s: float = Field(
        default=REFRESH_S,
        gt=0,
        le=86400,
        description="a vector stands for no window that ends so much later than its own, seconds",
    )

    def levels(self, modality: ModalityName) -> dict[str, float]:
        """The levels that hold for a stream of this modality."""
        given = {name: getattr(self, name) for name in GATE_LEVELS[modality]}
        return {
            name: default if given[name] is None else given[name]
            for name, default in GATE_LEVELS[modality].items()
        }

    def foreign(self, modality: ModalityName) -> dict[str, ModalityName]:
        """Levels that are set but belong to other modalities, and to which."""
        return {
            name: owner
            for owner, names in GATE_LEVELS.items()
            for name in names
            if owner != modality and getattr(self, name) is not None
        }


def _switched(value: Any) -> Any:
    return ({} if value else None) if isinstance(value, bool) else value


def _or_switch(schema: dict[str, Any]) -> None:
    schema["anyOf"].append({"type": "boolean"})


Gated = Annotated[
    GateConfig | None, BeforeValidator(_switched), Field(json_schema_extra=_or_switch)
]
"""A gate section, or `true` for one with defaults; `false` is none."""
