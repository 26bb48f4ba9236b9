"""Matching: what raises a score, what lowers it, and what is never compared."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindstream.config import QueryConfig
from bindstream.matcher import (
    CONTRAST_TEMPERATURE,
    SAME_MEANING,
    Matcher,
    Query,
    make_query,
    soft_maximum,
)
from bindstream.records import Embedding, Score

DIM = 64
NONE = np.zeros((0, DIM), np.float32)


def directions(n: int, seed: int) -> np.ndarray:
    """`n` unit vectors (n, DIM) float32, no two alike."""
    drawn = np.random.default_rng(seed).standard_normal((n, DIM))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def window(vector: np.ndarray, stream: str = "mic", modality: Any = "audio") -> Embedding:
    unit = np.asarray(vector / np.linalg.norm(vector), np.float32)
    return Embedding(stream, modality, 3, 10, 20, unit, "m1", readings={"x": 1.0}, stages={"a": 1})


def query(
    positives: np.ndarray, negatives: np.ndarray = NONE, model: str = "m1", **config: Any
) -> Any:
    return make_query(
        QueryConfig(**{"text": "a dog", **config}), np.atleast_2d(positives), negatives, model
    )


def only_score(matcher: Matcher, embedding: Embedding) -> Score:
    scores = matcher.push(embedding)
    assert len(scores) == 1
    return scores[0]


def test_without_contrast_the_value_is_the_cosine_and_the_window_is_named() -> None:
    dog, cat = directions(2, 0)
    matcher = Matcher({})
    matcher.put(query(dog, id="dog"))
    score = only_score(matcher, window(dog + cat))
    assert score.cosine == pytest.approx(float(dog @ (dog + cat)) / np.linalg.norm(dog + cat))
    assert score.value == score.cosine
    assert math.isnan(score.z)
    assert (score.query, score.stream, score.modality) == ("dog", "mic", "audio")
    assert (score.seq, score.start_ns, score.end_ns) == (3, 10, 20)
    assert (dict(score.readings), dict(score.stages)) == ({"x": 1.0}, {"a": 1})


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 6))
def test_more_contrast_never_raises_a_score_and_leaves_the_cosine(seed: int, n: int) -> None:
    dog, sound, *others = directions(n + 2, seed)
    plain, contrasted = Matcher({}), Matcher({})
    plain.put(query(dog))
    contrasted.put(query(dog, np.stack(others)))
    more = Matcher({"audio": np.stack(others)})
    more.put(query(dog, np.stack(others)))
    a, b, c = (only_score(m, window(sound)) for m in (plain, contrasted, more))
    assert a.cosine == b.cosine == c.cosine
    assert c.value < b.value < a.cosine + 1  # the contrast may be below zero
    most = max(float(sound @ other) for other in others)
    assert b.value <= a.cosine - most + 1e-6


def test_a_window_that_shows_the_negative_scores_less_than_one_that_does_not() -> None:
    dog, television, rest = directions(3, 1)
    matcher = Matcher({})
    matcher.put(query(dog, television[None]))
    real = only_score(matcher, window(dog + 0.3 * rest))
    recorded = only_score(matcher, window(dog + television))
    assert recorded.value < real.value - 0.3


def test_a_background_phrase_that_means_the_query_is_no_contrast_to_it() -> None:
    silence, other, sound = directions(3, 2)
    near = silence + 0.2 * other
    near = (near / np.linalg.norm(near)).astype(np.float32)
    assert float(near @ silence) > SAME_MEANING
    alone, beside = Matcher({"audio": other[None]}), Matcher({"audio": np.stack([other, near])})
    for matcher in (alone, beside):
        matcher.put(query(silence))
    assert only_score(alone, window(sound)).value == only_score(beside, window(sound)).value


def test_a_negative_counts_however_close_it_is_to_the_query() -> None:
    dog, sound = directions(2, 3)
    matcher = Matcher({})
    matcher.put(query(dog, dog[None]))
    assert only_score(matcher, window(sound)).value == pytest.approx(0, abs=1e-6)


def test_background_is_that_of_the_windows_own_modality() -> None:
    dog, noise, sound = directions(3, 4)
    matcher = Matcher({"audio": noise[None]})
    matcher.put(query(dog))
    assert only_score(matcher, window(sound, "door", "vision")).value == pytest.approx(
        float(dog @ sound), abs=1e-6
    )
    assert only_score(matcher, window(noise)).value < -0.5


def test_phrasings_are_averaged_to_one_direction() -> None:
    dog, hound = directions(2, 5)
    matcher = Matcher({})
    matcher.put(query(np.stack([dog, hound])))
    assert only_score(matcher, window(dog + hound)).cosine == pytest.approx(1, abs=1e-6)


def test_a_vector_of_another_model_is_never_compared_and_is_counted_once() -> None:
    dog, cat = directions(2, 6)
    matcher = Matcher({})
    matcher.put(query(dog, id="dog"))
    matcher.put(query(cat, id="cat"))
    other = dataclasses.replace(window(dog), model="m2")
    assert matcher.push(other) == []
    assert matcher.refused == 1
    assert len(matcher.push(window(dog))) == 2
    assert matcher.refused == 1


@pytest.mark.parametrize(
    ("watching", "heard"),
    [
        ({}, ["mic", "door", "yard"]),
        ({"streams": "door"}, ["door"]),
        ({"modalities": "vision"}, ["door", "yard"]),
        ({"modalities": ["audio", "vision"], "streams": ["mic", "yard"]}, ["mic", "yard"]),
        ({"modalities": "thermal"}, []),
    ],
)
def test_a_query_hears_the_streams_it_names(watching: dict[str, Any], heard: list[str]) -> None:
    dog, sound = directions(2, 7)
    matcher = Matcher({})
    matcher.put(query(dog, **watching))
    streams = {"mic": "audio", "door": "vision", "yard": "vision"}
    got = [s for s, m in streams.items() if matcher.push(window(sound, s, m))]
    assert got == heard
    assert matcher.refused == 0


def test_putting_a_query_again_replaces_it_with_its_contrast() -> None:
    dog, cat, sound = directions(3, 8)
    matcher = Matcher({})
    matcher.put(query(dog, dog[None], id="q"))
    assert only_score(matcher, window(sound)).value == pytest.approx(0, abs=1e-6)
    matcher.put(query(cat, id="q"))
    assert only_score(matcher, window(sound)).value == pytest.approx(float(cat @ sound), abs=1e-6)
    assert [q.config.id for q in matcher.queries] == ["q"]
    assert matcher.remove("q")
    assert not matcher.remove("q")
    assert matcher.push(window(sound)) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=50))
def test_the_soft_maximum_lies_between_the_largest_and_its_bound(cosines: list[float]) -> None:
    value = soft_maximum(np.asarray(cosines, np.float32))
    largest = max(cosines)
    assert largest - 1e-6 <= value
    assert value <= largest + CONTRAST_TEMPERATURE * math.log(len(cosines)) + 1e-6


def test_the_share_says_how_likely_the_query_is_among_itself_and_its_contrast() -> None:
    vectors = directions(3, seed=4)
    matcher = Matcher({"audio": vectors[1:]})
    matcher.put(query(vectors[:1]))
    assert only_score(matcher, window(vectors[0])).share > 0.99
    assert only_score(matcher, window(vectors[1])).share < 0.01
    alone = Matcher({})
    alone.put(query(vectors[:1]))
    assert only_score(alone, window(vectors[1])).share == 1


def test_the_share_is_the_querys_part_among_itself_and_all_it_is_contrasted_with() -> None:
    dog, television, rain, sound = directions(4, 9)
    matcher = Matcher({"audio": rain[None]})
    matcher.put(query(dog, television[None]))
    score = only_score(matcher, window(sound))
    raised = np.exp(np.array([dog, television, rain]) @ sound / CONTRAST_TEMPERATURE)
    assert score.share == pytest.approx(raised[0] / raised.sum(), rel=1e-4)
    assert only_score(matcher, window(dog)).share > 0.9
    assert only_score(matcher, window(-dog + rain)).share < 0.01


def test_with_nothing_to_contrast_with_the_share_is_whole() -> None:
    dog, sound = directions(2, 10)
    matcher = Matcher({})
    matcher.put(query(dog))
    assert only_score(matcher, window(sound)).share == 1


def test_a_taught_query_is_contrasted_with_its_level_alone() -> None:
    beep, noise = directions(2, 11)
    matcher = Matcher({"audio": np.stack([noise, beep])})
    config = QueryConfig.model_validate({"text": "a beep", "modalities": "audio"})
    matcher.put(Query(config, beep, NONE, "m1", level=0.4))
    for sound in (beep, noise, beep + noise):
        score = only_score(matcher, window(sound))
        assert score.value == pytest.approx(score.cosine - 0.4)
        raised = math.exp((0.4 - score.cosine) / CONTRAST_TEMPERATURE)
        assert score.share == pytest.approx(1 / (1 + raised))
    assert matcher.push(window(beep, "door", "vision")) == []


def test_other_background_phrases_count_from_then_on() -> None:
    dog, noise = directions(2, 12)
    matcher, informed = Matcher({}), Matcher({"audio": noise[None]})
    for each in (matcher, informed):
        each.put(query(dog))
    assert only_score(matcher, window(noise)).value > -0.5
    matcher.contrast_with({"audio": noise[None]})
    now, expected = (only_score(each, window(noise)) for each in (matcher, informed))
    assert (now.value, now.share) == (expected.value, expected.share)
    assert now.value < -0.5
