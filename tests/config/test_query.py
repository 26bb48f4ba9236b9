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


def test_a_sum_says_what_it_needs_and_shows() -> None:
    one = query(plus="sounds/rex.wav", minus=["0.5*a cat meows", "rain"])
    assert [(t.kind, t.weight) for t in one.terms] == [("file", 1), ("words", -0.5), ("words", -1)]
    assert one.texts == ("a dog", "a cat meows", "rain")
    assert (one.id, one.shown) == ("a-dog", ("a dog",))


def test_examples_alone_are_shown_by_their_names() -> None:
    one = QueryConfig.model_validate({"like": ["2*sounds/rex.wav"], "plus": "a dog"})
    assert (one.id, one.shown, one.text) == ("rex", ("rex", "a dog"), ())
    again = QueryConfig.model_validate(one.model_dump(mode="json"))
    assert again == one
    window = "kitchen/1795000000000000000"
    assert QueryConfig.model_validate({"like": window}).shown == (window,)
    assert QueryConfig.model_validate({"like": "rex.wav"}).texts == ()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "nothing to watch for"),
        ({"text": None, "minus": "rain"}, "nothing to watch for"),
        ({"plus": "0*rain"}, "the weight of .rain. is 0"),
        ({"plus": "-1*rain"}, "number above 0; what is to be taken off goes under `minus`"),
        ({"text": "a dog", "minus": ["nan*rain"]}, "the weight of .rain. is nan"),
        ({"like": "inf*rain.wav"}, "is inf"),
        ({"text": "a dog", "plus": "1e400*rain"}, "is 1e400"),
        ({"like": "a dog"}, "'a dog' is no file"),
        ({"taught": "beep.json", "plus": "rain"}, "neither added to nor taken from"),
        ({"text": "a dog", "minus": "no rain"}, "says what is not there"),
        (
            {"text": "a dog", "plus": "a siren without rain"},
            "denies something: put that under `minus`",
        ),
    ],
)
def test_a_sum_that_asks_for_nothing_is_refused(given: dict[str, Any], why: str) -> None:
    data = {key: value for key, value in given.items() if value is not None}
    with pytest.raises(ValidationError, match=why):
        QueryConfig.model_validate(data)
    assert QueryConfig.model_validate({"text": "no entry", "plus": "no dogs", "literal": True})


def test_every_phrasing_is_put_into_every_template() -> None:
    query = QueryConfig.model_validate(
        {"text": ["a dog", "a man without a hat"], "templates": ["the sound of {}", "{}, loud"]}
    )
    assert query.said == ("the sound of a dog", "a dog, loud", "the sound of a man", "a man, loud")
    assert query.shown == ("a dog", "a man without a hat")
    with pytest.raises(ValueError, match=r"'a sound' needs one \{\}, where the words go"):
        QueryConfig.model_validate({"text": "a dog", "templates": "a sound"})
