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
    shares,
)
from bindstream.records import Embedding, Score
from bindstream.watch import Watch

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


def only_score(watch: Watch, embedding: Embedding) -> Score:
    scores, _ = watch.push(embedding)
    assert len(scores) == 1
    return scores[0]


def test_without_contrast_the_value_is_the_cosine_and_the_window_is_named() -> None:
    dog, cat = directions(2, 0)
    watch = Watch({})
    watch.put(query(dog, id="dog"))
    score = only_score(watch, window(dog + cat))
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
    plain, contrasted = Watch({}), Watch({})
    plain.put(query(dog))
    contrasted.put(query(dog, np.stack(others)))
    more = Watch({"audio": np.stack(others)})
    more.put(query(dog, np.stack(others)))
    a, b, c = (only_score(m, window(sound)) for m in (plain, contrasted, more))
    assert a.cosine == b.cosine == c.cosine
    assert c.value < b.value < a.cosine + 1  # the contrast may be below zero
    most = max(float(sound @ other) for other in others)
    assert b.value <= a.cosine - most + 1e-6


def test_a_window_that_shows_the_negative_scores_less_than_one_that_does_not() -> None:
    dog, television, rest = directions(3, 1)
    watch = Watch({})
    watch.put(query(dog, television[None]))
    real = only_score(watch, window(dog + 0.3 * rest))
    recorded = only_score(watch, window(dog + television))
    assert recorded.value < real.value - 0.3


def test_a_background_phrase_that_means_the_query_is_no_contrast_to_it() -> None:
    silence, other, sound = directions(3, 2)
    near = silence + 0.2 * other
    near = (near / np.linalg.norm(near)).astype(np.float32)
    assert float(near @ silence) > SAME_MEANING
    alone, beside = Watch({"audio": other[None]}), Watch({"audio": np.stack([other, near])})
    for watch in (alone, beside):
        watch.put(query(silence))
    assert only_score(alone, window(sound)).value == only_score(beside, window(sound)).value


def test_a_negative_counts_however_close_it_is_to_the_query() -> None:
    dog, sound = directions(2, 3)
    watch = Watch({})
    watch.put(query(dog, dog[None]))
    assert only_score(watch, window(sound)).value == pytest.approx(0, abs=1e-6)


def test_background_is_that_of_the_windows_own_modality() -> None:
    dog, noise, sound = directions(3, 4)
    watch = Watch({"audio": noise[None]})
    watch.put(query(dog))
    assert only_score(watch, window(sound, "door", "vision")).value == pytest.approx(
        float(dog @ sound), abs=1e-6
    )
    assert only_score(watch, window(noise)).value < -0.5


def test_phrasings_are_averaged_to_one_direction() -> None:
    dog, hound = directions(2, 5)
    watch = Watch({})
    watch.put(query(np.stack([dog, hound])))
    assert only_score(watch, window(dog + hound)).cosine == pytest.approx(1, abs=1e-6)


def test_a_vector_of_another_model_is_never_compared_and_is_counted_once() -> None:
    dog, cat = directions(2, 6)
    watch = Watch({})
    watch.put(query(dog, id="dog"))
    watch.put(query(cat, id="cat"))
    other = dataclasses.replace(window(dog), model="m2")
    assert watch.push(other)[0] == []
    assert watch.refused == 1
    assert len(watch.push(window(dog))[0]) == 2
    assert watch.refused == 1


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
    watch = Watch({})
    watch.put(query(dog, **watching))
    streams = {"mic": "audio", "door": "vision", "yard": "vision"}
    got = [s for s, m in streams.items() if watch.push(window(sound, s, m))[0]]
    assert got == heard
    assert watch.refused == 0


def test_putting_a_query_again_replaces_it_with_its_contrast() -> None:
    dog, cat, sound = directions(3, 8)
    watch = Watch({})
    watch.put(query(dog, dog[None], id="q"))
    assert only_score(watch, window(sound)).value == pytest.approx(0, abs=1e-6)
    watch.put(query(cat, id="q"))
    assert only_score(watch, window(sound)).value == pytest.approx(float(cat @ sound), abs=1e-6)
    assert [q.config.id for q in watch.queries] == ["q"]
    watch.remove("q")
    assert watch.push(window(sound)) == ([], [])


