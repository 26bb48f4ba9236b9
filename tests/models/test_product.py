from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from bindstream.models import product
from bindstream.models.product import LEAST_WEIGHTS, Linear, linear

WIDE = int(LEAST_WEIGHTS**0.5) + 1


def drawn(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape))).to(dtype)


@pytest.mark.parametrize("width", [16, WIDE])
@pytest.mark.parametrize("rows", [(1, 1), (2, 5), (7,)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_product_is_that_of_torch(width, rows, dtype):
    x, weight = drawn(*rows, width, dtype=dtype), drawn(width, width, dtype=dtype) / width**0.5
    bias = drawn(width, dtype=dtype)
    with torch.inference_mode():
        for given in (bias, None):
            torch.testing.assert_close(linear(x, weight, given), F.linear(x, weight, given))


def test_rows_of_a_larger_matrix_may_be_given():
    x, weight, bias = drawn(2, 3, WIDE), drawn(2 * WIDE, WIDE), drawn(2 * WIDE)
    with torch.inference_mode():
        whole = linear(x, weight, bias)
        torch.testing.assert_close(linear(x, weight[WIDE:], bias[WIDE:]), whole[..., WIDE:])


def test_gradients_flow_through_products_of_any_size():
    layer, x = Linear(WIDE, WIDE), drawn(2, WIDE)
    layer(x).sum().backward()
    torch.testing.assert_close(layer.bias.grad, torch.full((WIDE,), 2.0))
    torch.testing.assert_close(layer.weight.grad, x.sum(0).expand(WIDE, WIDE))


def test_torch_s_own_product_stands_where_there_is_no_choice(monkeypatch):
    x, layer = drawn(3, WIDE), Linear(WIDE, WIDE)
    with torch.inference_mode():
        found = layer(x)
        monkeypatch.setattr(product, "_onednn", None)
        assert torch.equal(layer(x), F.linear(x, layer.weight, layer.bias))
        torch.testing.assert_close(layer(x), found)
