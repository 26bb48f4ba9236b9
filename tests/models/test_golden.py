from __future__ import annotations

import hashlib

import pytest
import torch

from bindstream.modalities import MODALITIES
from bindstream.models.golden import golden_input
from bindstream.models.sizes import HUGE

# Stored golden vectors answer to these inputs: should one change, every model would fail its check.
DIGESTS = {
    "vision": "683cd728aa23fb63",
    "audio": "ad5e7c939a155a2d",
    "thermal": "874c89bafe65d1b7",
    "depth": "867ffa6fc6a64e09",
    "imu": "53bce38fe97ea5f0",
    "text": "2beb47c16ba2e28b",
}


@pytest.mark.parametrize("modality", MODALITIES)
def test_golden_inputs_never_change(modality):
    content = golden_input(HUGE[modality]).numpy().tobytes()
    assert hashlib.sha256(content).hexdigest()[:16] == DIGESTS[modality]


@pytest.mark.parametrize("modality", MODALITIES)
def test_golden_inputs_are_what_the_tower_takes(modality):
    x = golden_input(HUGE[modality])
    assert x.shape == (2, *MODALITIES[modality].model_input)
    if modality == "text":
        assert x.dtype == torch.int64
        assert (x == HUGE["text"].end_id).sum(dim=1).tolist() == [1, 1]
        assert 0 <= int(x.min()) <= int(x.max()) < HUGE["text"].vocabulary
    else:
        assert not torch.equal(x[0], x[1])
