"""The last step of a tower: its head fitted again, to recordings as they are.

Training windows are mixed, masked and turned, which is good for what a tower sees and bad for how
surely it says so. With all but the head held fast, its features of recordings as they were made
have the last word on where they lie among the words.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from bindstream.models.imagebind import Tower
from bindstream.training.starter.bank import Bank, Labels

AS_RECORDED = 0.75
"""Weight of recordings, as they are and in rooms, among all windows; the rest are training windows,
which hold what was rendered and nothing in particular. On ESC-10's held-out fold, before rooms
were among them, 0.5 gave 0.89, 0.75 0.93."""
BALANCE = 1.0
"""A label of n recordings counts n to the power of minus this: rare ones as much as common ones."""
BROADER = 0.5
"""How much it counts that a window is also answered by what its labels are (a car is a vehicle)."""
PULL = 1e-3
"""How strongly the head is held to what it was."""
STEPS = 300
RATE = 3e-3
TEMPERATURE = 0.07
BATCH = 64


@dataclass(frozen=True)
class Seen:
    """Windows (n, *model_input) of one recording or one training batch, and each one's labels."""

    inputs: NDArray[np.float32]
    labels: Sequence[Labels]


def fit_head(
    tower: Tower, recorded: Iterable[Seen], drawn: Iterable[Seen], bank: Bank
) -> tuple[float, float]:
    """Fits the head of `tower`; everything before it stays.

    Args:
        recorded: windows of recordings as they are; each recording counts once.
        drawn: training windows.

    Returns:
        The loss before and after.
    """
    tower.eval()
    features, labels, weights = [], [], []
    for share, part in ((AS_RECORDED, recorded), (1 - AS_RECORDED, drawn)):
        here = [(_features(tower, seen.inputs), seen.labels) for seen in part]
        if not here:
            continue
        each = torch.cat([torch.full((len(f),), 1 / len(f)) for f, _ in here])
        weights.append(share * each / each.sum())
        features += [f for f, _ in here]
        labels += [label for _, some in here for label in some]
    x, weight = torch.cat(features), torch.cat(weights) * _balance(labels)
    wanted, ignored = _wanted(labels, bank)
    words = F.normalize(bank.vectors.mean(1), dim=-1)
    start = tower.head.weight.detach().clone()
    head = start.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([head], lr=RATE)
    losses: list[float] = []
    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = RATE * (0.5 + 0.5 * math.cos(math.pi * step / STEPS))
        logits = F.normalize(x @ head.T, dim=1) @ words.T / TEMPERATURE
        chosen = F.log_softmax(logits.masked_fill(ignored, -1e4), dim=1)
        right = (chosen * wanted).sum(1) / wanted.sum(1)
        value = -(weight * right).sum() / weight.sum()
        total = value + PULL * (head - start).square().sum()
        optimiser.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(value.item())
    with torch.no_grad():
        tower.head.weight.copy_(head)
    return losses[0], losses[-1]


def _features(tower: Tower, inputs: NDArray[np.float32]) -> Tensor:
    """What the head is given of each window, (n, width)."""
    found: list[Tensor] = []
    hook = tower.head_norm.register_forward_hook(lambda module, given, out: found.append(out))
    try:
        with torch.no_grad():
            for start in range(0, len(inputs), BATCH):
                tower(torch.from_numpy(inputs[start : start + BATCH]))
    finally:
        hook.remove()
    return torch.cat(found)


def _balance(labels: Sequence[Labels]) -> Tensor:
    """How much each window's labels count: rare ones more."""
    counts = Counter(name for some in labels for name in some)
    means = [np.mean([counts[name] for name in some]) for some in labels]
    return torch.tensor(np.power(means, -BALANCE), dtype=torch.float32)


def _wanted(labels: Sequence[Labels], bank: Bank) -> tuple[Tensor, Tensor]:
    """(n, concepts): how much a window is to answer each concept; and which are not to count."""
    wanted = torch.zeros(len(labels), len(bank.names))
    ignored = torch.zeros(len(labels), len(bank.names), dtype=torch.bool)
    for row, shown in enumerate(labels):
        places = [bank.index[name] for name in shown]
        for place in places:
            wanted[row, bank.broader[place]] = BROADER
            ignored[row] |= bank.related[place]
        wanted[row, places] = 1
    return wanted, ignored & (wanted == 0)