def plain_value(query: Query, background: np.ndarray, vector: np.ndarray) -> float:
    """As the module says it, one query at a time in double precision."""
    cosine = float(query.positive @ vector)
    if query.level is not None:
        return cosine - query.level
    kept = background[background @ query.positive < SAME_MEANING]
    others = np.concatenate((query.negatives, kept)).astype(np.float64) @ vector
    if not len(others):
        return cosine
    raised = np.exp((others - others.max()) / CONTRAST_TEMPERATURE)
    return cosine - float(others.max() + CONTRAST_TEMPERATURE * np.log(raised.sum()))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 7), st.integers(0, 6), st.integers(1, 4))
def test_queries_scored_side_by_side_score_as_each_alone(seed: int, q: int, b: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    background, vectors = directions(b, seed) if b else NONE, directions(n, seed + 1)
    queries = []
    for i in range(q):
        positive = directions(1, seed + 2 + i)[0]
        if b and rng.random() < 0.4:  # means one of the phrases, so that it is left out
            positive = background[rng.integers(b)]
        negatives = directions(int(rng.integers(3)), seed + 50 + i).reshape(-1, DIM)
        level = 0.3 if rng.random() < 0.2 else None
        config = QueryConfig(text="a dog")
        queries.append(Query(config, positive, NONE if level else negatives, "m1", level))
    cosines, values = Matcher(queries, background).push(vectors)
    expected = [[plain_value(query, background, v) for query in queries] for v in vectors]
    assert np.allclose(values, expected, atol=2e-5)
    assert np.allclose(cosines, [[q.positive @ v for q in queries] for v in vectors], atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-2, 2), min_size=1, max_size=50))
def test_a_share_grows_with_the_value_and_is_a_half_at_none(values: list[float]) -> None:
    found = shares(np.sort(np.array(values)))
    assert (np.diff(found) >= 0).all()
    assert ((found >= 0) & (found <= 1)).all()
    assert shares(np.zeros(1))[0] == 0.5


def test_the_share_says_how_likely_the_query_is_among_itself_and_its_contrast() -> None:
    vectors = directions(3, seed=4)
    watch = Watch({"audio": vectors[1:]})
    watch.put(query(vectors[:1]))
    assert only_score(watch, window(vectors[0])).share > 0.99
    assert only_score(watch, window(vectors[1])).share < 0.01
    alone = Watch({})
    alone.put(query(vectors[:1]))
    assert only_score(alone, window(vectors[1])).share == 1


def test_the_share_is_the_querys_part_among_itself_and_all_it_is_contrasted_with() -> None:
    dog, television, rain, sound = directions(4, 9)
    watch = Watch({"audio": rain[None]})
    watch.put(query(dog, television[None]))
    score = only_score(watch, window(sound))
    raised = np.exp(np.array([dog, television, rain]) @ sound / CONTRAST_TEMPERATURE)
    assert score.share == pytest.approx(raised[0] / raised.sum(), rel=1e-4)
    assert only_score(watch, window(dog)).share > 0.9
    assert only_score(watch, window(-dog + rain)).share < 0.01


def test_with_nothing_to_contrast_with_the_share_is_whole() -> None:
    dog, sound = directions(2, 10)
    watch = Watch({})
    watch.put(query(dog))
    assert only_score(watch, window(sound)).share == 1


def test_a_taught_query_is_contrasted_with_its_level_alone() -> None:
    beep, noise = directions(2, 11)
    watch = Watch({"audio": np.stack([noise, beep])})
    config = QueryConfig.model_validate({"text": "a beep", "modalities": "audio"})
    watch.put(Query(config, beep, NONE, "m1", level=0.4))
    for sound in (beep, noise, beep + noise):
        score = only_score(watch, window(sound))
        assert score.value == pytest.approx(score.cosine - 0.4)
        raised = math.exp((0.4 - score.cosine) / CONTRAST_TEMPERATURE)
        assert score.share == pytest.approx(1 / (1 + raised))
    assert watch.push(window(beep, "door", "vision")) == ([], [])


def test_other_background_phrases_count_from_then_on() -> None:
    dog, noise = directions(2, 12)
    watch, informed = Watch({}), Watch({"audio": noise[None]})
    for each in (watch, informed):
        each.put(query(dog))
    assert only_score(watch, window(noise)).value > -0.5
    watch.contrast_with({"audio": noise[None]})
    now, expected = (only_score(each, window(noise)) for each in (watch, informed))
    assert (now.value, now.share) == (expected.value, expected.share)
    assert now.value < -0.5
