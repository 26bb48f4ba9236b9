"""What training lessens: symmetric InfoNCE between windows and their anchors."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def contrastive_loss(
    vectors: Tensor,
    anchors: Tensor,
    wanted: Tensor,
    ignored: Tensor,
    temperature: float,
    back: float = 1.0,
) -> Tensor:
    """Windows choose among all anchors, and anchors that were wanted among the batch's windows.

    InfoNCE both ways as in ImageBind (arXiv 2305.05665, equation 1) at a fixed temperature. Windows
    that share an anchor are not each other's negatives.

    Args:
        vectors: (n, dim) units of windows. anchors: (m, dim) units.
        wanted: (n,) the anchor that each window answers to.
        ignored: (n, m) bool, anchors that are neither wanted nor wrong for a window.
        back: how much the second way counts beside the first.
    """
    logits = vectors @ anchors.T / temperature
    logits = logits.masked_fill(ignored, -1e4)
    to_anchors = F.cross_entropy(logits, wanted)
    named = torch.unique(wanted)
    columns = F.log_softmax(logits[:, named], dim=0)
    hits = (wanted[:, None] == named).float()
    to_windows = -((columns * hits).sum(0) / hits.sum(0)).mean()
    total: Tensor = to_anchors + back * to_windows
    return total
