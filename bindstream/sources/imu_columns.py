"""Which column of an IMU's text is what: options, well-known names, units."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bindstream.sources.imu_reading import AXES, STANDARD_GRAVITY
from bindstream.sources.options import PlaybackOptions

Axis = Literal["ax", "ay", "az", "gx", "gy", "gz"]
TimeUnit = Literal["ns", "us", "ms", "s"]
UNIT_NS: dict[TimeUnit, int] = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}

_SENSORS = {
    "a": "a acc accel acceleration accelerometer linearacceleration",
    "g": "g w gyr gyro gyroscope angularvelocity rotationrate rot",
}
_KNOWN: dict[str, str] = {}
"""Names that need no configuration, without case and punctuation, to their channel."""
for _letter, _words in _SENSORS.items():
    for _word in _words.split():
        for _number, _axis in enumerate("xyz"):
            for _name in (_word + _axis, _axis + _word, f"{_word}.{_number}"):
                _KNOWN[_name] = _letter + _axis
_TIME_NAME = re.compile(r"(?:t|time|timestamp|uptime)_?(ns|us|ms|s)")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(_Part):
    """Where a channel is: by name (header, label, JSON key; `accel.x` within objects) or index."""

    name: str | None = Field(default=None, min_length=1, description="as the device writes it")
    index: int | None = Field(default=None, ge=0, le=255, description="from 0")
    scale: float = Field(default=1, gt=0, allow_inf_nan=False, description="times its unit")
    sign: Literal[1, -1] = Field(default=1, description="-1 turns the axis round")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        """`ax: accX` and `ax: 3` stand for `ax: {name: accX}` and `ax: {index: 3}`."""
        if isinstance(value, str):
            return {"name": value}
        return {"index": value} if isinstance(value, int) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _one(self) -> Column:
        if (self.name is None) == (self.index is None):
            raise ValueError("give a column's name or its index")
        return self


class TimeColumn(_Part):
    """Where the device's own time is."""

    column: str | int = Field(description="name, or index from 0")
    unit: TimeUnit = Field(description="what the column counts")
    wrap_bits: int | None = Field(
        default=None,
        ge=8,
        le=64,
        description="the counter starts again at 2 to this (micros(): 32)",
    )


class ColumnsOptions(PlaybackOptions):
    """Options of `format: text`."""

    delimiter: Literal["auto", ",", ";", "\t", " "] = Field(
        default="auto", description="auto: comma, semicolon, tab or spaces, whichever a line has"
    )
    header: Literal["auto"] | tuple[str, ...] = Field(
        default="auto", description="names of the columns; auto: taken from a line of names"
    )
    prefix: str = Field(default="", description="only lines that begin so are read, such as $IMU,")
    checksum: Literal["none", "nmea_xor"] = Field(
        default="none", description="nmea_xor: lines end with * and the exclusive or of their bytes"
    )
    columns: dict[Axis, Column] = Field(
        default_factory=dict, description="channels that go by other names or positions"
    )
    accel_unit: Literal["m/s2", "g", "mg", "raw"] = Field(
        default="m/s2", description="what the accelerometer's numbers are; raw: counts"
    )
    gyro_unit: Literal["rad/s", "dps", "raw"] = Field(
        default="rad/s", description="what the gyroscope's numbers are; raw: counts"
    )
    lsb_per_g: float | None = Field(default=None, gt=0, description="with accel_unit: raw")
    lsb_per_dps: float | None = Field(default=None, gt=0, description="with gyro_unit: raw")
    time: TimeColumn | None = Field(
        default=None,
        description="the device's clock; time_ns, time_us, time_ms and time_s need no mention",
    )
    seq: str | int | None = Field(
        default=None, description="column that counts readings, by name or index from 0"
    )

    @field_validator("header", mode="before")
    @classmethod
    def _listed(cls, header: Any) -> Any:
        return tuple(header) if isinstance(header, list) else header

    @model_validator(mode="after")
    def _complete(self) -> ColumnsOptions:
        if (self.accel_unit == "raw") != (self.lsb_per_g is not None):
            raise ValueError("accel_unit: raw goes with lsb_per_g, and only it")
        if (self.gyro_unit == "raw") != (self.lsb_per_dps is not None):
            raise ValueError("gyro_unit: raw goes with lsb_per_dps, and only it")
        if self.header != "auto" and (problem := layout(self, self.header).problem):
            raise ValueError(problem)
        return self

    def factor(self, axis: str) -> float:
        """What a number of this channel is multiplied by to be m/s² or rad/s."""
        if axis[0] == "a":
            raw = STANDARD_GRAVITY / self.lsb_per_g if self.lsb_per_g else 1.0
            units = {"m/s2": 1.0, "g": STANDARD_GRAVITY, "mg": STANDARD_GRAVITY / 1000, "raw": raw}
            return units[self.accel_unit]
        raw = math.radians(1 / self.lsb_per_dps) if self.lsb_per_dps else 1.0
        return {"rad/s": 1.0, "dps": math.radians(1), "raw": raw}[self.gyro_unit]


