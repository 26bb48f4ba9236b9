"""Where a tower starts from: filters and places that real windows suggest, trained attention."""

from __future__ import annotations

import copy
import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from bindstream.models.imagebind import Attention, Tower


def begin(tower: Tower, x: NDArray[np.float32]) -> None:
    """Starts a tower from windows `x`, (n, *model_input): its stem, its places, its attention."""
    whiten_stem(tower, x)
    mimic_trained_attention(tower)


def whiten_stem(tower: Tower, x: NDArray[np.float32]) -> None:
    """Starts the patch stem from the principal components of real patches, and places from waves.

    From random weights a small tower spends much of a short training on finding these. A third of
    vision's filters see what changes from its first frame to its second: that varies little, so
    that no plain principal component would show it.
    """
    config, weight = tower.config, tower.stem.weight
    still = config.width
    with torch.no_grad():
        patches = _patches(tower, torch.from_numpy(x))
        if config.modality == "vision":
            still -= still // 3
            frames = patches.reshape(len(patches), 3, 2, -1)
            change = _principal((frames[:, :, 1] - frames[:, :, 0]).flatten(1), config.width // 3)
            change = change.reshape(len(change), 3, -1)
            weight[still:] = torch.stack([-change, change], 2).reshape(weight[still:].shape)
        found = _principal(patches, still)
        weight[: len(found)] = found.reshape(-1, *weight.shape[1:])
        tower.pos_embed[:, 1:] = 0.1 * _waves(config.patches, config.width, config.modality)


def mimic_trained_attention(tower: Tower) -> None:
    """Starts attention as it looks in trained transformers (Trockman & Kolter, arXiv 2305.09828).

    Tokens look at those like them (queries times keys near +0.7 I), and what they bring is taken
    off (values times projection near -0.4 I). Small data does not teach a transformer this.
    """
    width, heads = tower.config.width, tower.config.heads
    size, eye = width // heads, torch.eye(width)
    with torch.no_grad():
        for block in tower.blocks:
            attention = block.attn
            assert isinstance(attention, Attention)
            weight = attention.in_proj_weight
            for head in range(heads):
                noise = torch.randn(width, width) / math.sqrt(width)
                u, spread, v = torch.linalg.svd(0.7 * noise + 0.7 * eye)
                rows, root = slice(head * size, (head + 1) * size), spread[:size, None].sqrt()
                weight[:width][rows] = root * u[:, :size].T
                weight[width : 2 * width][rows] = root * v[:size]
            noise = torch.randn(width, width) / math.sqrt(width)
            u, spread, v = torch.linalg.svd(0.4 * noise - 0.4 * eye)
            weight[2 * width :] = spread[:, None].sqrt() * v
            attention.out_proj.weight.copy_(u * spread.sqrt())


def _patches(tower: Tower, x: Tensor) -> Tensor:
    """Up to 12,000 random patches of the inputs, as rows that the stem's weight multiplies."""
    stem = copy.deepcopy(tower.stem)
    stem.norm = nn.Identity()
    size = stem.weight.flatten(1).shape[1]
    stem.weight = nn.Parameter(torch.eye(size).reshape(size, *stem.weight.shape[1:]))
    patches: Tensor = stem(x, None).flatten(0, 1)
    return patches[torch.randperm(len(patches))[:12000]]


def _principal(rows: Tensor, count: int) -> Tensor:
    """The first `count` principal components as filters of about unit response, (count, n)."""
    centred = rows - rows.mean(0)
    _, spread, axes = torch.svd_lowrank(centred, q=min(count, rows.shape[1]), niter=3)
    deviation = (spread / math.sqrt(len(centred))).clamp(min=1e-4)
    return axes.T / (deviation[:, None] + 0.05 * deviation[0])


def _waves(patches: int, width: int, modality: str) -> Tensor:
    """Sines and cosines of a patch's row and column, (patches, width)."""
    columns = {"imu": patches, "audio": 12}.get(modality, round(math.sqrt(patches)))
    columns = columns if patches % columns == 0 else patches
    row, column = torch.arange(patches) // columns, torch.arange(patches) % columns
    turns = torch.pi * torch.exp(-torch.arange(width // 4) / (width // 4) * math.log(50.0))
    parts = [f(p[:, None] * turns) for p in (row, column) for f in (torch.sin, torch.cos)]
    return F.pad(torch.cat(parts, 1), (0, width - 4 * (width // 4)))
