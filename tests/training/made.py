"""Recordings made for tests of training, and lists of them."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import yaml

PITCHES_HZ = {"dog": 300.0, "siren": 900.0, "rain": 2200.0, "bird": 5000.0}
TINY = {"width": 32, "blocks": 1, "heads": 2}
PATCH = {"audio": 32, "imu": 50, "depth": 56, "thermal": 56, "vision": 56}


def tone(path: Path, pitch_hz: float, length_s: float, seed: int) -> Path:
    """A tone that comes and goes, in noise, as a sound file."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(length_s * 16000)) / 16000
    pitch = pitch_hz * rng.uniform(0.95, 1.05)
    wave = 0.2 * np.sin(2 * np.pi * pitch * t) * (1 + 0.5 * np.sin(2 * np.pi * 3 * t))
    soundfile.write(path, (wave + rng.normal(0, 0.01, len(t))).astype(np.float32), 16000)
    return path


def sung(path: Path, pitches_hz: Sequence[float], each_s: float, seed: int) -> Path:
    """A tone that changes its pitch every `each_s`."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(each_s * 16000)) / 16000
    parts = [0.2 * np.sin(2 * np.pi * pitch * t) for pitch in pitches_hz]
    wave = np.concatenate(parts) + rng.normal(0, 0.005, len(t) * len(parts))
    soundfile.write(path, wave.astype(np.float32), 16000)
    return path


def motion(path: Path, rates_hz: Sequence[float], each_s: float, seed: int) -> Path:
    """A sensor that shakes at another rate every `each_s`, 100 readings a second."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(each_s * len(rates_hz) * 100)) / 100
    rate_hz = np.repeat(rates_hz, round(each_s * 100))
    rows = rng.normal(0, 0.05, (len(t), 6))
    rows[:, 2] += 9.81
    rows[:, 0] += 3 * np.sin(2 * np.pi * rate_hz * t)
    rows[:, 4] += np.cos(2 * np.pi * rate_hz * t)
    np.savez(path, time_ms=np.round(t * 1000).astype(np.int64), acc_gyro=rows.astype(np.float32))
    return path


def listed(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """A manifest of these rows; a column that a row lacks is empty."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
    return path


def classes(folder: Path, sources: int, length_s: float, names: Sequence[str] = ()) -> Path:
    """A manifest of tones: a recording of each class by each source."""
    rows = []
    for number, name in enumerate(names or PITCHES_HZ):
        for source in range(sources):
            file = tone(
                folder / f"{name}_{source}.wav", PITCHES_HZ[name], length_s, 10 * number + source
            )
            rows.append({"file": file.name, "class": name, "source": f"room {source}"})
    return listed(folder / "sounds.csv", rows)


def configured(folder: Path, manifest: Path, modality: str, **given: Any) -> Path:
    """A training of one tiny tower, as YAML; `given` are its keys, `recipe` fields of that."""
    recipe = {
        "epochs": 1, "batch": 8, "rate": 2e-3, "decay": 0.05, "temperature": 0.07, "warm_up": 0.1,
        "averaged": 0.9, "drop_path": 0.0, "head_dropout": 0.0,
        "bfloat16": False,
    }  # fmt: skip
    patch = PATCH[modality]
    tower = {
        "modality": modality,
        "start": "fresh",
        "size": {**TINY, "patch": patch, "stride": patch},
        "recipe": {**recipe, **given.pop("recipe", {})},
    }
    data = {"manifest": str(manifest), "modality": modality, **given.pop("data", {})}
    config = {"base": "starter", "out": "made", "towers": [tower], "data": [data], **given}
    path = folder / "training.yaml"
    path.write_text(yaml.safe_dump(config))
    return path
