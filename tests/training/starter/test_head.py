"""A head fitted again: surer of recordings as they are, everything before it as it was."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from bindstream.models.imagebind import Tower
from bindstream.models.sizes import TowerConfig
from bindstream.training.starter.bank import Bank, Labels
from bindstream.training.starter.head import Seen, fit_head
from bindstream.training.starter.making import tokenizer
from tests.training.starter.test_bank import text_tower

KINDS = ("walking", "falling", "sitting_down")


@pytest.fixture(scope="module")
def bank() -> Bank:
    return Bank(text_tower(32), tokenizer(), ways=2, seed=0)


def imu_tower() -> Tower:
    torch.manual_seed(0)
    size = {"width": 32, "blocks": 1, "heads": 2, "patch": 200, "stride": 200}
    return Tower(TowerConfig(modality="imu", dim=32, **size))


def seen(kind: str, count: int, seed: int) -> Seen:
    """Windows that shake about one axis each."""
    rng = np.random.default_rng(seed)
    found = 0.3 * rng.standard_normal((count, 6, 2000)).astype(np.float32)
    found[:, KINDS.index(kind)] += 2
    labels: list[Labels] = [frozenset({kind})] * count
    return Seen(found, labels)


def right(tower: Tower, bank: Bank) -> float:
    """How often the words of a window's own kind are nearest among the three."""
    words = torch.stack([bank.vectors[bank.index[kind]].mean(0) for kind in KINDS])
    hits = []
    with torch.no_grad():
        for at, kind in enumerate(KINDS):
            vectors = tower.eval()(torch.from_numpy(seen(kind, 20, 99 + at).inputs))
            hits.append(((vectors @ words.T).argmax(1) == at).float().mean())
    return float(torch.stack(hits).mean())


def test_a_head_learns_recordings_it_has_not_seen_and_nothing_else_of_the_tower_moves(
    bank: Bank,
) -> None:
    tower = imu_tower()
    before = copy.deepcopy(tower.state_dict())
    recordings = [seen(kind, 4, seed) for seed, kind in enumerate(KINDS * 4)]
    first, last = fit_head(tower, recordings, [], bank)
    assert last < 0.9 * first
    assert right(tower, bank) > 0.9
    moved = {name for name, value in tower.state_dict().items() if not value.equal(before[name])}
    assert moved == {"head.weight"}


def test_a_kind_of_few_recordings_counts_as_much_as_one_of_many(bank: Bank) -> None:
    tower = imu_tower()
    many = [seen("walking", 2, seed) for seed in range(30)]
    few = [seen("falling", 2, 50), seen("sitting_down", 2, 51)]
    fit_head(tower, [*many, *few], [], bank)
    assert right(tower, bank) > 0.9


def test_training_windows_weigh_less_than_recordings(bank: Bank) -> None:
    tower = imu_tower()
    recordings = [seen(kind, 4, seed) for seed, kind in enumerate(KINDS)]
    turned = Seen(recordings[0].inputs, [frozenset({"falling"})] * 4)  # contradicts the recording
    fit_head(tower, recordings, [turned], bank)
    assert right(tower, bank) > 0.9
