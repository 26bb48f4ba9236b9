"""Reading a model directory: checked files, weights and towers."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from bindstream.errors import ModelError
from bindstream.models.directory import ARCHITECTURES, CARD, ModelSpec, damaged, digest
from bindstream.records import ModalityName


def read_weights(directory: Path, spec: ModelSpec, name: str) -> dict[str, Tensor]:
    """The tensors of `name` in the directory, once its size and SHA-256 are as model.json says.

    Raises:
        ModelError: the file is missing, truncated, changed or no safetensors file.
    """
    path = check_file(directory, spec, name)
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except SafetensorError as error:
        raise damaged(path, f"It is no safetensors file ({error}).") from error
    return tensors


def check_file(directory: Path, spec: ModelSpec, name: str) -> Path:
    """The path of `name`, once its size and SHA-256 are as model.json says.

    Raises:
        ModelError: the file is missing, truncated or changed.
    """
    path, stated = directory / name, spec.files.get(name)
    if stated is None:
        raise ModelError(f"{CARD} states no file {name}.", where=str(directory))
    if not path.is_file():
        raise damaged(path, "The file is missing.")
    if path.stat().st_size != stated.bytes:
        raise damaged(
            path, f"It has {path.stat().st_size} bytes, {CARD} says {stated.bytes}: truncated?"
        )
    if (found := digest(path)) != stated.sha256:
        raise damaged(path, f"Its SHA-256 is {found[:12]}…, {CARD} says {stated.sha256[:12]}….")
    return path


def build_tower(
    spec: ModelSpec, modality: ModalityName, weights: Mapping[str, Tensor]
) -> nn.Module:
    """The tower with `weights` cast to float32, in evaluation mode, on the CPU.

    Raises:
        ModelError: names or shapes of the weights are not those of the stated architecture.
    """
    with torch.device("meta"):
        tower: nn.Module = import_module(ARCHITECTURES[spec.architecture]).Tower(
            spec.towers[modality]
        )
    try:
        tower.load_state_dict({name: value.float() for name, value in weights.items()}, assign=True)
    except RuntimeError as error:
        raise ModelError(
            f"The weights do not fit the stated architecture ({error}).",
            where=f"tower {modality}",
            fix="Copy the model directory again.",
        ) from error
    return tower.eval().requires_grad_(False)
