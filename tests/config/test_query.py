"""Queries in a configuration: budgets as people write them, rules that can be kept."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bindstream.config import QueryConfig


def query(**given: Any) -> QueryConfig:
    return QueryConfig.model_validate({"text": "a dog", **given})


@pytest.mark.parametrize(
    ("written", "per_hour"),
    [
        (0.5, 0.5),
        (2, 2.0),
        ("0.2", 0.2),
        ("0.2/h", 0.2),
        (".5 an hour", 0.5),
        ("3/day", 3 / 24),
        ("3 per day", 3 / 24),
        ("1 a week", 1 / 168),
        ("2 / D", 2 / 24),
    ],
)
def test_budgets_are_rates_as_people_write_them(written: Any, per_hour: float) -> None:
    assert query(budget=written).budget == pytest.approx(per_hour)


@pytest.mark.parametrize(
    "written", ["often", "3/month", "-1/day", "1.2.3", "", "0/h", 0, -2, "nan"]
)
def test_what_is_no_rate_is_refused(written: Any) -> None:
    with pytest.raises(ValidationError, match="budget"):
        query(budget=written)


def test_a_rule_that_can_never_be_met_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"needed \(3\) of the last 2 windows can never"):
        query(needed=3, of=2)
    with pytest.raises(ValidationError, match="nothing would be announced"):
        query(min_length_s=10, max_length_s=5)
    assert query(needed=2, of=3, min_length_s=10, max_length_s=0).max_length_s == 0