@dataclass(frozen=True)
class Layout:
    """Positions in a line: six channels with their factors, time with ns a unit, and count.

    `problem` names what is missing ("" = nothing), `found` is how many channels are there.
    """

    axes: tuple[tuple[int, float], ...] = ()
    time: tuple[int, int] | None = None
    wrap: int = 0
    seq: int | None = None
    found: int = 0
    problem: str = ""


def layout(options: ColumnsOptions, names: Sequence[str] | int) -> Layout:
    """Where everything is in a line with columns of these names, or so many without names."""
    time = _time(options, names)
    seq = None if options.seq is None else _position(options.seq, names)
    at = {axis: _axis_position(options, axis, names) for axis in AXES}
    if isinstance(names, int) and not options.columns:
        taken = {p for p in (seq, time[0] if time else None) if p is not None}
        free = [i for i in range(names) if i not in taken]
        if len(free) == len(AXES):
            at = dict(zip(AXES, free, strict=True))
    missing = [axis for axis in AXES if at[axis] is None]
    if not missing and options.time is not None and time is None:
        missing = [f"time ({options.time.column!r})"]
    if not missing and options.seq is not None and seq is None:
        missing = [f"seq ({options.seq!r})"]
    axes = []
    for axis, position in at.items():
        column = options.columns.get(axis)  # type: ignore[call-overload]
        own = column.scale * column.sign if column else 1.0
        axes.append((position or 0, own * options.factor(axis)))
    wrap = 1 << options.time.wrap_bits if options.time and options.time.wrap_bits else 0
    found = sum(position is not None for position in at.values())
    return Layout(tuple(axes), time, wrap, seq, found, _problem(missing, names))


def _problem(missing: list[str], names: Sequence[str] | int) -> str:
    if not missing:
        return ""
    has = f"{names} numbers" if isinstance(names, int) else ", ".join(names) or "nothing"
    gyro = all(axis in missing for axis in AXES[3:]) and "ax" not in missing
    hint = "; a sensor without a gyroscope cannot be used" if gyro else ""
    return f"no column for {', '.join(missing)} (a line has {has[:200]}){hint}"


def _axis_position(options: ColumnsOptions, axis: str, names: Sequence[str] | int) -> int | None:
    column = options.columns.get(axis)  # type: ignore[call-overload]
    if column is not None:
        return _position(column.name if column.name is not None else column.index, names)
    if isinstance(names, int):
        return None
    return next((i for i, name in enumerate(names) if _KNOWN.get(_plain(name)) == axis), None)


def _position(column: str | int | None, names: Sequence[str] | int) -> int | None:
    if isinstance(column, int):
        return column if column < (names if isinstance(names, int) else len(names)) else None
    if column is None or isinstance(names, int) or column not in names:
        return None
    return list(names).index(column)


def _time(options: ColumnsOptions, names: Sequence[str] | int) -> tuple[int, int] | None:
    if options.time is not None:
        position = _position(options.time.column, names)
        return None if position is None else (position, UNIT_NS[options.time.unit])
    if isinstance(names, int):
        return None
    for i, name in enumerate(names):
        if told := _TIME_NAME.fullmatch(name.strip().lower()):
            return i, UNIT_NS[told.group(1)]  # type: ignore[index]
    return None


def _plain(name: str) -> str:
    """A name without case, punctuation and unit: "Acc X (g)" is "accx"; "acc.0" stays."""
    name = re.split(r"[(\[]", name, maxsplit=1)[0].strip().lower()
    return name if re.fullmatch(r"[a-z]+\.\d", name) else re.sub(r"[^a-z0-9]", "", name)
