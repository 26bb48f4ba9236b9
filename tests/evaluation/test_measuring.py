from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bindstream.evaluation.measuring import (
    class_scores,
    measure_map,
    measure_recall,
    measure_top1,
    sources_of,
    truth_of,
)
from bindstream.evaluation.metrics import wilson
from bindstream.evaluation.records import Item

HERE = Path("x.wav")
CLASSES = {"person": ("man", "woman"), "street": ("road",), "tree": ("oak", "elm", "fir")}


def test_a_class_scores_as_its_best_name() -> None:
    names = np.eye(6, dtype=np.float32)
    vectors = np.array([[0.1, 0.7, 0.6, 0, 0, 0.2], [0, 0, 0.3, 0.1, 0.9, 0.2]], np.float32)
    found = class_scores(vectors, names, CLASSES)
    np.testing.assert_allclose(found, [[0.7, 0.6, 0.2], [0, 0.3, 0.9]], atol=1e-6)


def test_items_may_be_of_several_classes_or_none() -> None:
    items = [Item(HERE, ("tree", "person")), Item(HERE)]
    assert truth_of(items, CLASSES).tolist() == [[True, False, True], [False] * 3]


def test_top1_with_its_folds_confusions_and_classes_nothing_is_of() -> None:
    items = [
        Item(HERE, ("person",), fold="1"),
        Item(HERE, ("person",), fold="2"),
        Item(HERE, ("person",), fold="2"),
        Item(HERE, ("street",), fold="1"),
    ]
    scores = np.array([[9, 1, 0], [1, 9, 0], [1, 9, 0], [0, 1, 9]], np.float32)
    found = measure_top1(scores, items, CLASSES, seed=0)
    (figure,) = found.figures
    assert figure == ("top-1", 1 / 4, wilson(1, 4), "Wilson")
    assert found.folds == {"1": 1 / 2, "2": 0}
    assert found.mean_class == pytest.approx((1 / 3 + 0) / 2)
    assert found.empty == 1
    assert [tuple(each) for each in found.confusions] == [
        ("person", "street", 2),
        ("street", "tree", 1),
    ]


def test_items_of_one_source_are_drawn_together() -> None:
    items = [Item(HERE, ("person",), source="a"), Item(HERE, ("person",), source="a"), Item(HERE)]
    assert len(set(sources_of(items))) == 2
    found = measure_top1(np.ones((3, 3), np.float32), items, CLASSES, seed=0)
    assert found.figures[0].method == "bootstrap"


def test_mean_average_precision_leaves_out_classes_without_items() -> None:
    items = [Item(HERE, ("person",)), Item(HERE, ("person", "street")), Item(HERE, ("street",))]
    scores = np.array([[3, 3, 0], [2, 2, 0], [1, 1, 0]], np.float32)
    found = measure_map(scores, items, CLASSES, seed=0)
    # person is at ranks 1 and 2; street at 2 and 3: (1/2 + 2/3) / 2.
    assert found.figures[0].value == pytest.approx((1 + (1 / 2 + 2 / 3) / 2) / 2)
    assert found.empty == 1


def test_recall_is_measured_for_each_way_and_each_text() -> None:
    items = [Item(HERE, captions=("a", "b")), Item(HERE, captions=("c",))]
    vectors = np.eye(2, dtype=np.float32)
    texts = np.array([[1, 0], [0, 1], [0, 1]], np.float32)
    found = measure_recall({"vision": vectors, "both": vectors[::-1]}, texts, items, seed=0)
    assert {figure.metric: figure.value for figure in found.figures} == {
        "R@1 vision": pytest.approx(2 / 3),
        "R@10 vision": 1,
        "R@1 both": pytest.approx(1 / 3),
        "R@10 both": 1,
    }
    assert {figure.method for figure in found.figures} == {"bootstrap"}
    single = measure_recall({"": vectors}, texts[:2], items[:1], seed=0)
    assert [figure.metric for figure in single.figures] == ["R@1", "R@10"]
