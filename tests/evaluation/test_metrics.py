"""Metrics against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bindstream.evaluation.metrics import (
    average_precision,
    bootstrap_map,
    bootstrap_share,
    mean_average_precision,
    mean_class_accuracy,
    recall_hits,
    top1_hits,
    wilson,
)


def floats(rows: list[list[float]]) -> np.ndarray:
    return np.array(rows, np.float32)


def flags(rows: list[list[int]]) -> np.ndarray:
    return np.array(rows, np.bool_)


def test_top1_is_a_hit_only_if_a_right_class_beats_all_wrong_ones() -> None:
    scores = floats([[0.9, 0.1, 0.0], [0.2, 0.3, 0.1], [0.4, 0.4, 0.1], [0.1, 0.2, 0.3]])
    truth = flags([[1, 0, 0], [1, 0, 0], [1, 0, 0], [1, 0, 1]])
    assert top1_hits(scores, truth).tolist() == [True, False, False, True]


def test_mean_class_accuracy_counts_every_class_that_has_items_alike() -> None:
    truth = flags([[1, 0, 0]] * 4 + [[0, 1, 0]])
    hits = np.array([True, True, True, False, False])
    assert mean_class_accuracy(hits, truth) == pytest.approx((3 / 4 + 0) / 2)
    assert math.isnan(mean_class_accuracy(hits, np.zeros((5, 2), np.bool_)))


def test_average_precision_is_the_mean_precision_at_the_items_of_a_class() -> None:
    # From best to worst: right, wrong, right, wrong: precisions 1/1 and 2/3.
    scores = floats([[0.9], [0.7], [0.5], [0.3]])
    truth = flags([[1], [0], [1], [0]])
    assert average_precision(scores, truth) == pytest.approx([(1 + 2 / 3) / 2])
    # The other way round: right items come second and fourth, 1/2 and 2/4.
    assert average_precision(-scores, truth) == pytest.approx([(1 / 2 + 2 / 4) / 2])


def test_a_class_without_items_has_no_average_precision_and_no_part_in_the_mean() -> None:
    scores = floats([[0.9, 0.1, 0.5], [0.1, 0.9, 0.5]])
    truth = flags([[1, 1, 0], [0, 0, 0]])
    found = average_precision(scores, truth)
    assert found[:2] == pytest.approx([1, 1 / 2])
    assert math.isnan(found[2])
    assert mean_average_precision(scores, truth) == pytest.approx(3 / 4)
    assert math.isnan(mean_average_precision(scores, np.zeros((2, 3), np.bool_)))


def test_an_item_taken_twice_counts_as_two() -> None:
    scores = floats([[0.9], [0.7], [0.5]])
    truth = flags([[0], [1], [1]])
    # From best to worst: wrong twice, right, right: 1/3 and 2/4.
    counted = average_precision(scores, truth, np.array([2, 1, 1]))
    assert counted == pytest.approx([(1 / 3 + 2 / 4) / 2])
    left_out = average_precision(scores, truth, np.array([0, 1, 1]))
    assert left_out == pytest.approx([1])


def test_recall_counts_texts_whose_item_is_among_the_best() -> None:
    scores = floats([[0.9, 0.5, 0.1], [0.9, 0.5, 0.1], [0.1, 0.2, 0.3], [0.5, 0.5, 0.1]])
    owners = np.array([0, 1, 0, 0])
    assert recall_hits(scores, owners, 1).tolist() == [True, False, False, False]  # a tie is none
    assert recall_hits(scores, owners, 2).tolist() == [True, True, False, True]
    assert recall_hits(scores, owners, 3).all()


def test_wilsons_interval_is_the_published_one() -> None:
    # Newcombe 1998, table I: 81 of 263, and 0 of 20 with its end at z²/(n + z²).
    low, high = wilson(81, 263)
    assert (low, high) == (pytest.approx(0.2553, abs=1e-4), pytest.approx(0.3662, abs=1e-4))
    assert wilson(0, 20) == (0.0, pytest.approx(3.8415 / 23.8415, abs=1e-4))
    assert wilson(20, 20) == (pytest.approx(20 / 23.8415, abs=1e-4), 1.0)
    assert wilson(0, 0) == (0.0, 1.0)


def test_items_of_one_source_widen_the_interval() -> None:
    rng = np.random.default_rng(1)
    of_source = rng.random(50) < 0.5
    hits = np.repeat(of_source, 20)
    alone = bootstrap_share(hits, np.arange(1000), seed=3)
    grouped = bootstrap_share(hits, np.repeat(np.arange(50), 20), seed=3)
    share = hits.mean()
    assert alone.low < share < alone.high
    assert grouped.low < share < grouped.high
    # 1000 independent items against 50: √20 times as wide, give or take.
    assert 3 < (grouped.high - grouped.low) / (alone.high - alone.low) < 6
    assert grouped == bootstrap_share(hits, np.repeat(np.arange(50), 20), seed=3)


def test_the_interval_of_independent_items_is_near_wilsons() -> None:
    hits = np.arange(400) % 4 == 0
    found, due = bootstrap_share(hits, np.arange(400), seed=0), wilson(100, 400)
    assert found == pytest.approx(due, abs=0.01)


def test_the_interval_of_a_mean_average_precision_holds_it() -> None:
    rng = np.random.default_rng(2)
    truth = rng.random((120, 5)) < 0.3
    scores = (truth + rng.normal(0, 1, truth.shape)).astype(np.float32)
    value = mean_average_precision(scores, truth)
    low, high = bootstrap_map(scores, truth, np.arange(120), seed=0)
    assert 0.3 < low < value < high < 1
    assert high - low < 0.3


def test_one_source_says_nothing_of_others() -> None:
    hits, one = np.array([True, True, False]), np.zeros(3, np.int64)
    assert bootstrap_share(hits, one, seed=0) == (0, 1)
    truth = flags([[1], [0], [1]])
    assert bootstrap_map(floats([[0.9], [0.7], [0.5]]), truth, one, seed=0) == (0, 1)
