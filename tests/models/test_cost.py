from __future__ import annotations

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from bindstream.errors import DataError
from bindstream.modalities import MODALITIES, SENSORS
from bindstream.models.cost import operations, parameters, weight_bytes
from bindstream.models.imagebind import Tower
from bindstream.models.sizes import HUGE, TowerConfig

END = 9
PUBLISHED_GFLOP = {"vision": 335, "text": 47, "audio": 41, "thermal": 35, "depth": 9, "imu": 10}
PUBLISHED_MILLIONS = {
    **{"vision": 632.8, "text": 354.0, "audio": 86.2},
    **{"thermal": 86.2, "depth": 21.9, "imu": 19.6},
}
PUBLISHED_HALF_MIB = {
    **{"vision": 1207, "text": 675, "audio": 164},
    **{"thermal": 164, "depth": 42, "imu": 37},
}


def narrow(modality: str) -> TowerConfig:
    text = {"vocabulary": 12, "end_id": END} if modality == "text" else {}
    return TowerConfig(modality=modality, width=48, blocks=3, heads=4, dim=20, **text)


def text_of(tokens: int) -> torch.Tensor:
    ids = torch.full((1, 77), 1)
    ids[0, tokens - 1 :] = END
    return ids


def counted(run, *given) -> int:
    """Operations that torch counts: it knows neither fused attention nor what needs no gradient."""
    with sdpa_kernel(SDPBackend.MATH):
        with FlopCounterMode(display=False) as counter:
            run(*given)
        return counter.get_total_flops()


def every_token_through_every_block(tower: Tower, x: torch.Tensor) -> None:
    """What the published code computes, out of the same parts."""
    causal = tower.config.modality == "text"
    tokens = torch.zeros(len(x), tower.config.tokens, tower.config.width)
    if not causal:
        tower.stem(x, None)
    for block in tower.blocks:
        tokens = block(tokens, None, causal)
    tower.head(tokens[:, 0])


@pytest.mark.parametrize("modality", SENSORS)
def test_operations_are_those_that_torch_counts(modality):
    config = narrow(modality)
    tower, x = Tower(config), torch.zeros(1, *MODALITIES[modality].model_input)
    cost = operations(config)
    assert cost.here_gflop * 1e9 == pytest.approx(counted(tower, x), abs=0.5)
    published = counted(every_token_through_every_block, tower, x)
    assert cost.published_gflop * 1e9 == pytest.approx(published, abs=0.5)
    assert cost.here_gflop < cost.published_gflop


@pytest.mark.parametrize("tokens", [1, 8, 77])
def test_a_text_costs_what_torch_counts_up_to_its_end_token(tokens):
    config = narrow("text")
    tower, x = Tower(config), text_of(tokens)
    cost = operations(config, tokens)
    assert cost.here_gflop * 1e9 == pytest.approx(counted(tower, x), abs=0.5)
    published = counted(every_token_through_every_block, tower, x)
    assert cost.published_gflop * 1e9 == pytest.approx(published, abs=0.5)


def test_keeping_part_of_the_patches_costs_what_torch_counts():
    config = narrow("thermal")
    x, keep = torch.zeros(1, 1, 224, 224), torch.arange(50)[None]
    cost = operations(config, 51)
    assert cost.here_gflop * 1e9 == pytest.approx(counted(Tower(config), x, keep), abs=0.5)


@pytest.mark.parametrize("modality", MODALITIES)
def test_published_towers_cost_what_is_known_of_them(modality):
    config = HUGE[modality]
    assert round(operations(config).published_gflop) == PUBLISHED_GFLOP[modality]
    assert parameters(config) / 1e6 == pytest.approx(PUBLISHED_MILLIONS[modality], abs=0.06)


@pytest.mark.parametrize("tokens", [0, 78])
def test_a_text_of_a_length_the_tower_does_not_take_is_refused(tokens):
    with pytest.raises(DataError, match=f"1 to 77 tokens, not {tokens}"):
        operations(HUGE["text"], tokens)


@pytest.mark.parametrize("modality", MODALITIES)
def test_weights_take_what_is_known_of_the_published_ones(modality):
    config = HUGE[modality]
    assert round(weight_bytes(config, "float16") / 2**20) == PUBLISHED_HALF_MIB[modality]
    assert weight_bytes(config, "bfloat16") == weight_bytes(config, "float16")
    assert weight_bytes(config, "float32") == 4 * parameters(config)
    assert 0.25 < weight_bytes(config, "int8") / weight_bytes(config, "float32") < 0.28
