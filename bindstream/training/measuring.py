"""How well a tower finds the anchors of windows whose sources it was never trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from bindstream.models.imagebind import Tower
from bindstream.training.anchors import Anchor, Vectors
from bindstream.training.loss import contrastive_loss
from bindstream.training.material import HeldOut
from bindstream.training.recipe import Recipe

BATCH = 32  # windows at a time
FIGURES = ("held_out_loss", "r1", "r5", "mrr", "top1")
"""All but the loss are shares in [0, 1]. r1 and r5: the anchor is the first, or among the first
five, of all held-out anchors of its kind, by cosine; mrr: one over its rank, on average; top1: the
class is the first of all classes, where classes are given."""


@dataclass(frozen=True)
class _Gallery:
    """Vectors (m, dim) to choose from; for each of some windows (`rows`) which one is right."""

    rows: NDArray[np.intp]
    vectors: Vectors
    right: NDArray[np.intp]

    @property
    def size(self) -> int:
        return len(self.vectors)


class Measuring:
    """Measures towers on the same held-out windows. `chance` is what guessing gives."""

    def __init__(self, held_out: HeldOut, anchors: Sequence[Anchor], recipe: Recipe) -> None:
        self._held_out, self._recipe = held_out, recipe
        numbers = held_out.anchors
        kinds = np.array([anchors[number].kind for number in numbers])
        self._galleries = [
            _gallery(np.flatnonzero(kinds == kind), numbers, anchors) for kind in np.unique(kinds)
        ]
        self._middles = {int(n): anchors[n].middle for n in np.unique(numbers)}
        self._classes = _classes(numbers, anchors)
        self.chance = self._chance()

    @torch.inference_mode()
    def __call__(self, tower: Tower) -> Mapping[str, float]:
        """The figures of `FIGURES`, top1 where there are classes. Blocks."""
        inputs = self._held_out.inputs
        parts = [inputs[start : start + BATCH] for start in range(0, len(inputs), BATCH)]
        vectors = torch.cat([tower(torch.from_numpy(part.astype(np.float32))) for part in parts])
        found = vectors.numpy()
        ranks = np.zeros(len(found), np.int64)
        for gallery in self._galleries:
            ranks[gallery.rows] = _ranks(found, gallery)
        figures = {
            "held_out_loss": self._loss(vectors),
            "r1": float(np.mean(ranks <= 1)),
            "r5": float(np.mean(ranks <= 5)),
            "mrr": float(np.mean(1 / ranks)),
        }
        if self._classes is not None:
            figures["top1"] = float(np.mean(_ranks(found, self._classes) == 1))
        return figures

    def _loss(self, vectors: torch.Tensor) -> float:
        """The mean over batches as large as those of the training, so that both can be compared."""
        order = np.random.default_rng(0).permutation(len(vectors))
        losses, sizes = [], []
        for start in range(0, len(order), self._recipe.batch):
            rows = order[start : start + self._recipe.batch]
            there, wanted = np.unique(self._held_out.anchors[rows], return_inverse=True)
            anchors = torch.from_numpy(np.stack([self._middles[int(n)] for n in there]))
            ignored = torch.zeros(len(rows), len(there), dtype=torch.bool)
            loss = contrastive_loss(
                vectors[torch.from_numpy(rows)], anchors, torch.from_numpy(wanted), ignored,
                self._recipe.temperature, self._recipe.back,
            )  # fmt: skip
            losses.append(loss.item())
            sizes.append(len(rows))
        return float(np.average(losses, weights=sizes))

    def _chance(self) -> dict[str, float]:
        n = len(self._held_out.anchors)
        chance = {"r1": 0.0, "r5": 0.0, "mrr": 0.0}
        for gallery in self._galleries:
            share, size = len(gallery.rows) / n, gallery.size
            chance["r1"] += share / size
            chance["r5"] += share * min(5 / size, 1)
            chance["mrr"] += share * float(np.mean(1 / np.arange(1, size + 1)))
        if self._classes is not None:
            chance["top1"] = 1 / self._classes.size
        return chance


def _gallery(
    rows: NDArray[np.intp], numbers: NDArray[np.int64], anchors: Sequence[Anchor]
) -> _Gallery:
    there, right = np.unique(numbers[rows], return_inverse=True)
    return _Gallery(rows, np.stack([anchors[n].middle for n in there]), right)


def _classes(numbers: NDArray[np.int64], anchors: Sequence[Anchor]) -> _Gallery | None:
    """All classes to choose from, those without a held-out window too; None if none is given."""
    known = [number for number, anchor in enumerate(anchors) if anchor.name]
    rows = np.flatnonzero(np.isin(numbers, known))
    if not len(rows):
        return None
    right = np.searchsorted(known, numbers[rows])
    return _Gallery(rows, np.stack([anchors[number].middle for number in known]), right)


def _ranks(vectors: Vectors, gallery: _Gallery) -> NDArray[np.int64]:
    """The rank from 1 of what is right; of equals it is the last, so that a tower which answers
    everything alike, or with NaN, finds nothing."""
    cosines = vectors[gallery.rows] @ gallery.vectors.T
    right = cosines[np.arange(len(cosines)), gallery.right]
    return np.asarray((~(cosines < right[:, None])).sum(axis=1))
