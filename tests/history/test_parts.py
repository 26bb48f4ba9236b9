from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindstream.history.parts import DAY_NS, HOUR_NS, Part, hour_of, key_of, live, part_named
from tests.history.windows import MIDNIGHT_NS

times = st.integers(-(2**62), 2**63 - DAY_NS)


@given(times)
def test_a_window_belongs_to_the_hour_and_the_day_it_starts_in(start_ns: int) -> None:
    hour = hour_of("abc", start_ns)
    assert hour.since_ns <= start_ns < hour.until_ns == hour.since_ns + HOUR_NS
    assert hour.day.since_ns <= hour.since_ns < hour.until_ns <= hour.day.until_ns
    assert (hour.is_hour, hour.day.is_hour) == (True, False)


@given(times)
def test_a_part_is_known_by_its_name(start_ns: int) -> None:
    hour = hour_of("abc_1", start_ns)
    assert part_named(hour.name) == hour
    assert part_named(hour.day.name) == hour.day


def test_names_say_when() -> None:
    hour = hour_of("abc", MIDNIGHT_NS + 14 * HOUR_NS + 5)
    assert (hour.name, str(hour)) == ("abc-20241004T14", "2024-10-04 14 h UTC")
    assert (hour.day.name, str(hour.day)) == ("abc-20241004", "2024-10-04")


@pytest.mark.parametrize(
    "name", ["abc", "abc-2024", "abc-20241304", "abc-20241004T25", "-20241004", "a/b-20241004"]
)
def test_other_names_are_left_alone(name: str) -> None:
    assert part_named(name) is None


def test_a_days_table_stands_in_for_its_hours_and_its_models_alone() -> None:
    hours = [hour_of("abc", MIDNIGHT_NS + n * HOUR_NS) for n in range(30)]
    other = hour_of("xyz", MIDNIGHT_NS)
    day = hours[3].day
    assert live([*reversed(hours), other]) == sorted([*hours, other])
    assert live([*hours, day, other]) == sorted([day, other, *hours[24:]])


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=9), st.sampled_from(["abc", "", "ü", "a-b", "x" * 80, "sha256_1"]))
def test_every_model_has_a_key_of_its_own_that_can_name_a_table(one: str, other: str) -> None:
    part = Part(0, HOUR_NS, key_of(one))
    assert part_named(part.name) == part
    assert len(part.name.encode()) < 100
    assert (key_of(one) == key_of(other)) == (one == other)
