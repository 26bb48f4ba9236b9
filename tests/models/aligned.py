"""A narrow model that by construction tells three things apart, and the files that show them.

Towers are random but for their heads, which are solved for: the features of the n-th picture, sound
and text are turned to the n-th axis of the joint space.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import torch
from PIL import Image

from bindstream.features.views import views
from bindstream.models.directory import ModelSpec
from bindstream.models.imagebind import Tower
from bindstream.models.saving import save_model
from bindstream.models.sizes import TowerConfig
from bindstream.models.tokenizer import word_tokenizer
from bindstream.records import ModalityName

TEXTS = ("A dog.", "A car", "A bird")
SCALES: dict[ModalityName, float] = {"vision": 1.0, "audio": 20.0, "text": 100.0, "imu": 5.0}
DIM = 8


class Things(NamedTuple):
    directory: Path
    images: list[Path]
    sounds: list[Path]


def save(folder: Path, scales: dict[ModalityName, float]) -> Things:
    """Write three pictures, three sounds and the model that tells them apart."""
    names = ("dog", "car", "bird")
    images = [folder / f"{name}_image.png" for name in names]
    sounds = [folder / f"{name}_audio.wav" for name in names]
    rng = np.random.default_rng(4)
    for place, (image, sound) in enumerate(zip(images, sounds, strict=True)):
        picture = rng.integers(0, 40, (260, 300, 3), np.uint8)
        picture[..., place] += 200  # red, green, blue
        Image.fromarray(picture).save(image)
        times_s = np.arange(5 * 16000) / 16000
        tone = 0.3 * np.sin(2 * np.pi * 300 * 4**place * times_s)
        noise = rng.normal(0, 0.001, (len(times_s), 2))
        soundfile.write(sound, tone[:, None] + noise, 16000, subtype="FLOAT")
    torch.manual_seed(1)
    tokenizer = word_tokenizer(["a", *names])
    inputs: dict[ModalityName, np.ndarray] = {
        "vision": np.concatenate([views("vision", path) for path in images]),
        "audio": np.concatenate([views("audio", path) for path in sounds]),
        "text": tokenizer.encode(TEXTS),
    }
    text = {"vocabulary": tokenizer.vocabulary, "end_id": tokenizer.end_id}
    towers: dict[ModalityName, Tower] = {}
    for modality in ("vision", "audio", "text", "imu"):
        config = TowerConfig(
            modality=modality,
            width=32,
            blocks=1,
            heads=2,
            dim=DIM,
            **(text if modality == "text" else {}),
        )
        towers[modality] = Tower(config)
        if modality in inputs:
            _align(towers[modality], torch.from_numpy(inputs[modality]))
    spec = ModelSpec(
        name="aligned",
        licence="CC0-1.0",
        dim=DIM,
        towers={modality: tower.config for modality, tower in towers.items()},
        scales=scales,
        trained_words=("a", *names),
    )
    save_model(folder / "model", spec, towers, tokenizer)
    return Things(folder / "model", images, sounds)


@torch.no_grad()
def _align(tower: Tower, inputs: torch.Tensor) -> None:
    """Solve for the head that turns each third of `inputs` to its own axis."""
    head, tower.head = tower.head, torch.nn.Identity()
    features = tower(inputs)
    wanted = torch.eye(DIM)[:3].repeat_interleave(len(inputs) // 3, dim=0)
    weight = torch.linalg.lstsq(features, wanted, driver="gelsd", rcond=1e-3).solution.T
    tower.head = head
    tower.head.weight.copy_(weight)
