"""Towers compiled by torch.compile, on request."""

from __future__ import annotations

import torch
from torch import nn

from bindstream.models.golden import golden_input
from bindstream.models.sizes import TowerConfig

MOST_SHAPES = 64  # torch's own limit, 8, is for all towers of a process together


@torch.inference_mode()
def compile_tower(tower: nn.Module, config: TowerConfig) -> nn.Module:
    """Compile a tower in place for batches of any size, and return it. Blocks for up to minutes.

    Raises:
        Exception: of many kinds: there is no C++ compiler, or it cannot compile this.
    """
    torch._dynamo.config.recompile_limit = MOST_SHAPES
    tower.compile(dynamic=True)
    rows = golden_input(config).to(next(tower.parameters()))
    # One row is a case of its own to the compiler. Whatever comes later is compiled already.
    for batch in (rows[:1], rows):
        tower(batch)
    return tower
