"""The trainer: a tiny tower learns synthetic pairs, and an interrupted training goes on."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bindstream.errors import DataError
from bindstream.models.imagebind import Tower
from bindstream.models.sizes import TowerConfig
from bindstream.training.recipe import Recipe
from bindstream.training.trainer import Moment, Targets, train_tower

KINDS = 4


class Axes:
    """Anchors along the axes of the joint space."""

    def targets(self, labels: Sequence[Any], rng: np.random.Generator) -> Targets:
        return Targets(
            torch.eye(16)[:KINDS],
            torch.tensor([int(label) for label in labels]),
            torch.zeros(len(labels), KINDS, dtype=torch.bool),
        )


def _tower(width: int = 32) -> Tower:
    torch.manual_seed(0)
    return Tower(
        TowerConfig(modality="imu", width=width, blocks=2, heads=2, dim=16, patch=200, stride=200)
    )


def _windows(n: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], list[int]]:
    """Each kind moves an axis of its own, in noise."""
    which = rng.integers(KINDS, size=n)
    x = 0.3 * rng.standard_normal((n, 6, 2000))
    x[np.arange(n), which] += np.sin(np.arange(2000) / 30)
    return x.astype(np.float32), which.tolist()


def _share_right(tower: Tower) -> float:
    x, labels = _windows(64, np.random.default_rng(99))
    with torch.inference_mode():
        best = (tower(torch.from_numpy(x)) @ torch.eye(16)[:KINDS].T).argmax(1)
    return float(np.mean(best.numpy() == labels))


def train(tower: Tower, path: Path, resume: bool = False, **recipe: Any) -> list[Moment]:
    moments: list[Moment] = []
    given = {"steps": 60, "batch": 32, "rate": 2e-3, "averaged": 0.9, **recipe}
    train_tower(
        tower, _windows, Axes(), Recipe(**given), pairs=64, checkpoint=path, resume=resume,
        seed=0, watch=moments.append, evaluate=lambda t: {"right": _share_right(t)}, evaluations=3,
    )  # fmt: skip
    return moments


def test_an_epoch_on_synthetic_pairs_lowers_the_loss_and_raises_retrieval_above_chance(
    tmp_path: Path,
) -> None:
    tower = _tower()
    before = _share_right(tower)
    moments = [m for m in train(tower, tmp_path / "imu.pt") if m.figures]
    assert len(moments) == 3
    assert moments[-1].loss < 0.8 * moments[0].loss
    assert _share_right(tower) > max(before, 2 / KINDS)
    assert moments[-1].figures["right"] == _share_right(tower)
    assert not tower.training


def test_a_finished_training_is_read_and_not_repeated(tmp_path: Path) -> None:
    tower, again = _tower(), _tower()
    train(tower, tmp_path / "imu.pt", steps=6)
    assert train(again, tmp_path / "imu.pt", resume=True, steps=6) == []
    assert all(
        torch.equal(a, b) for a, b in zip(tower.parameters(), again.parameters(), strict=True)
    )


def test_an_interrupted_training_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bindstream.training.trainer.KEEP_EVERY_S", 0.0)
    path = tmp_path / "imu.pt"

    def stop(moment: Moment) -> None:
        if moment.step >= 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_tower(
            _tower(), _windows, Axes(), Recipe(steps=30, batch=32), pairs=64, checkpoint=path,
            resume=False, seed=0, watch=stop, evaluate=lambda _: {}, evaluations=30,
        )  # fmt: skip
    steps = [m.step for m in train(_tower(), path, resume=True, steps=30)]
    assert min(steps) >= 10
    assert max(steps) == 30


def test_a_checkpoint_of_another_tower_is_refused_with_the_way_out(tmp_path: Path) -> None:
    before = threading.active_count()
    train(_tower(), tmp_path / "imu.pt", steps=2)
    with pytest.raises(DataError, match="another tower"):
        train(_tower(width=64), tmp_path / "imu.pt", resume=True)
    state = torch.load(tmp_path / "imu.pt", weights_only=True)
    torch.save({key: state[key] for key in state if key != "averaged"}, tmp_path / "imu.pt")
    with pytest.raises(DataError, match="cannot be read: it lacks averaged"):
        train(_tower(), tmp_path / "imu.pt", resume=True)
    assert threading.active_count() == before
    (tmp_path / "imu.pt").write_bytes(b"no checkpoint")
    with pytest.raises(DataError, match="cannot be read"):
        train(_tower(), tmp_path / "imu.pt", resume=True)


def test_nothing_is_left_running_where_a_training_cannot_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that waits to hand over its batch would keep the process from ending."""

    def full(tower: Tower) -> Tower:
        raise MemoryError

    before = threading.active_count()
    monkeypatch.setattr("bindstream.training.trainer.copy.deepcopy", full)
    with pytest.raises(MemoryError):
        train_tower(
            _tower(), _windows, Axes(), Recipe(steps=2, batch=32), pairs=64,
            checkpoint=tmp_path / "x.pt", resume=False, seed=0, watch=lambda _: None, fresh=False,
        )  # fmt: skip
    assert threading.active_count() == before


def test_a_checkpoint_that_the_disk_does_not_take_is_said_and_the_last_one_kept(
    tmp_path: Path,
) -> None:
    train(_tower(), tmp_path / "imu.pt", steps=2)
    before = (tmp_path / "imu.pt").read_bytes()
    (tmp_path / "imu.partial").mkdir()
    with pytest.raises(DataError, match="cannot be written"):
        train(_tower(), tmp_path / "imu.pt", steps=3)
    assert (tmp_path / "imu.pt").read_bytes() == before


def test_a_failing_batch_is_raised_and_not_waited_for(tmp_path: Path) -> None:
    def broken(n: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], list[int]]:
        if n == 32:
            raise RuntimeError("the disk is full")
        return _windows(n, rng)

    with pytest.raises(RuntimeError, match="the disk is full"):
        train_tower(
            _tower(), broken, Axes(), Recipe(steps=2, batch=32), pairs=64,
            checkpoint=tmp_path / "x.pt", resume=False, seed=0, watch=lambda _: None,
        )  # fmt: skip


def test_a_loss_that_is_no_number_ends_the_training_with_the_way_out(tmp_path: Path) -> None:
    def spoilt(n: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], list[int]]:
        x, labels = _windows(n, rng)
        return (x if n != 32 else x * np.float32(np.nan)), labels

    with pytest.raises(DataError, match="Lower the recipe's rate"):
        train_tower(
            _tower(), spoilt, Axes(), Recipe(steps=2, batch=32), pairs=64,
            checkpoint=tmp_path / "x.pt", resume=False, seed=0, watch=lambda _: None,
        )  # fmt: skip
