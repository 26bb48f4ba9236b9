"""Moments of a recording, as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bindstream.errors import ConfigError
from bindstream.replay.moment import seconds_into

BEGUN = datetime(2026, 11, 22, 23, 59, 50, tzinfo=UTC).astimezone()
START_NS = round(BEGUN.timestamp()) * 10**9
END_NS = START_NS + 60 * 10**9


def into(said: str) -> float:
    return seconds_into(said, START_NS, END_NS, "--from")


def test_seconds_clock_times_and_dates_are_moments() -> None:
    later = BEGUN + timedelta(seconds=20)
    assert into("20") == into(" 20.0 ") == 20
    assert into(f"{later:%H:%M:%S}") == 20  # of the next day
    assert into(f"{BEGUN:%H:%M:%S}") == 0
    assert into("2026-11-23T00:00:10Z") == 20
    assert into(later.isoformat()) == 20


def test_what_was_read_off_an_alert_may_be_a_part_of_a_second_outside() -> None:
    start_ns = START_NS + 700_000_000
    assert seconds_into(f"{BEGUN:%H:%M:%S}", start_ns, END_NS, "--from") == 0
    assert into("60.5") == 60


@pytest.mark.parametrize("said", ["soon", "25:00", "12:99", "12:00:61", "", "nan"])
def test_what_is_no_moment_is_refused(said: str) -> None:
    with pytest.raises(ConfigError, match="--from"):
        into(said)


@pytest.mark.parametrize("said", ["61.5", "-2", "2026-11-21T00:00:00Z", "inf"])
def test_what_is_not_in_the_recording_is_refused_with_its_bounds(said: str) -> None:
    with pytest.raises(ConfigError, match=r"lasts 60\.0 s"):
        into(said)


def test_whoever_writes_minutes_and_seconds_is_told_that_it_is_a_time_of_day() -> None:
    with pytest.raises(ConfigError, match=r"plain number is seconds.*18:30 a time of day"):
        into("00:20")
