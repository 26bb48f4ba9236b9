"""A start: the configuration's queries, and what was said of them while earlier runs went on."""

from __future__ import annotations

from typing import Any

from bindstream.config import QueryConfig
from bindstream.state.kept import Kept, entry
from bindstream.state.standing import Standing, standing


def query(text: str = "a dog", **given: Any) -> QueryConfig:
    return QueryConfig.model_validate({"text": text, **given})


DOG, LOUDER, CAT = query(), query(on=9), query("a cat")


def said(**given: Any) -> Kept:
    return Kept("a-dog", **{"filed": entry(DOG), **given})


def test_without_a_past_the_file_holds() -> None:
    start = standing([DOG, CAT], [])
    assert start.queries == (Standing(DOG), Standing(CAT))
    assert (start.notes, start.outdated) == ((), ())


def test_what_was_added_comes_back_as_it_was() -> None:
    kept = Kept("a-cat", CAT, sent={"taught": {"level": 1}}, paused=True)
    start = standing([DOG], [kept])
    assert start.queries == (
        Standing(DOG),
        Standing(CAT, {"taught": {"level": 1}}, True, is_filed=False),
    )
    assert "'a-cat' was added" in start.notes[0]
    assert start.notes[0].endswith("paused")


def test_what_was_paused_stays_paused() -> None:
    start = standing([DOG], [said(paused=True)])
    assert start.queries == (Standing(DOG, paused=True),)
    assert "bindstream query resume a-dog" in start.notes[0]


def test_what_was_removed_stays_removed_and_it_is_said() -> None:
    start = standing([DOG, CAT], [said(removed=True)])
    assert start.queries == (Standing(CAT),)
    assert "'a-dog' stays removed" in start.notes[0]
    assert start.outdated == ()


def test_what_replaced_a_query_holds_while_its_entry_is_the_same() -> None:
    start = standing([DOG], [said(config=LOUDER)])
    assert start.queries == (Standing(LOUDER, is_filed=False),)
    assert "what replaced it" in start.notes[0]


def test_an_entry_that_changed_has_the_last_word_and_it_is_said() -> None:
    for past in (said(config=LOUDER), said(removed=True), said(paused=True)):
        start = standing([query(budget=1)], [past])
        assert start.queries == (Standing(query(budget=1)),)
        assert start.outdated == ("a-dog",)
        assert "is another one" in start.notes[0]
    added = Kept("a-dog", LOUDER)  # the file had none of the id
    assert standing([DOG], [added]).queries == (Standing(DOG),)


def test_an_entry_that_was_deleted_has_the_last_word_too() -> None:
    start = standing([CAT], [said(config=LOUDER)])
    assert start.queries == (Standing(CAT),)
    assert start.outdated == ("a-dog",)
    assert "has it no longer" in start.notes[0]


def test_an_entry_that_says_a_default_is_the_same_entry() -> None:
    assert entry(query(on=3.0)) == entry(query())
    assert entry(query(on=3.1)) != entry(query())
