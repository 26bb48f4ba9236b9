"""ImageBind's towers (arXiv 2305.05665): one transformer a modality into one joint space.

Reads top to bottom: stem, attention, block, tower. What differs from a plain ViT:

- each patch stem but vision's ends in a LayerNorm, vision alone has one before its blocks;
- audio, thermal, depth and IMU attend to one more, learned, key and value (`bias_k`, `bias_v`);
- text is causal and leaves at its end token, the others at a CLS token;
- every tower ends LayerNorm -> leaving token -> Linear without bias -> unit length.

Two savings are exact: the last block computes the leaving token alone, and text is computed up to
the longest end token of the batch only. The fixed scales that the published code multiplies onto
its vectors are not applied: vectors here are of unit length.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bindstream.models.product import Linear, linear
from bindstream.models.sizes import TowerConfig


class Stem(nn.Module):
    """Patches to tokens: (B, *model_input) to (B, patches, width).

    The weight is shaped as a convolution's, but applied as one product: several times faster than
    torch's Conv3d on a CPU, and patches that are not kept are never computed.
    """

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.patch, self.stride = config.patch, config.stride
        self.over_time = config.modality == "imu"
        self.weight = nn.Parameter(torch.empty(config.width, *config.patch_shape))
        has_norm = config.modality != "vision"
        self.norm = nn.LayerNorm(config.width) if has_norm else nn.Identity()

    def forward(self, x: Tensor, keep: Tensor | None) -> Tensor:
        x = x.unfold(-1, self.patch, self.stride)
        if self.over_time:
            patches = x.movedim(2, 1).flatten(2)  # (B, 6, n, patch) to (B, n, 6 * patch)
        else:
            x = x.unfold(-3, self.patch, self.stride)  # (B, channels, rows, columns, patch, patch)
            patches = x.movedim((-4, -3), (1, 2)).transpose(-2, -1).flatten(3).flatten(1, 2)
        if keep is not None:
            patches = _gather(patches, keep)
        out: Tensor = self.norm(linear(patches, self.weight.flatten(1)))
        return out


class Attention(nn.Module):
    """Multi-head attention; parameters are named as in torch's own MultiheadAttention."""

    bias_k: nn.Parameter | None
    bias_v: nn.Parameter | None

    def __init__(self, width: int, heads: int, *, extra_token: bool) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.bias_k = nn.Parameter(torch.zeros(1, 1, width)) if extra_token else None
        self.bias_v = nn.Parameter(torch.zeros(1, 1, width)) if extra_token else None
        self.out_proj = Linear(width, width)

    def forward(self, x: Tensor, leaving: Tensor | None, causal: bool) -> Tensor:
        """(B, T, width) to the same, or to (B, 1, width) for the token at `leaving` (B,) alone."""
        width, mask = x.shape[-1], None
        if leaving is None:
            q, k, v = self.project(x).chunk(3, dim=-1)
        else:
            one = _pick(x, leaving)
            q = self.project(one, end=width)
            k, v = self.project(x, begin=width).chunk(2, dim=-1)
            if causal:
                places = torch.arange(x.shape[1], device=x.device)
                mask = (places <= leaving[:, None])[:, None, None]  # (B, 1, 1, T)
        if self.bias_k is not None and self.bias_v is not None:
            k = torch.cat([k, self.bias_k.expand(len(x), 1, width)], dim=1)
            v = torch.cat([v, self.bias_v.expand(len(x), 1, width)], dim=1)
        q, k, v = (t.view(*t.shape[:2], self.heads, -1).transpose(1, 2) for t in (q, k, v))
        seen = F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, is_causal=causal and leaving is None
        )
        out: Tensor = self.out_proj(seen.transpose(1, 2).flatten(2))
        return out

    def project(self, x: Tensor, begin: int = 0, end: int | None = None) -> Tensor:
        """Rows [begin, end) of queries, keys and values: all of (B, T, 3 * width) if left out."""
        return linear(x, self.in_proj_weight[begin:end], self.in_proj_bias[begin:end])


class Mlp(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = Linear(width, 4 * width)
        self.fc2 = Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out


class Block(nn.Module):
    def __init__(self, width: int, heads: int, *, extra_token: bool) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads, extra_token=extra_token)
        self.norm_2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width)

    def forward(self, x: Tensor, leaving: Tensor | None, causal: bool) -> Tensor:
        seen = self.attn(self.norm_1(x), leaving, causal)
        x = (x if leaving is None else _pick(x, leaving)) + seen
        out: Tensor = x + self.mlp(self.norm_2(x))
        return out


class Tower(nn.Module):
    """One modality's encoder: (B, *model_input) float, or (B, 77) int64 text, to (B, dim) units.

    Weights are drawn afresh (seed torch first); load a state dict to use trained ones.
    """

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.config = config
        width, is_text = config.width, config.modality == "text"
        if is_text:
            self.token_embedding = nn.Embedding(config.vocabulary, width)
        else:
            self.stem = Stem(config)
            self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, config.tokens, width))
        has_pre_norm = config.modality == "vision"
        self.pre_norm = nn.LayerNorm(width, eps=1e-6) if has_pre_norm else nn.Identity()
        self.blocks = nn.ModuleList(
            Block(width, config.heads, extra_token=config.extra_token) for _ in range(config.blocks)
        )
        self.head_norm = nn.LayerNorm(width, eps=1e-6)
        self.head = Linear(width, config.dim, bias=False)
        self._draw_weights()

    def forward(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        """Unit vectors (B, dim) float32.

        Args:
            x: (B, *model_input) in the weights' dtype; text: (B, 77) int64 token ids.
            keep: (B, k) int64 places of the patch tokens to compute (training on part of the
                patches); all of them if None. Not for text.
        """
        causal = self.config.modality == "text"
        if causal:
            leaving = (x == self.config.end_id).int().argmax(-1)
            x = x[:, : int(leaving.max()) + 1]  # nothing after the end token reaches it
            tokens = self.token_embedding(x) + self.pos_embed[:, : x.shape[1]]
        else:
            leaving = torch.zeros(len(x), dtype=torch.int64, device=x.device)
            places = self.pos_embed[:, 1:]
            if keep is not None:
                places = _gather(places.expand(len(x), -1, -1), keep)
            patches = self.stem(x, keep) + places
            cls = (self.cls_token + self.pos_embed[:, :1]).expand(len(x), -1, -1)
            tokens = torch.cat([cls, patches], dim=1)
        tokens = self.pre_norm(tokens)
        for block in self.blocks[:-1]:
            tokens = block(tokens, None, causal)
        last = self.blocks[-1](tokens, leaving, causal)[:, 0]
        return F.normalize(self.head(self.head_norm(last)).float(), dim=-1)

    def _draw_weights(self) -> None:
        for name, weight in self.named_parameters():
            if weight.ndim >= 2:
                # Paths into the residual stream are drawn smaller the more of them there are.
                into_stream = name.endswith(("out_proj.weight", "fc2.weight"))
                std = 0.02 / math.sqrt(2 * self.config.blocks) if into_stream else 0.02
                nn.init.normal_(weight, std=std)
        nn.init.normal_(self.head.weight, std=self.config.width**-0.5)


def _pick(x: Tensor, leaving: Tensor) -> Tensor:
    """The token at `leaving` (B,) of each row of (B, T, width): (B, 1, width)."""
    return x[torch.arange(len(x), device=x.device), leaving][:, None]


def _gather(x: Tensor, keep: Tensor) -> Tensor:
    """The tokens at `keep` (B, k) of (B, T, n): (B, k, n)."""
    return x.gather(1, keep[..., None].expand(-1, -1, x.shape[-1]))
