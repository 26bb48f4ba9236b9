"""What many tests need: a small model with seeded random weights, made once a session."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

import nodes  # noqa: F401  (sets Ray's environment before anything imports Ray)

os.environ.setdefault("OMP_NUM_THREADS", "2")

# Where all has to pass, the same examples each time; elsewhere new ones, which find new faults.
settings.register_profile("all", derandomize=True)
if os.environ.get("BINDSTREAM_REQUIRE_SYSTEM"):
    settings.load_profile("all")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory of all six towers, a few thousand weights each, untrained."""
    import torch

    from bindstream.modalities import MODALITIES
    from bindstream.models.directory import ModelSpec
    from bindstream.models.imagebind import Tower
    from bindstream.models.saving import save_model
    from bindstream.models.sizes import TowerConfig
    from bindstream.models.tokenizer import word_tokenizer

    torch.manual_seed(7)
    words = [
        "a",
        "dog",
        "barking",
        "glass",
        "breaking",
        "silence",
        "room",
        "an",
        "empty",
        "nothing",
    ]
    tokenizer = word_tokenizer(words)
    trained = tuple(sorted(set(words)))
    size = {"width": 32, "blocks": 1, "heads": 2, "dim": 16}
    text = {"vocabulary": tokenizer.vocabulary, "end_id": tokenizer.end_id}
    towers = {
        m: TowerConfig(modality=m, **size, **(text if m == "text" else {})) for m in MODALITIES
    }
    spec = ModelSpec(
        name="tiny", licence="Apache-2.0", dim=16, towers=towers, trained_words=trained
    )
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_model(folder, spec, {m: Tower(c) for m, c in towers.items()}, tokenizer)
    return folder
