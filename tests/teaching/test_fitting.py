"""Fitting: what a query becomes of vectors, with and without negatives and words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindstream.errors import DataError
from bindstream.matcher import CONTRAST_TEMPERATURE
from bindstream.teaching.fitting import ALONE, BELOW_EXAMPLES, PULLS, fit

DIM = 32
NONE = np.zeros((0, DIM), np.float32)


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def around(centre: np.ndarray, n: int, seed: int, spread: float = 0.5) -> np.ndarray:
    """`n` unit vectors about a direction."""
    rng = np.random.default_rng(seed)
    return unit(centre + spread * rng.standard_normal((n, DIM)) / np.sqrt(DIM))


def directions(n: int, seed: int) -> np.ndarray:
    return unit(np.random.default_rng(seed).standard_normal((n, DIM)))


def test_without_negatives_the_query_is_the_mean_of_the_examples() -> None:
    examples = around(directions(1, 0)[0], 5, seed=1)
    made = fit(examples, NONE)
    np.testing.assert_allclose(made.vector, unit(examples.mean(axis=0)), atol=1e-6)
    assert made.pull is None
    assert made.vector.dtype == np.float32
    expected = [
        row @ unit(np.delete(examples, i, axis=0).mean(axis=0)) for i, row in enumerate(examples)
    ]
    np.testing.assert_allclose(made.positive_scores, expected, atol=1e-6)
    assert made.level == pytest.approx(np.mean(expected) - BELOW_EXAMPLES, abs=1e-6)


def test_of_a_single_example_a_new_one_is_expected_to_score_less() -> None:
    (example,) = directions(1, 2)
    made = fit(example[None], NONE)
    np.testing.assert_allclose(made.vector, example, atol=1e-6)
    assert made.positive_scores == pytest.approx([1 - ALONE])
    assert made.level == pytest.approx(1 - ALONE - BELOW_EXAMPLES)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 5), st.integers(0, 6), st.booleans())
def test_the_order_of_files_changes_nothing(seed: int, n: int, m: int, worded: bool) -> None:
    rows = directions(n + m + 2, seed)
    base, words, rest = rows[0], rows[1], rows[2:]
    examples, negatives = unit(base + rest[:n]), unit(0.5 * base + rest[n:])
    told = words if worded else None
    made = fit(examples, negatives, told)
    rng = np.random.default_rng(seed)
    order, order_not = rng.permutation(n), rng.permutation(m)
    other = fit(examples[order], negatives[order_not], told)
    assert made.vector.tobytes() == other.vector.tobytes()
    assert (made.level, made.pull) == (other.level, other.pull)
    np.testing.assert_array_equal(made.positive_scores[order], other.positive_scores)
    np.testing.assert_array_equal(made.negative_scores[order_not], other.negative_scores)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 6))
def test_negatives_are_told_apart_better_with_them_than_without(seed: int, n: int) -> None:
    base, one, two = directions(3, seed)
    examples = around(unit(base + 0.6 * one), n, seed + 1)
    negatives = around(unit(base + 0.6 * two), 6, seed + 2)
    new, new_not = (
        around(unit(base + 0.6 * one), 40, seed + 3),
        around(unit(base + 0.6 * two), 40, seed + 4),
    )

    def gap(vector: np.ndarray) -> float:
        return float((new @ vector).mean() - (new_not @ vector).mean())

    with_them, without = fit(examples, negatives), fit(examples, NONE)
    assert with_them.pull in PULLS
    assert gap(with_them.vector) > gap(without.vector)
    assert np.linalg.norm(with_them.vector) == pytest.approx(1, abs=1e-5)


def test_what_is_neither_does_not_pass_for_an_example() -> None:
    base, one, two = directions(3, 7)
    examples, negatives = around(base + 0.6 * one, 4, 8), around(base + 0.6 * two, 4, 9)
    made = fit(examples, negatives)
    strangers = directions(200, 10)
    assert (made.shares(strangers @ made.vector) < 0.3).mean() > 0.98
    assert made.shares(made.positive_scores).min() > 0.3


def test_a_file_that_is_no_example_is_the_one_that_scores_least() -> None:
    base, other = directions(2, 11)
    examples = np.concatenate((around(base, 4, 12), other[None]))
    made = fit(examples, NONE)
    assert made.positive_scores.argmin() == 4
    assert made.shares(made.positive_scores)[4] < 0.3 < made.shares(made.positive_scores)[:4].min()


def test_words_move_the_query_by_their_weight() -> None:
    examples, words = around(directions(1, 13)[0], 3, 14), directions(1, 15)[0]
    plain = fit(examples, NONE).vector
    cosines = [float(fit(examples, NONE, words, w).vector @ words) for w in (0.1, 0.5, 0.9)]
    assert float(plain @ words) < cosines[0] < cosines[1] < cosines[2] < 1
    half = fit(examples, NONE, words, 0.5).vector
    np.testing.assert_allclose(half, unit(plain + words), atol=1e-6)


def test_negatives_that_score_high_raise_the_level_to_half_way() -> None:
    base, one, two = directions(3, 16)
    examples, near = around(base + 0.1 * one, 4, 17, 0.1), around(base + 0.5 * two, 3, 18, 0.1)
    made = fit(examples, near)
    half_way = (made.positive_scores.mean() + made.negative_scores.mean()) / 2
    assert made.level == pytest.approx(half_way)
    assert made.level > made.positive_scores.mean() - BELOW_EXAMPLES


def test_a_share_is_one_half_at_the_level_and_as_soft_as_the_matchers() -> None:
    made = fit(around(directions(1, 19)[0], 3, 20), NONE)
    scores = made.level + np.array([0.0, CONTRAST_TEMPERATURE, -10.0])
    assert made.shares(scores) == pytest.approx([0.5, 1 / (1 + np.exp(-1)), 0.0], abs=1e-9)


def test_nothing_to_learn_from_and_examples_that_cancel_out_are_refused() -> None:
    (one,) = directions(1, 21)
    with pytest.raises(DataError, match="no example"):
        fit(NONE, NONE)
    with pytest.raises(DataError, match=r"cancel out.*a query each"):
        fit(np.stack([one, -one]), NONE)


def test_of_many_files_each_is_still_scored_without_itself() -> None:
    base, other = directions(2, 22)
    examples, negatives = around(base, 90, 23), around(other, 50, 24)
    odd = np.concatenate((examples, other[None]))
    made = fit(odd, negatives)
    assert (made.positive_scores.shape, made.negative_scores.shape) == ((91,), (50,))
    assert made.positive_scores.argmin() == 90
    assert made.shares(made.positive_scores)[:90].min() > 0.3
    assert made.shares(made.negative_scores).max() < 0.3
