"""The text tower, first of all: phrasings of one concept together, concepts apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from bindstream.models.imagebind import Tower
from bindstream.models.tokenizer import Tokenizer
from bindstream.training.recipe import Recipe
from bindstream.training.starter.bank import Bank
from bindstream.training.starter.phrases import concepts, related, worded
from bindstream.training.trainer import Descent, Watch, stored

RIDGE = 0.0005  # of the closed-form head, as a share of the phrases' variance per dimension


def train_text(
    tower: Tower,
    tokenizer: Tokenizer,
    recipe: Recipe,
    seed: int,
    watch: Watch,
    checkpoint: Path,
    *,
    resume: bool,
) -> None:
    """Trains `tower` until phrasings of one concept lie together and concepts lie apart.

    With `resume` it goes on from `checkpoint`; what is finished is only read.
    """
    rng = np.random.default_rng(seed)
    names = tuple(concepts())
    near = torch.zeros(len(names), len(names), dtype=torch.bool)
    for i, name in enumerate(names):
        near[i, [names.index(other) for other in related(name)]] = True
    near.fill_diagonal_(False)
    far = ~(near | torch.eye(len(names), dtype=torch.bool))

    def loss(progress: float) -> Tensor:
        two = [
            tower(torch.from_numpy(tokenizer.encode([worded(n, rng) for n in names])))
            for _ in range(2)
        ]
        cosines = two[0] @ two[1].T
        logits = (cosines / recipe.temperature).masked_fill(near, -1e4)
        own = torch.arange(len(names))
        # Cross-entropy is content once a concept is its own best match; alerts need unrelated ones
        # at a cosine near 0, and what may be true at once half way.
        spread = (cosines[far] ** 2).mean() + 0.2 * ((cosines[near] - 0.5) ** 2).mean()
        total: Tensor = F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own) + 20 * spread
        return total

    state = stored(checkpoint, tower) if resume and checkpoint.is_file() else None
    Descent(tower, recipe, checkpoint, state).run(
        loss,
        len(names),
        watch,
        finish=lambda: spread_concepts(tower, tokenizer, seed + 4),
    )


def spread_concepts(tower: Tower, tokenizer: Tokenizer, seed: int, ways: int = 40) -> None:
    """Sets the text tower's head in closed form, so that concepts lie as far apart as they should.

    Least squares from phrases to targets at a cosine of 0 where concepts are unrelated and of 0.5
    where both may be true at once. Gradient descent gets there too, in many times as long.
    """
    bank = Bank(tower, tokenizer, ways, seed)
    near = bank.related.float()
    wanted = 0.5 * near + 0.5 * torch.eye(len(near))
    values, axes = torch.linalg.eigh(wanted)
    targets = F.normalize(axes * values.clamp(min=1e-3).sqrt(), dim=1)
    x = bank.vectors.flatten(0, 1)
    y = F.pad(targets, (0, x.shape[1] - targets.shape[1])).repeat_interleave(ways, 0)
    ridge = RIDGE * len(x) / x.shape[1]
    gram = x.T @ x + ridge * torch.eye(x.shape[1])
    turn = torch.linalg.solve(gram, x.T @ y).T
    with torch.no_grad():
        tower.head.weight.copy_(turn @ tower.head.weight)
