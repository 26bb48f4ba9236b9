from __future__ import annotations

from pathlib import Path

from bindstream.evaluation.words import unknown_in
from bindstream.models import load_model


def test_words_names_and_names_without_a_known_word_are_counted(tiny_model: Path) -> None:
    model = load_model(tiny_model, modalities=["text"], device="cpu")
    names = ["a dog", "a zebra", "Zebra crossing", "barking zebra's dog"]
    found = unknown_in(names, model.unknown_words)
    assert (found.total, found.touched, found.wholly) == (4, 3, 1)
    assert list(found.words) == ["zebra", "crossing"]


def test_a_model_of_text_at_large_has_no_unknown_words() -> None:
    found = unknown_in(["anything"], lambda text: [])
    assert (found.total, found.touched, found.words) == (1, 0, ())
