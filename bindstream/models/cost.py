"""What a tower costs: operations a view, parameters and memory, from its size alone.

A multiplication with the addition that follows it counts as two operations. Counted are the
matrix products: patches, projections, attention and MLP. Left out are norms, activations, biases
and softmax, which come to under one in a hundred. Causal attention counts in full, since kernels
compute the masked half too at these lengths.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

from bindstream.errors import DataError
from bindstream.models.precision import Arithmetic
from bindstream.models.sizes import TowerConfig

GIGA = 1e9


@dataclass(frozen=True)
class Operations:
    """Operations for one view, in GFLOP.

    `published_gflop` is what the published code computes: every token through every block, and a
    text always as 77 tokens. `here_gflop` is what `Tower` computes for the same vector.
    """

    published_gflop: float
    here_gflop: float


def operations(config: TowerConfig, tokens: int | None = None) -> Operations:
    """Operations of a tower for one view.

    Args:
        tokens: that are computed here: of a text from its start token to its end token, of
            anything else its CLS token and its patches; all of them if None.

    Raises:
        DataError: the tower does not take so many tokens, or so few.
    """
    tokens = config.tokens if tokens is None else tokens
    if not 1 <= tokens <= config.tokens:
        raise DataError(
            f"A tower for {config.modality} of this size takes 1 to {config.tokens} tokens,"
            f" not {tokens}."
        )
    every = config.tokens
    published = _around_blocks(config, every) + config.blocks * _block(config, every, every)
    through = (config.blocks - 1) * _block(config, tokens, tokens) + _block(config, tokens, 1)
    here = _around_blocks(config, tokens) + through
    return Operations(published / GIGA, here / GIGA)


@cache
def parameters(config: TowerConfig) -> int:
    """How many learned values the tower has."""
    from bindstream.models.loading import tower_shapes  # with torch: operations do without

    return sum(math.prod(shape) for shape in tower_shapes(config).values())


@cache
def weight_bytes(config: TowerConfig, precision: Arithmetic) -> int:
    """Memory of the tower's weights in a precision; in int8 its scales are among them."""
    from bindstream.models.imagebind import Tower
    from bindstream.models.loading import blank, dtype_of
    from bindstream.models.quantized import to_int8

    tower = blank(Tower, config)
    if precision == "int8":
        to_int8(tower)
    tower.to(dtype_of(precision))  # of what is float
    return sum(value.nbytes for value in tower.state_dict().values())


def _around_blocks(config: TowerConfig, tokens: int) -> int:
    """Patches to tokens, and the head; looking up a text's tokens computes nothing."""
    patches = 0 if config.modality == "text" else tokens - 1
    return 2 * config.width * (patches * math.prod(config.patch_shape) + config.dim)


def _block(config: TowerConfig, tokens: int, leaving: int) -> int:
    """One block that `tokens` enter and `leaving` of them leave."""
    width = config.width
    keys_and_values = 2 * tokens * width * 2 * width
    queries_and_out = 2 * leaving * width * 2 * width
    attention = 2 * leaving * (tokens + config.extra_token) * width * 2
    mlp = 2 * leaving * width * 4 * width * 2
    return keys_and_values + queries_and_out + attention + mlp
