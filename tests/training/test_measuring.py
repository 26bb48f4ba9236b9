"""Figures on held-out windows: against vectors whose ranks are known, and against chance."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bindstream.training.anchors import Anchor
from bindstream.training.material import HeldOut
from bindstream.training.measuring import Measuring
from bindstream.training.recipe import Recipe

DIM = 8


class Answers(nn.Module):
    """A tower that answers window n with row n of what it is given."""

    def __init__(self, vectors: Tensor) -> None:
        super().__init__()
        self._vectors = vectors

    def forward(self, x: Tensor) -> Tensor:
        return self._vectors[x[:, 0].long()]


def held_out(anchors: list[int]) -> HeldOut:
    return HeldOut(np.arange(len(anchors), dtype=np.float16)[:, None], np.array(anchors), 2)


def axes(kind: str, count: int, names: tuple[str, ...] = ()) -> list[Anchor]:
    rows = np.eye(DIM, dtype=np.float32)
    padded = [*names, *[""] * count]
    return [
        Anchor(rows[n : n + 1], kind, n, name=padded[n])  # type: ignore[arg-type]
        for n in range(count)
    ]


def test_ranks_give_the_figures() -> None:
    anchors = axes("vision", 6)
    answers = torch.eye(DIM)[[0, 1, 2, 3, 4, 5]].clone()
    answers[3] = torch.tensor([0.7, 0.5, 0.4, 0.3, 0, 0, 0, 0])  # its anchor is fourth
    measuring = Measuring(held_out([0, 1, 2, 3, 4, 5]), anchors, Recipe(steps=1, batch=8))
    figures = measuring(Answers(answers))  # type: ignore[arg-type]
    assert figures["r1"] == pytest.approx(5 / 6)
    assert figures["r5"] == 1.0
    assert figures["mrr"] == pytest.approx((5 + 1 / 4) / 6)
    assert "top1" not in figures
    assert measuring.chance == pytest.approx(
        {"r1": 1 / 6, "r5": 5 / 6, "mrr": float(np.mean(1 / np.arange(1, 7)))}
    )


def test_a_tower_that_answers_everything_alike_finds_nothing() -> None:
    measuring = Measuring(
        held_out([0, 1, 2, 3, 4, 5, 6]), axes("text", 7), Recipe(steps=1, batch=8)
    )
    alike = torch.full((7, DIM), DIM**-0.5)
    figures = measuring(Answers(alike))  # type: ignore[arg-type]
    assert (figures["r1"], figures["r5"]) == (0.0, 0.0)
    figures = measuring(Answers(alike * torch.nan))  # type: ignore[arg-type]
    assert (figures["r1"], figures["r5"], figures["mrr"]) == (0.0, 0.0, pytest.approx(1 / 7))


def test_random_vectors_come_out_at_chance() -> None:
    rng = np.random.default_rng(0)
    measuring = Measuring(
        held_out(list(range(8)) * 100), axes("audio", 8), Recipe(steps=1, batch=64)
    )
    answers = torch.from_numpy(rng.normal(size=(800, DIM)).astype(np.float32))
    figures = measuring(Answers(answers))  # type: ignore[arg-type]
    for name, chance in measuring.chance.items():
        assert figures[name] == pytest.approx(chance, abs=0.05)


def test_classes_are_chosen_among_all_of_them_and_kinds_apart() -> None:
    """Two held-out windows of words and one of a picture; a third class has no held-out window."""
    anchors = [*axes("text", 3, ("dog", "cat", "bird")), *axes("vision", 4)[3:]]
    answers = torch.zeros(3, DIM)
    answers[0, 0] = 1
    answers[1] = torch.tensor([0.1, 0.6, 0.8, 0, 0, 0, 0, 0])  # the class without a window
    answers[2] = torch.tensor([0.9, 0, 0, 0.1, 0, 0, 0, 0])  # words are no choice for it
    measuring = Measuring(held_out([0, 1, 3]), anchors, Recipe(steps=1, batch=8))
    figures = measuring(Answers(answers))  # type: ignore[arg-type]
    assert figures["r1"] == 1.0
    assert figures["top1"] == 0.5
    assert measuring.chance["top1"] == pytest.approx(1 / 3)
    assert measuring.chance["r1"] == pytest.approx(2 / 3 * 1 / 2 + 1 / 3)
