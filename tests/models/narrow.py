"""A narrow model, quick to build, that has every tower."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from bindstream.modalities import MODALITIES
from bindstream.models.directory import CARD, ModelSpec, digest
from bindstream.models.imagebind import Tower
from bindstream.models.saving import save_model
from bindstream.models.sizes import TowerConfig
from bindstream.models.tokenizer import Tokenizer, word_tokenizer
from bindstream.records import ModalityName

WORDS = [
    "a",
    "an",
    "the",
    "is",
    "of",
    "sound",
    "picture",
    "dog",
    "barking",
    "glass",
    "breaking",
    "siren",
    "person",
    "falling",
]
DIM = 24


def configs(tokenizer: Tokenizer) -> dict[ModalityName, TowerConfig]:
    text = {"vocabulary": tokenizer.vocabulary, "end_id": tokenizer.end_id}
    return {
        modality: TowerConfig(
            modality=modality,
            width=32,
            blocks=2,
            heads=4,
            dim=DIM,
            **(text if modality == "text" else {}),
        )
        for modality in MODALITIES
    }


def parts(seed: int = 0) -> tuple[ModelSpec, dict[ModalityName, Tower], Tokenizer]:
    torch.manual_seed(seed)
    tokenizer = word_tokenizer(WORDS)
    towers = {modality: Tower(config) for modality, config in configs(tokenizer).items()}
    spec = ModelSpec(
        name="narrow",
        licence="CC0-1.0",
        dim=DIM,
        towers={modality: tower.config for modality, tower in towers.items()},
        temperature={"audio": 0.05},
        trained_words=tuple(WORDS),
        background={"audio": ("the sound of a person",)},
    )
    return spec, towers, tokenizer


def save(directory: Path, seed: int = 0) -> str:
    """Write the narrow model; returns its fingerprint."""
    return save_model(directory, *parts(seed))


def state(directory: Path, name: str) -> None:
    """State the file `name` in model.json as it now is."""
    card, path = json.loads((directory / CARD).read_text()), directory / name
    card["files"][name] = {"bytes": path.stat().st_size, "sha256": digest(path)}
    (directory / CARD).write_text(json.dumps(card))
