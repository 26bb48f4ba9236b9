"""Narrow checkpoints, laid out as published, with seeded weights."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from bindstream.modalities import MODALITIES
from bindstream.models.published.imagebind import IMAGEBIND
from bindstream.models.published.layout import Layout
from bindstream.models.published.openclip import OPENCLIP
from bindstream.models.sizes import HUGE, TowerConfig
from bindstream.records import ModalityName


def narrowed(width: int, dim: int) -> dict[ModalityName, TowerConfig]:
    """The published towers, but of this width and dimension, with two blocks of four heads."""
    size = {"width": width, "blocks": 2, "heads": 4, "dim": dim}
    return {modality: HUGE[modality].model_copy(update=size) for modality in MODALITIES}


NARROW = narrowed(width=32, dim=24)
SCALES = {"audio": 20.0, "depth": 5.0, "thermal": 10.0, "imu": 5.0, "text": 1 / 0.07}


def imagebind(towers: Iterable[ModalityName] = NARROW, seed: int = 0) -> dict[str, Tensor]:
    """A state dict as ImageBind's."""
    state = _state(IMAGEBIND, towers, seed)
    for modality, scale in SCALES.items():
        name = IMAGEBIND.log_scales[modality]
        if name in state:
            state[name] = torch.tensor(math.log(scale))
    if "text" in towers:
        state["modality_preprocessors.text.mask"] = torch.full((77, 77), -math.inf).triu(1)
    return state


def openclip(
    towers: Iterable[ModalityName] = ("vision", "text"), seed: int = 1
) -> dict[str, Tensor]:
    """A state dict as open_clip's."""
    state = _state(OPENCLIP, towers, seed)
    state["logit_scale"] = torch.tensor(math.log(100.0))
    return state


def _state(layout: Layout, towers: Iterable[ModalityName], seed: int) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    state: dict[str, Tensor] = {}
    for modality in towers:
        for entry in layout.weights(NARROW[modality]).values():
            value = torch.randn(entry.shape, generator=draw)
            into = math.prod(entry.shape[1:]) if len(entry.shape) > 1 else 100
            norm = len(entry.shape) == 1 and entry.name.endswith("weight")
            state[entry.name] = value / math.sqrt(into) + norm
        for name, shape in layout.constants(NARROW[modality]).items():
            state[name] = torch.zeros(shape)
    return state
