"""Drop path and head dropout for the time of a training: hooks, so that towers stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bindstream.models.imagebind import Block, Tower


@contextmanager
def dropping(tower: Tower, path: float, head: float = 0.0) -> Iterator[None]:
    """While inside, `tower` in training mode leaves out residual branches and values of its head.

    Args:
        path: the last block's share of branches left out, in [0, 1); it grows from 0 at the first
            block, as in the published code ("progressive" drop path, arXiv 1603.09382).
        head: the share of values before the last projection set to 0, in [0, 1).
    """
    hooks = []
    last = max(len(tower.blocks) - 1, 1)
    for index, block in enumerate(tower.blocks):
        share = path * index / last
        assert isinstance(block, Block)
        if share:
            hooks += [m.register_forward_hook(_branch(share)) for m in (block.attn, block.mlp)]
    if head:
        hooks.append(tower.head_norm.register_forward_hook(_values(head)))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _branch(share: float) -> Callable[[nn.Module, Any, Tensor], Tensor]:
    """Leaves the branch out for a share of the batch, and scales the others up in return."""

    def hook(module: nn.Module, given: Any, out: Tensor) -> Tensor:
        if not module.training:
            return out
        kept = torch.rand(len(out), 1, 1, device=out.device) >= share
        return out * kept.to(out.dtype) / (1 - share)

    return hook


def _values(share: float) -> Callable[[nn.Module, Any, Tensor], Tensor]:
    def hook(module: nn.Module, given: Any, out: Tensor) -> Tensor:
        return F.dropout(out, share, module.training)

    return hook
