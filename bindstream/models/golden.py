"""Golden vectors: what a tower must answer to a fixed input, so that a wrong one is noticed."""

from __future__ import annotations

import math
import zlib

import numpy as np
import torch
from torch import Tensor, nn

from bindstream.modalities import MODALITIES
from bindstream.models.sizes import TowerConfig

GOLDENS = 2  # a tower


def golden_input(config: TowerConfig) -> Tensor:
    """Two fixed inputs of the tower: (2, *model_input) float32, or (2, 77) int64 text.

    Drawn from raw generator bits, which NumPy guarantees never to change (its normals may).
    """
    shape = (GOLDENS, *MODALITIES[config.modality].model_input)
    generator = np.random.Philox(key=zlib.crc32(config.modality.encode()))
    bits = generator.random_raw(math.prod(shape)).reshape(shape)
    if config.modality == "text":
        ids = (bits % np.uint64(config.vocabulary)).astype(np.int64)
        ids[ids == config.end_id] = 0
        ids[0, 5] = ids[1, 9] = config.end_id
        return torch.from_numpy(ids)
    noise = (bits >> np.uint64(40)).astype(np.float32) / np.float32(2**24)
    if config.modality in ("thermal", "depth"):
        return torch.from_numpy(noise)  # grey in [0, 1]
    return torch.from_numpy((noise - 0.5) * np.float32(12**0.5))  # unit deviation


@torch.inference_mode()
def golden_vectors(tower: nn.Module, config: TowerConfig) -> Tensor:
    """The tower's answer to its golden input: (2, dim) float32 on the CPU."""
    weight = next(tower.parameters())
    x = golden_input(config).to(weight.device)
    if config.modality != "text":
        x = x.to(weight.dtype)
    # One by one: a wide tower's activations are what loading takes beyond the weights.
    vectors = torch.cat([tower(row[None]) for row in x])
    return vectors.float().cpu()
