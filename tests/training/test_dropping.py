"""Drop path and head dropout: in training alone, right on average, gone afterwards."""

from __future__ import annotations

import torch

from bindstream.models.imagebind import Tower
from bindstream.models.sizes import TowerConfig
from bindstream.training.dropping import dropping

X = torch.randn(64, 6, 2000, generator=torch.Generator().manual_seed(0))


def _tower() -> Tower:
    torch.manual_seed(0)
    return Tower(
        TowerConfig(modality="imu", width=32, blocks=3, heads=2, dim=16, patch=200, stride=200)
    )


def test_dropping_changes_training_alone_and_leaves_nothing_behind() -> None:
    tower = _tower()
    with torch.no_grad():
        plain = tower(X)
        with dropping(tower, path=0.7, head=0.5):
            assert not torch.allclose(tower.train()(X), plain, atol=1e-3)
            assert torch.equal(tower.eval()(X), plain)
        assert torch.equal(tower.train()(X), plain)


def test_a_branch_is_left_out_for_its_share_of_windows_and_kept_on_average() -> None:
    tower = _tower().train()
    seen = []
    with dropping(tower, path=0.5), torch.no_grad():
        tower.blocks[-1].mlp.register_forward_hook(lambda *given: seen.append(given[2]))
        x = torch.randn(4000, 1, 32)
        plain = tower.blocks[-1].mlp.fc2(torch.nn.functional.gelu(tower.blocks[-1].mlp.fc1(x)))
        tower.blocks[-1].mlp(x)
    dropped = (seen[0] == 0).all(-1).float().mean()
    assert 0.45 < dropped < 0.55
    assert torch.allclose(seen[0].mean(0), plain.mean(0), atol=0.05 * float(plain.std()) + 1e-3)
