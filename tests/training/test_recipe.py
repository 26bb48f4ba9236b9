"""The recipe: a tiny tower learns synthetic pairs, and an interrupted training goes on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bindstream.models.imagebind import Tower
from bindstream.models.sizes import TowerConfig
from bindstream.training.bank import Bank
from bindstream.training.recipe import Recipe, contrastive_loss, spread_concepts, train_tower
from bindstream.training.starter import tokenizer

SHOWN = ("dog", "rain", "fire", "siren")


@pytest.fixture(scope="module")
def bank() -> Bank:
    torch.manual_seed(0)
    tokens = tokenizer()
    config = TowerConfig(
        modality="text", width=32, blocks=1, heads=2, dim=64,
        vocabulary=tokens.vocabulary, end_id=tokens.end_id,
    )  # fmt: skip
    return Bank(Tower(config).eval(), tokens, ways=2, seed=0)


def _tower() -> Tower:
    torch.manual_seed(0)
    return Tower(
        TowerConfig(modality="imu", width=32, blocks=1, heads=2, dim=64, patch=200, stride=200)
    )


def _windows(n: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], list[frozenset[str]]]:
    """Each concept moves an axis of its own, in noise."""
    which = rng.integers(len(SHOWN), size=n)
    x = 0.3 * rng.standard_normal((n, 6, 2000))
    x[np.arange(n), which] += 1
    return x.astype(np.float32), [frozenset({SHOWN[i]}) for i in which]


def _share_right(tower: Tower, bank: Bank) -> float:
    x, labels = _windows(64, np.random.default_rng(99))
    words = bank.vectors[[bank.index[name] for name in SHOWN], 0]
    with torch.inference_mode():
        best = (tower(torch.from_numpy(x)) @ words.T).argmax(1).tolist()
    return float(np.mean([SHOWN[i] in shown for i, shown in zip(best, labels, strict=True)]))


def test_training_learns_synthetic_pairs_and_resumes(bank: Bank, tmp_path: Path) -> None:
    spread = bank.vectors - bank.vectors.mean((0, 1))
    bank.vectors = torch.nn.functional.normalize(spread, dim=-1)
    tower, lines = _tower(), []
    recipe = Recipe(minutes=0, steps=80, batch=32, rate=2e-3, keep=1.0)
    path = tmp_path / "imu.pt"
    train_tower(
        tower, _windows, bank, recipe, checkpoint=path, resume=False, seed=0, log=lines.append
    )
    assert _share_right(tower, bank) > 0.6
    again = _tower()
    short = Recipe(minutes=0, steps=2, batch=32, rate=1e-6, keep=1.0)
    train_tower(
        again, _windows, bank, short, checkpoint=path, resume=True, seed=0, log=lines.append
    )
    assert _share_right(again, bank) > 0.6
    assert lines[-1].startswith("done")


def test_loss_is_lower_for_windows_at_their_own_words_and_ignores_what_is_also_true() -> None:
    words = torch.eye(4)
    wanted = torch.tensor([0, 1])
    ignored = torch.zeros(2, 4, dtype=torch.bool)
    right = contrastive_loss(words[:2], words, wanted, ignored, 0.1)
    wrong = contrastive_loss(words[2:], words, wanted, ignored, 0.1)
    assert right < 0.1 < wrong
    between = torch.nn.functional.normalize(words[:2] + words[2:], dim=1)
    counted = contrastive_loss(between, words, wanted, ignored, 0.1)
    ignored[0, 2] = ignored[1, 3] = True
    assert contrastive_loss(between, words, wanted, ignored, 0.1) < counted


def test_bank_never_counts_what_may_also_be_true_as_wrong(bank: Bank) -> None:
    wanted, ignored = bank.targets([frozenset({"dog"})] * 50, np.random.default_rng(0))
    names = {bank.names[i] for i in wanted.tolist()}
    assert names == {"dog", "animal"}
    for row, pick in zip(ignored, wanted.tolist(), strict=True):
        assert not row[pick]
        assert row.sum() < len(bank.names) / 4
        assert not row[bank.index["rain"]]


def test_a_failing_batch_is_raised_and_not_waited_for(bank: Bank, tmp_path: Path) -> None:
    def broken(
        n: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], list[frozenset[str]]]:
        if n == 32:
            raise RuntimeError("the disk is full")
        return _windows(n, rng)

    with pytest.raises(RuntimeError, match="the disk is full"):
        train_tower(
            _tower(), broken, bank, Recipe(minutes=0, steps=2, batch=32),
            checkpoint=tmp_path / "x.pt", resume=False, seed=0, log=lambda _: None,
        )  # fmt: skip


def test_spreading_moves_unrelated_concepts_apart() -> None:
    torch.manual_seed(0)
    tokens = tokenizer()
    config = TowerConfig(
        modality="text", width=32, blocks=1, heads=2, dim=256,
        vocabulary=tokens.vocabulary, end_id=tokens.end_id,
    )  # fmt: skip
    tower = Tower(config).eval()

    def closeness() -> float:
        found = Bank(tower, tokens, ways=4, seed=1)
        mean = torch.nn.functional.normalize(found.vectors.mean(1), dim=-1)
        return float((mean @ mean.T)[~found.related].abs().mean())

    before = closeness()
    spread_concepts(tower, tokens, seed=2, ways=4)
    assert closeness() < 0.5 * before
