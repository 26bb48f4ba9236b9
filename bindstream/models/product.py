"""x @ weight.T + bias, where nine tenths of a tower's time go, by the faster of torch's libraries.

For float32 on x86 torch takes MKL, which leaves AVX-512 idle on processors that are not Intel's;
oneDNN, which torch brings too and takes for bfloat16, uses it. `bench/towers.py` measures both.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# What oneDNN wins on smaller weights (up to 160 by 640 were measured) the way to it costs again.
LEAST_WEIGHTS = 1 << 17


def _choose_onednn() -> torch._ops.OpOverload | None:
    """oneDNN's product where there is a choice, else None: torch's own then stands.

    torch does not document the operator, so it may be missing. Builds without MKL (those for ARM)
    leave no choice: they take oneDNN's kernels of themselves.
    """
    has_both = torch.backends.mkl.is_available() and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    found = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
    return found.default if has_both and found is not None else None


_onednn = _choose_onednn()


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """(..., n) to (..., m) by `weight` (m, n) and `bias` (m,); as F.linear to rounding."""
    if (
        _onednn is not None
        and weight.numel() >= LEAST_WEIGHTS
        and weight.dtype == torch.float32
        and weight.device.type == "cpu"
        and not torch.is_grad_enabled()  # the operator has no gradient
        and not torch.compiler.is_compiling()  # torch.compile chooses for itself
    ):
        out: Tensor = _onednn(x, weight, bias, "none", [], "")
        return out
    return F.linear(x, weight, bias)


class Linear(nn.Linear):
    """nn.Linear, computed by `linear`."""

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)
