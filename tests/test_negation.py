"""Negation: what is denied becomes a contrast, mere absence is refused."""

from __future__ import annotations

import pytest

from bindstream.config import QueryConfig
from bindstream.negation import Meant, meant
from bindstream.queries import doubts


@pytest.mark.parametrize(
    ("phrase", "said", "denied"),
    [
        ("a person without a hat", "a person", "a person with a hat"),
        ("a man with no helmet", "a man", "a man with helmet"),
        ("a dog, not a cat", "a dog", "a cat"),
        ("barking but not howling", "barking", "howling"),
        ("a person not wearing a helmet", "a person", "a person wearing a helmet"),
        ("traffic other than trucks", "traffic", "trucks"),
        ("Dogs EXCEPT puppies", "Dogs", "puppies"),
    ],
)
def test_what_is_denied_is_held_against_the_rest(phrase: str, said: str, denied: str) -> None:
    assert meant(phrase) == Meant(said, denied)


@pytest.mark.parametrize(
    "phrase",
    ["no smoke", "not a dog", "nobody in the room", "a door that is not closed",
     "the baby isn't crying", "the baby isn’t crying", "without", "a man without a hat, not a cap",
     "it's not raining", "the dog’s not barking", "a never ending alarm", "the not so quiet room"],
)  # fmt: skip
def test_mere_absence_means_nothing(phrase: str) -> None:
    assert meant(phrase) is None


@pytest.mark.parametrize(
    "phrase", ["a dog", "a knot in a rope", "a notice board", "nothing in particular", "Noah"]
)
def test_words_that_only_look_like_it_are_left_alone(phrase: str) -> None:
    assert meant(phrase) == Meant(phrase)


def test_a_query_is_watched_for_by_what_it_says_and_held_against_what_it_denies() -> None:
    query = QueryConfig.model_validate(
        {"text": ["a person without a hat", "a bare head"], "negatives": "a cap"}
    )
    assert query.text[0] == "a person without a hat"  # what alerts show
    assert query.said == ("a person", "a bare head")
    assert query.held_against == ("a cap", "a person with a hat")
    (note,) = doubts(query, [])
    assert "'a person', 'a bare head', held against 'a person with a hat'" in note
    assert doubts(QueryConfig.model_validate({"text": "a dog"}), []) == []


def test_a_query_of_mere_absence_is_refused_with_ways_out() -> None:
    with pytest.raises(ValueError, match=r"says what is not there.*THIS without THAT.*literal"):
        QueryConfig.model_validate({"text": ["a dog", "no dog"]})


def test_words_taken_literally_are_left_as_they_are() -> None:
    query = QueryConfig.model_validate({"text": "a no entry sign", "literal": True})
    assert query.said == ("a no entry sign",)
    assert query.held_against == ()
