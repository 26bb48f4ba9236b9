"""Towers in int8: linear products and word vectors, a quarter of float32's memory.

Weights are int8 with one scale an output channel. Activations are turned to int8 as they come, one
scale a token, so that a window's vector does not depend on its company in a batch. Products are
added up exactly in int32 (torch._int_mm). Norms, attention, stem, positions and head stay in
float32: the head is small, computes one token a view, and what it rounds goes straight into the
vector (the starter's text, with 63 levels: cosine 0.9985, not 0.982).

torch's own dynamic quantisation is not used: its tensor types are deprecated as of torch 2.13, and
it takes one scale for a whole batch.
"""

from __future__ import annotations

import platform
from collections.abc import Collection

import torch
from torch import Tensor, nn

from bindstream.models.imagebind import Attention
from bindstream.models.precision import VNNI

MOST = 127
# Without VNNI oneDNN adds pairs of products, of a byte 0..255 each, in int16, which saturates
# silently unless 2 * 255 * weight < 2**15.
MOST_WITHOUT_VNNI = 63
# As platform.machine() calls x86 on Linux, macOS and Windows; "" is a machine it does not know.
X86 = ("x86_64", "amd64", "i386", "i486", "i586", "i686", "x86", "")
VALUES = 1 << 18  # quantised at a time: a vocabulary's float32 copy would outgrow the tower
TINY = 1e-12


def int8_levels(flags: Collection[str], machine: str = platform.machine()) -> int:
    """The largest int8 weight whose products a CPU adds up exactly.

    Args:
        flags: what it is known to have; of macOS and Windows nothing is (see `cpu_flags`).
        machine: as platform.machine() names it.
    """
    is_x86 = machine.lower() in X86
    return MOST_WITHOUT_VNNI if is_x86 and not any(flag in flags for flag in VNNI) else MOST


def to_int8(tower: nn.Module) -> None:
    """Put int8 layers into the place of a tower's float ones. They are on the meta device, without
    values: load a state dict of `int8_weights`."""
    for name, child in list(tower.named_children()):
        if isinstance(child, Attention):
            setattr(tower, name, Int8Attention(child))
        elif isinstance(child, nn.Linear) and name != "head":
            setattr(tower, name, Int8Linear(child))
        elif isinstance(child, nn.Embedding):
            setattr(tower, name, Int8Embedding(child))
        if not isinstance(child, nn.Linear | nn.Embedding):
            to_int8(getattr(tower, name))


def int8_weights(weight: Tensor, levels: int = MOST) -> tuple[Tensor, Tensor]:
    """(rows, n) of any float type as int8 in [-levels, levels] and scales (rows,) float32."""
    quantised = torch.empty(weight.shape, dtype=torch.int8)
    scale = torch.empty(len(weight))
    some = max(1, VALUES // weight.shape[1])
    for start in range(0, len(weight), some):
        part = slice(start, start + some)
        rows = weight[part].float()
        scale[part] = rows.abs().amax(1).clamp_(min=TINY) / levels
        quantised[part] = (rows / scale[part, None]).round_()
    return quantised, scale


def scale_name(name: str) -> str:
    """The name of the scale that belongs to an int8 weight."""
    return name.removesuffix("weight") + "scale"


def product(x: Tensor, weight: Tensor, scale: Tensor, bias: Tensor | None) -> Tensor:
    """x @ weight.T + bias: (..., n) float32 by (m, n) int8 to (..., m) float32."""
    tokens = x.reshape(-1, x.shape[-1])
    step = tokens.abs().amax(1, keepdim=True).clamp_(min=TINY) / MOST
    sums = torch._int_mm((tokens / step).round_().to(torch.int8), weight.T) * step
    sums = sums.mul_(scale) if bias is None else torch.addcmul(bias, sums, scale)
    return sums.view(*x.shape[:-1], -1)


class Int8Linear(nn.Module):
    """nn.Linear with int8 weights."""

    weight: Tensor
    scale: Tensor

    def __init__(self, like: nn.Linear) -> None:
        super().__init__()
        _add_int8(self, "weight", like.weight.shape)
        self.bias = like.bias

    def forward(self, x: Tensor) -> Tensor:
        return product(x, self.weight, self.scale, self.bias)


class Int8Embedding(nn.Module):
    """nn.Embedding with int8 weights: (...,) int64 to (..., width) float32."""

    weight: Tensor
    scale: Tensor

    def __init__(self, like: nn.Embedding) -> None:
        super().__init__()
        _add_int8(self, "weight", like.weight.shape)

    def forward(self, ids: Tensor) -> Tensor:
        return self.weight[ids] * self.scale[ids][..., None]


class Int8Attention(Attention):
    """Attention with int8 weights for its four products; its two sums over tokens are float32."""

    in_proj_scale: Tensor

    def __init__(self, like: Attention) -> None:
        width = like.out_proj.out_features
        super().__init__(width, like.heads, extra_token=like.bias_k is not None)
        del self.in_proj_weight
        _add_int8(self, "in_proj_weight", (3 * width, width))

    def project(self, x: Tensor, begin: int = 0, end: int | None = None) -> Tensor:
        weight, scale = self.in_proj_weight[begin:end], self.in_proj_scale[begin:end]
        return product(x, weight, scale, self.in_proj_bias[begin:end])


def _add_int8(module: nn.Module, name: str, shape: tuple[int, ...]) -> None:
    module.register_buffer(name, torch.empty(shape, dtype=torch.int8, device="meta"))
    module.register_buffer(scale_name(name), torch.empty(shape[0], device="meta"))
