"""The starter's figures, on vectors whose figures are known beforehand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest

from bindstream.models.encoder import Model
from bindstream.training.starter.figures import (
    Embedded,
    across,
    choice,
    falls,
    linear_probe,
    phrasings,
    plain_words,
    precision_of_sounds,
)
from bindstream.training.starter.held_out import Shown
from bindstream.training.starter.phrases import concepts
from bindstream.training.starter.unseen_words import UNSEEN

NAMES = ("dog", "rain", "fire", "clock")


class Words:
    """A text tower that knows each concept's phrases as an axis of its own."""

    def encode_text(self, texts: Sequence[str]) -> Any:
        axes = np.eye(len(concepts()) + 1, dtype=np.float32)
        return np.stack([axes[self._place(text)] for text in texts])

    def _place(self, text: str) -> int:
        for place, concept in enumerate(concepts().values()):
            if text in (plain_words(concept.name), *concept.phrases):
                return place
        return len(concepts())


MODEL = cast(Model, Words())


def embedded(names: Sequence[str], vectors: Any, groups: Sequence[str] = ()) -> Embedded:
    inputs = np.zeros((1, 1, 128, 204), np.float32)
    shown = tuple(
        Shown(inputs, frozenset({name}), groups[i] if groups else f"source {i}", name)
        for i, name in enumerate(names)
    )
    return Embedded("audio", shown, np.asarray(vectors, np.float32), np.arange(len(names)))


def words_of(names: Sequence[str]) -> Any:
    return MODEL.encode_text([plain_words(name) for name in names])


def each(names: Sequence[str]) -> dict[str, frozenset[str]]:
    return {plain_words(name): frozenset({name}) for name in names}


def test_recordings_at_their_own_words_are_all_right_and_at_others_all_wrong() -> None:
    right = choice("x", MODEL, embedded(NAMES, words_of(NAMES)), each(NAMES))
    assert (right.value, right.n, right.chance, right.wrong) == (1.0, 4, 0.25, ())
    turned = choice("x", MODEL, embedded(NAMES, words_of(NAMES[1:] + NAMES[:1])), each(NAMES))
    assert turned.value == 0.0
    assert turned.wrong[0].items == 1
    assert turned.by_class["rain"] == (0.0, 1)


def test_balanced_accuracy_weighs_a_rare_class_like_a_common_one() -> None:
    names = ["dog"] * 9 + ["rain"]
    found = embedded(names, words_of(["dog"] * 10))
    assert choice("x", MODEL, found, each(NAMES)).value == pytest.approx(0.9)
    assert choice("x", MODEL, found, each(NAMES), balanced=True).value == pytest.approx(0.5)


def test_intervals_are_wide_where_one_source_gave_everything() -> None:
    names, right = ["dog"] * 40, words_of(["dog"] * 20 + ["rain"] * 20)
    few = embedded(names, right, ["a"] * 20 + ["b"] * 20)
    many = embedded(names, right)
    narrow, wide = (choice("x", MODEL, f, each(NAMES)).interval for f in (many, few))
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_a_clip_counts_once_however_many_windows_it_has() -> None:
    vectors = words_of(["dog", "dog", "dog", "rain"])
    found = embedded(["dog", "rain"], vectors[:2])
    long = Embedded("audio", found.shown, vectors, np.array([0, 0, 0, 1]))
    figure = choice("x", MODEL, long, each(NAMES))
    assert (figure.n, figure.value) == (2, 1.0)


def test_precision_over_labels_stands_beside_a_linear_probe_of_the_same_split() -> None:
    rng = np.random.default_rng(0)

    def shown(count: int, part: str) -> list[Shown]:
        found = []
        for i in range(count):
            inputs = rng.standard_normal((1, 1, 128, 204)).astype(np.float32)
            inputs[:, :, i % 4 * 10 : i % 4 * 10 + 10] += 3
            found.append(Shown(inputs, frozenset({NAMES[i % 4]}), f"{part} {i}", NAMES[i % 4]))
        return found

    held, trained = shown(12, "held"), shown(16, "trained")
    vectors = words_of([one.kind for one in held])
    found = Embedded("audio", tuple(held), vectors, np.arange(12))
    figure = precision_of_sounds(MODEL, found, trained)
    assert figure.value == 1.0
    assert figure.beside["linear probe on log-mel means"] > 0.9
    guess = linear_probe(trained, held, ["sneeze"])
    assert np.isfinite(guess).all()


def test_falls_are_found_above_all_but_one_recorded_window_an_hour() -> None:
    fall, walk = words_of(["falling"]), words_of(["walking"])
    rendered = embedded(["falling"] * 10, np.repeat(fall, 10, 0))
    recorded = embedded(["walking"] * 20, np.repeat(walk, 20, 0))
    assert falls(MODEL, rendered, recorded, hours=0.5).value == 1.0
    confused = embedded(["walking"] * 20, np.concatenate([np.repeat(walk, 18, 0), fall, fall]))
    assert falls(MODEL, rendered, confused, hours=0.5).value == 0.0
    assert falls(MODEL, rendered, confused, hours=2.5).value == 1.0


def test_a_sensor_finds_another_by_what_both_show_and_chance_is_measured() -> None:
    sounds = embedded(["dog", "rain", "clock"], words_of(["dog", "rain", "clock"]))
    pictures = embedded(["dog", "fire", "car"] * 8, words_of(["dog", "fire", "car"] * 8))
    figure = across(sounds, pictures)
    assert figure is not None
    assert (figure.value, figure.n, set(figure.by_class)) == (1.0, 1, {"dog"})
    assert 0.2 < figure.chance < 0.9
    assert across(embedded(["clock"], words_of(["clock"])), pictures) is None


def test_unseen_phrasings_are_unseen_and_what_they_lose_is_the_difference() -> None:
    for name, phrases in UNSEEN.items():
        assert not {*phrases} & {p for c in concepts().values() for p in c.phrases}, name
    figure = phrasings(MODEL, [embedded(NAMES, words_of(NAMES))])
    assert figure.beside["seen"] == 1.0
    assert figure.value == figure.beside["seen"] - figure.beside["unseen"] == 1.0


def test_figures_can_be_written_as_json() -> None:
    figure = choice("x", MODEL, embedded(NAMES, words_of(NAMES)), each(NAMES))
    assert json.loads(json.dumps(figure.plain()))["value"] == 1.0
