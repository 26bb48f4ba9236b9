"""The bank of words: what windows answer to, and what is never counted as wrong."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bindstream.models.imagebind import Tower
from bindstream.models.sizes import TowerConfig
from bindstream.training.starter.bank import Bank
from bindstream.training.starter.making import tokenizer
from bindstream.training.starter.text import spread_concepts


def text_tower(dim: int) -> Tower:
    torch.manual_seed(0)
    tokens = tokenizer()
    config = TowerConfig(
        modality="text", width=32, blocks=1, heads=2, dim=dim,
        vocabulary=tokens.vocabulary, end_id=tokens.end_id,
    )  # fmt: skip
    return Tower(config).eval()


@pytest.fixture(scope="module")
def bank() -> Bank:
    return Bank(text_tower(64), tokenizer(), ways=2, seed=0)


def test_bank_never_counts_what_may_also_be_true_as_wrong(bank: Bank) -> None:
    targets = bank.targets([frozenset({"dog"})] * 50, np.random.default_rng(0))
    names = {bank.names[i] for i in targets.wanted.tolist()}
    assert names == {"dog", "animal"}
    for row, pick in zip(targets.ignored, targets.wanted.tolist(), strict=True):
        assert not row[pick]
        assert row.sum() < len(bank.names) / 4
        assert not row[bank.index["rain"]]


def test_a_finer_kind_has_its_siblings_as_wrong_answers_but_never_what_it_also_is(
    bank: Bank,
) -> None:
    shown = frozenset({"footsteps", "footsteps_grass"})
    targets = bank.targets([shown] * 80, np.random.default_rng(1))
    snow, parent = bank.index["footsteps_snow"], bank.index["footsteps"]
    picks = targets.wanted.tolist()
    fine = [i for i, pick in enumerate(picks) if bank.names[pick] == "footsteps_grass"]
    assert 20 < len(fine) < 60
    assert all(targets.ignored[i, parent] and not targets.ignored[i, snow] for i in fine)


def test_spreading_moves_unrelated_concepts_apart() -> None:
    tokens, tower = tokenizer(), text_tower(256)

    def closeness() -> float:
        found = Bank(tower, tokens, ways=4, seed=1)
        mean = torch.nn.functional.normalize(found.vectors.mean(1), dim=-1)
        return float((mean @ mean.T)[~found.related].abs().mean())

    before = closeness()
    spread_concepts(tower, tokens, seed=2, ways=4)
    assert closeness() < 0.5 * before
