from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from bindstream.models import load_model
from bindstream.models.published.imagebind import IMAGEBIND
from bindstream.models.published.importing import import_checkpoints
from bindstream.models.sizes import HUGE
from tests import parity
from tests.models.published.checkpoints import narrowed

SENSORS = ("vision", "audio", "thermal", "depth", "imu")
SMALL = narrowed(width=64, dim=32)


def table(configs: dict) -> dict[str, list[int]]:
    """Every entry a checkpoint of these sizes holds, and its shape."""
    entries: dict[str, list[int]] = {}
    for config in configs.values():
        for entry in IMAGEBIND.weights(config).values():
            assert entry.name not in entries
            entries[entry.name] = list(entry.shape)
        entries.update({n: list(shape) for n, shape in IMAGEBIND.constants(config).items()})
    return entries


@pytest.mark.parametrize(("stored", "configs"), [("huge", HUGE), ("small", SMALL)])
def test_the_table_holds_every_published_entry_and_no_other(stored, configs):
    assert table(configs) == parity.table(f"keys_{stored}.json")


def test_the_published_checkpoint_has_1311_entries_and_1200781057_parameters():
    assert len(table(HUGE)) == 1311
    weights = [entry.shape for c in HUGE.values() for entry in IMAGEBIND.weights(c).values()]
    learned_scale = 1  # the text's; mask and fixed scales are not learned
    assert sum(math.prod(shape) for shape in weights) + learned_scale == 1_200_781_057


def test_an_imported_checkpoint_gives_the_reference_s_vectors(tmp_path):
    fill, entries = parity.seeded().fill, {}
    for name, shape in parity.table("keys_small.json").items():
        if ".text." not in name and (value := fill(name, tuple(shape))) is not None:
            entries[name] = torch.from_numpy(value)
    for modality, scale in {"audio": 20, "depth": 5, "thermal": 10, "imu": 5}.items():
        entries[IMAGEBIND.log_scales[modality]] = torch.tensor(np.log(scale))
    torch.save(entries, tmp_path / "small.pth")
    import_checkpoints(
        [tmp_path / "small.pth"], tmp_path / "out", towers=SENSORS, configs=SMALL, dtype="float32"
    )
    model = load_model(tmp_path / "out", device="cpu", precision="float32")
    inputs, expected = parity.seeded().inputs(2), parity.figures("golden_small.npz")
    for modality in SENSORS:
        unit = expected[modality] / np.linalg.norm(expected[modality], axis=1, keepdims=True)
        np.testing.assert_allclose(model.encode(modality, inputs[modality]), unit, atol=2e-6)
