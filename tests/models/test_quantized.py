from __future__ import annotations

import os
import platform
import subprocess
import sys

import numpy as np
import pytest
import torch

from bindstream.modalities import MODALITIES
from bindstream.models import load_model, loading
from bindstream.models.imagebind import Attention
from bindstream.models.loading import load_tower
from bindstream.models.precision import LEAST_COSINE, VNNI, cpu_flags
from bindstream.models.quantized import (
    MOST,
    MOST_WITHOUT_VNNI,
    VALUES,
    Int8Attention,
    Int8Embedding,
    Int8Linear,
    int8_levels,
    int8_weights,
    product,
)
from tests.models import narrow

LEVELS = int8_levels(cpu_flags())


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    values = np.random.default_rng(seed).standard_normal(shape, np.float32)
    return torch.from_numpy(values)


def exactly(x: np.ndarray, weight: np.ndarray, scale: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """The product in whole numbers as written down in `quantized`: one step a token."""
    step = np.abs(x).max(-1, keepdims=True) / np.float32(127)
    sums = np.rint(x / step).astype(np.int64) @ weight.T.astype(np.int64)
    return sums * step * scale + bias


@pytest.mark.parametrize("shape", [(1, 1, 32), (3, 7, 32), (5, 64), (2, 1, 96), (1, 257, 40)])
def test_products_are_those_of_whole_numbers_and_near_those_of_floats(shape):
    x, floats, bias = drawn(*shape), drawn(48, shape[-1], seed=1), drawn(48, seed=2)
    weight, scale = int8_weights(floats, LEVELS)
    found = product(x, weight, scale, bias).numpy()
    assert found.shape == (*shape[:-1], 48)
    assert found.dtype == np.float32
    expected = exactly(x.numpy(), weight.numpy(), scale.numpy(), bias.numpy())
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    as_float = x.numpy() @ floats.numpy().T + bias.numpy()
    assert np.abs(found - as_float).max() < 0.05 * (MOST / LEVELS) * shape[-1] ** 0.5
    without = product(x, weight, scale, None)
    torch.testing.assert_close(without + bias, torch.from_numpy(found), rtol=1e-5, atol=1e-5)


def test_a_row_does_not_depend_on_its_company():
    weight, scale = int8_weights(drawn(48, 64), LEVELS)
    row, loud = drawn(1, 64, seed=3), 1e4 * drawn(20, 64, seed=4)
    alone = product(row, weight, scale, None)
    for place in (0, 7, 20):
        batch = torch.cat([loud[:place], row, loud[place:]])
        assert torch.equal(product(batch, weight, scale, None)[place], alone[0])


def test_zeros_give_the_bias_and_weights_of_zeros_too():
    weight, scale = int8_weights(torch.zeros(8, 16), LEVELS)
    assert not weight.any()
    bias = drawn(8)
    torch.testing.assert_close(product(drawn(3, 16), weight, scale, bias), bias.expand(3, 8))
    weight, scale = int8_weights(drawn(8, 16), LEVELS)
    torch.testing.assert_close(product(torch.zeros(3, 16), weight, scale, bias), bias.expand(3, 8))
    assert not product(torch.zeros(3, 16), weight, scale, None).any()


def test_what_is_not_finite_does_not_come_out_as_a_number():
    weight, scale = int8_weights(drawn(8, 16), LEVELS)
    x = drawn(2, 16)
    x[0, 3] = torch.nan
    found = product(x, weight, scale, None)
    assert found[0].isnan().all()
    assert found[1].isfinite().all()


@pytest.mark.parametrize("levels", [MOST_WITHOUT_VNNI, MOST])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_weights_are_within_half_a_step_of_what_they_were(levels, dtype):
    rows = VALUES // 300 + 3  # more than are quantised at a time
    weight = (drawn(rows, 300) * torch.logspace(-4, 2, rows)[:, None]).to(dtype)
    whole, scale = int8_weights(weight, levels)
    assert whole.dtype == torch.int8
    assert (whole.min(), whole.max()) == (-levels, levels)
    assert whole.abs().amax(1).min() == levels  # each row uses all of its range
    away = (whole * scale[:, None] - weight.float()).abs()
    assert (away <= 0.501 * scale[:, None]).all()


@pytest.mark.parametrize(
    ("flags", "machine", "levels"),
    [
        ({"sse2", "avx2"}, "x86_64", MOST_WITHOUT_VNNI),
        ({"sse2", "avx512f", "avx512_bf16"}, "x86_64", MOST_WITHOUT_VNNI),
        *(({"sse2", flag}, "x86_64", MOST) for flag in VNNI),
        (set(), "x86_64", MOST_WITHOUT_VNNI),  # macOS
        (set(), "AMD64", MOST_WITHOUT_VNNI),  # Windows
        (set(), "", MOST_WITHOUT_VNNI),
        ({"asimd"}, "aarch64", MOST),
        (set(), "arm64", MOST),
    ],
)
def test_weights_have_fewer_levels_where_pairs_of_products_may_saturate(flags, machine, levels):
    assert int8_levels(flags, machine) == levels


def test_pairs_of_products_fit_int16_at_the_level_without_vnni():
    assert 2 * 255 * MOST_WITHOUT_VNNI < 2**15 <= 2 * 255 * (MOST_WITHOUT_VNNI + 2)


EXTREMES = """
import torch
from bindstream.models.quantized import product

levels = {levels}
for n in (2, 64, 640):
    for signs in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        x = torch.full((5, n), float(signs[0]))
        weight = torch.full((48, n), signs[1] * levels, dtype=torch.int8)
        found = product(x, weight, torch.ones(48), None)
        expected = torch.full((5, 48), float(signs[0] * signs[1] * levels * n))
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)
"""


def test_the_largest_values_do_not_saturate():
    exec(EXTREMES.format(levels=LEVELS))


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the order of products is x86's")
def test_the_largest_values_do_not_saturate_on_a_cpu_without_vnni():
    # oneDNN takes the way it takes on such a CPU, and reads so once, when it is loaded.
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2", "OMP_NUM_THREADS": "1"}
    code = EXTREMES.format(levels=MOST_WITHOUT_VNNI)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    directory = tmp_path_factory.mktemp("model")
    narrow.save(directory)
    return directory


@pytest.mark.parametrize("levels", [MOST_WITHOUT_VNNI, MOST])
@pytest.mark.parametrize("model", ["narrow", "starter"])
def test_towers_in_int8_give_their_golden_vectors(saved, monkeypatch, model, levels):
    if levels > LEVELS:
        pytest.skip("this CPU would saturate")
    monkeypatch.setattr(loading, "int8_levels", lambda flags: levels)
    found = load_model(
        saved if model == "narrow" else model, device="cpu", precision="int8", threads=2
    )
    assert found.precision == dict.fromkeys(MODALITIES, "int8")
    cosines = found.golden
    assert set(cosines) == set(MODALITIES)
    assert min(cosines.values()) >= LEAST_COSINE["int8"]
    assert found.warnings == {}


def test_vectors_in_int8_are_near_those_in_float32(saved):
    whole = load_model(saved, device="cpu", precision="float32")
    small = load_model(saved, device="cpu", precision="int8")
    for modality in MODALITIES:
        if modality == "text":
            texts = ["a dog barking", "glass", "the sound of the siren"]
            one, other = whole.encode_text(texts), small.encode_text(texts)
        else:
            batch = drawn(2, *MODALITIES[modality].model_input, seed=9).numpy()
            one, other = whole.encode(modality, batch), small.encode(modality, batch)
        assert (one * other).sum(1).min() >= 0.999
        np.testing.assert_allclose(np.linalg.norm(other, axis=1), 1, rtol=1e-5)


def test_products_and_word_vectors_are_int8_and_all_else_is_float32(saved):
    spec = narrow.parts()[0]
    tower = load_tower(spec, "text", saved / "text.safetensors", "int8")
    int8 = {name for name, value in tower.state_dict().items() if value.dtype == torch.int8}
    linear = ("attn.in_proj_weight", "attn.out_proj.weight", "mlp.fc1.weight", "mlp.fc2.weight")
    blocks = {f"blocks.{block}.{name}" for block in range(2) for name in linear}
    assert int8 == {"token_embedding.weight", *blocks}
    others = {v.dtype for name, v in tower.state_dict().items() if name not in int8}
    assert others == {torch.float32}
    kinds = {type(module) for module in tower.modules()}
    assert {Int8Linear, Int8Embedding, Int8Attention} <= kinds
    assert Attention not in kinds
    assert not any(value.is_meta for value in tower.state_dict().values())
    audio = load_tower(spec, "audio", saved / "audio.safetensors", "int8")
    stored = load_tower(spec, "audio", saved / "audio.safetensors")
    assert audio.stem.weight.dtype == audio.head.weight.dtype == torch.float32
    assert torch.equal(audio.blocks[0].attn.bias_k, stored.blocks[0].attn.bias_k)
