from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from bindstream.modalities import MODALITIES
from bindstream.models.imagebind import Tower
from bindstream.models.published.imagebind import IMAGEBIND
from bindstream.models.sizes import HUGE, TowerConfig
from tests import parity

# The fixed scales that the reference multiplies onto its unit vectors.
SCALES = {"vision": 1, "audio": 20, "depth": 5, "thermal": 10, "imu": 5, "text": 1 / 0.07}
END = 49407


def small(modality: str, **changes: int) -> TowerConfig:
    text = {"vocabulary": 49408, "end_id": END} if modality == "text" else {}
    sizes = {"width": 64, "blocks": 2, "heads": 4, "dim": 32, **text, **changes}
    return TowerConfig(modality=modality, **sizes)


def filled(modality: str) -> Tower:
    """The narrowed tower with the reference's weights."""
    fill, entries = parity.seeded().fill, IMAGEBIND.weights(small(modality))
    tower = Tower(small(modality)).eval()
    tower.load_state_dict(
        {ours: torch.from_numpy(fill(entry.name, entry.shape)) for ours, entry in entries.items()}
    )
    return tower


@pytest.mark.parametrize("modality", MODALITIES)
@torch.inference_mode()
def test_vectors_equal_the_reference(modality):
    inputs = torch.from_numpy(parity.seeded().inputs(2)[modality])
    expected = parity.figures("golden_small.npz")[modality]
    vectors = filled(modality)(inputs).numpy() * SCALES[modality]
    np.testing.assert_allclose(vectors, expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("modality", MODALITIES)
@torch.inference_mode()
def test_a_row_s_vector_does_not_depend_on_its_batch(modality):
    inputs = torch.from_numpy(parity.seeded().inputs(3)[modality])
    tower = filled(modality)
    alone = torch.cat([tower(row[None]) for row in inputs])
    torch.testing.assert_close(tower(inputs), alone, rtol=1e-5, atol=1e-6)


def test_published_sizes_have_the_published_parameters():
    millions = {"vision": 632.8, "text": 354.0, "audio": 86.2, "thermal": 86.2, "depth": 21.9}
    millions["imu"] = 19.6
    with torch.device("meta"):
        for modality, config in HUGE.items():
            count = sum(p.numel() for p in Tower(config).parameters())
            assert count / 1e6 == pytest.approx(millions[modality], abs=0.06)


@pytest.mark.parametrize(
    ("modality", "tokens"),
    [("vision", 257), ("text", 77), ("audio", 229), ("thermal", 197), ("depth", 197), ("imu", 251)],
)
def test_published_patches_give_the_published_tokens(modality, tokens):
    assert HUGE[modality].tokens == tokens


@pytest.mark.parametrize("modality", MODALITIES)
@torch.inference_mode()
def test_vectors_have_unit_length(modality):
    tower = Tower(small(modality, blocks=1))
    inputs = torch.from_numpy(_inputs(modality, 3))
    vectors = tower(inputs)
    assert vectors.shape == (3, 32)
    torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(3))


@torch.inference_mode()
def test_what_follows_the_end_token_is_not_read():
    tower = Tower(small("text"))
    ids = torch.from_numpy(_inputs("text", 2))
    changed = ids.clone()
    changed[0, 6:] = 11
    torch.testing.assert_close(tower(changed)[0], tower(ids)[0])
    changed[0, 4] = 11
    assert (tower(changed)[0] - tower(ids)[0]).abs().max() > 1e-4


@pytest.mark.parametrize("modality", ["vision", "audio", "thermal", "depth", "imu"])
@torch.inference_mode()
def test_keeping_all_patches_in_any_order_changes_nothing(modality):
    tower = Tower(small(modality))
    torch.nn.init.normal_(tower.pos_embed)
    inputs = torch.from_numpy(_inputs(modality, 2))
    patches = tower.config.patches
    keep = torch.stack([torch.randperm(patches), torch.randperm(patches)])
    torch.testing.assert_close(tower(inputs, keep), tower(inputs), rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_only_kept_patches_are_read():
    tower = Tower(small("thermal"))
    image = torch.rand(1, 1, 224, 224)
    keep = torch.arange(14)[None]  # the uppermost row of patches
    changed = image.clone()
    changed[:, :, 16:] = 0
    torch.testing.assert_close(tower(changed, keep), tower(image, keep))
    changed[:, :, 15] = 0
    assert (tower(changed, keep) - tower(image, keep)).abs().max() > 1e-5


@pytest.mark.parametrize("modality", MODALITIES)
def test_every_weight_of_a_fresh_tower_learns(modality):
    torch.manual_seed(0)
    tower = Tower(small(modality))
    (tower(torch.from_numpy(_inputs(modality, 2))) @ torch.randn(32)).sum().backward()
    still = [n for n, p in tower.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []


@pytest.mark.parametrize(
    ("modality", "patch", "stride", "tokens"),
    [("vision", 28, 28, 65), ("audio", 32, 32, 25), ("thermal", 32, 16, 170), ("imu", 20, 20, 101)],
)
@torch.inference_mode()
def test_patches_may_be_coarser_or_overlap(modality, patch, stride, tokens):
    tower = Tower(small(modality, patch=patch, stride=stride))
    assert tower.config.tokens == tokens
    assert tower(torch.from_numpy(_inputs(modality, 1))).isfinite().all()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"modality": "audio", "heads": 3}, "not a multiple"),
        ({"modality": "text"}, "end_id 0"),
        ({"modality": "text", "vocabulary": 10, "end_id": 10}, "end_id 10"),
        ({"modality": "smell"}, "modality"),
        ({"modality": "imu", "blocks": 0}, "greater than 0"),
        ({"modality": "imu", "layers": 3}, "layers"),
    ],
)
def test_sizes_that_fit_nothing_are_refused(changes, says):
    with pytest.raises(ValidationError, match=says):
        TowerConfig(**{"width": 64, "blocks": 2, "heads": 4, "dim": 32, **changes})


def _inputs(modality: str, batch: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    shape = (batch, *MODALITIES[modality].model_input)
    if modality != "text":
        return rng.standard_normal(shape, np.float32)
    ids = rng.integers(8, 64, shape)
    ids[:, 5] = END
    return ids
