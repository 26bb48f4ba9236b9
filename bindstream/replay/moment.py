"""Moments of a recording, as people write them."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta

from bindstream.errors import ConfigError

OUTSIDE_S = 60.0
"""So far outside of a recording a time may lie: what is meant is its beginning or its end."""
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?")


def seconds_into(said: str, start_ns: int, end_ns: int, option: str) -> float:
    """Seconds into a recording that "90" (from its beginning), "18:30:05" (a time of day of this
    place's clock, as alerts show it) or a date with a time mean.

    Args:
        start_ns, end_ns: bounds of the recording, UTC ns of capture.
        option: is named where it means nothing.

    Raises:
        ConfigError: it is no moment, or none of the recording.
    """
    begun = datetime.fromtimestamp(start_ns / 1e9).astimezone()
    said = said.strip()
    outside_s = 1.0  # a number may have been rounded
    try:
        seconds = float(said)
    except ValueError:
        moment = _of_day(said, begun) or _date(said)
        if moment is None:
            raise ConfigError(
                f"{said!r} is no moment.",
                where=option,
                fix="Give seconds from its beginning (90), a time of day (18:30:05), or a date "
                "with a time (2026-11-22T18:30:05Z).",
            ) from None
        seconds, outside_s = moment.timestamp() - start_ns / 1e9, OUTSIDE_S
    lasts_s = (end_ns - start_ns) / 1e9
    # Times are read off alerts and clocks, of whole seconds or minutes: they may lie just outside.
    if not (math.isfinite(seconds) and -outside_s <= seconds <= lasts_s + outside_s):
        ended = datetime.fromtimestamp(end_ns / 1e9).astimezone()
        raise ConfigError(
            f"{said} is not within the recording.",
            where=option,
            fix=f"It lasts {lasts_s:.1f} s, from {begun:%Y-%m-%d %H:%M:%S} to {ended:%H:%M:%S} "
            "on this place's clock. A plain number is seconds from its beginning, 18:30 a time of "
            "day.",
        )
    return min(max(seconds, 0.0), lasts_s)


def _of_day(said: str, begun: datetime) -> datetime | None:
    """The first moment of that time since a little before the beginning."""
    found = _TIME.fullmatch(said)
    if found is None:
        return None
    hour, minute, seconds = int(found[1]), int(found[2]), float(found[3] or 0)
    if hour > 23 or minute > 59 or seconds >= 60:
        return None
    midnight = begun.replace(hour=0, minute=0, second=0, microsecond=0)
    moment = midnight + timedelta(hours=hour, minutes=minute, seconds=seconds)
    return moment if moment > begun - timedelta(seconds=OUTSIDE_S) else moment + timedelta(days=1)


def _date(said: str) -> datetime | None:
    try:
        return datetime.fromisoformat(said.replace("Z", "+00:00")).astimezone()
    except (ValueError, OverflowError):
        return None
