"""Weights and inputs drawn from names alone, so that two implementations can be held together.

An entry of the published checkpoint is filled by NumPy's Philox generator, whose key is the CRC-32
of the entry's name; inputs are drawn the same way. Whoever fills a tower by this rule and embeds
`inputs` has to land on the same vectors, without the published weights.
"""

from __future__ import annotations

import math
import zlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bindstream.modalities import MODALITIES
from bindstream.models.imagebind import Tower
from bindstream.models.loading import CPU, blank, fill_tower
from bindstream.models.precision import Arithmetic
from bindstream.models.published.imagebind import IMAGEBIND
from bindstream.models.sizes import HUGE, TowerConfig
from bindstream.records import ModalityName

TOKENS = ("pos_embed", "cls_token", "bias_k", "bias_v", "token_embedding.weight")
END = 49407  # of CLIP's vocabulary; the start token comes before it


def normals(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Standard normals of `shape`, float32, from the CRC-32 of `name`."""
    generator = np.random.Generator(np.random.Philox(key=zlib.crc32(name.encode())))
    return generator.standard_normal(shape, dtype=np.float32)


def weight(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The values of the published entry `name`: what is learned, neither mask nor scale.

    Tokens and positions deviate by 0.2, norms by 0.1 from one and biases by 0.1 from zero; products
    by what keeps their outputs at 1.
    """
    values = normals(name, shape)  # in place from here on: a vocabulary has 200 MB
    if name.endswith(TOKENS):
        values *= 0.2
    elif len(shape) == 1:
        values *= 0.1
        values += 1.0 if name.endswith(".weight") else 0.0
    else:
        values /= np.float32(math.sqrt(math.prod(shape[1:])))
    return values


def tower(
    config: TowerConfig, device: torch.device = CPU, precision: Arithmetic = "float32"
) -> nn.Module:
    """A tower with the weights of the rule, in evaluation mode."""
    entries = IMAGEBIND.weights(config).items()
    drawn = ((ours, torch.from_numpy(weight(entry.name, entry.shape))) for ours, entry in entries)
    return fill_tower(blank(Tower, config), drawn, precision, device)


def inputs(modality: ModalityName, batch: int) -> Tensor:
    """(batch, *model_input) float32; text: token ids (batch, 77) int64 of 8, 13, 18 … tokens."""
    if modality == "text":
        return torch.cat([text(8 + 5 * row, seed=1000 + row) for row in range(batch)])
    shape = (batch, *MODALITIES[modality].model_input)
    return torch.from_numpy(normals(f"input.{modality}", shape))


def text(tokens: int, seed: int, end: int = END) -> Tensor:
    """Token ids (1, 77) int64 of a text with so many tokens, the last one `end`, then zeros."""
    ids = np.zeros((1, *MODALITIES["text"].model_input), np.int64)
    generator = np.random.Generator(np.random.Philox(key=seed))
    ids[0, :tokens] = [end - 1, *generator.integers(1, end - 1, tokens - 2), end]
    return torch.from_numpy(ids)


def small(config: TowerConfig) -> TowerConfig:
    """The tower narrowed to what is quick everywhere, with the published vocabulary."""
    return config.model_copy(update={"width": 64, "blocks": 2, "heads": 4, "dim": 32})


def sizes(*, narrowed: bool) -> dict[ModalityName, TowerConfig]:
    """The published towers' sizes, or the narrowed ones'."""
    return {m: small(config) if narrowed else config for m, config in HUGE.items()}
