"""What a model directory holds, told without torch and without reading weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from bindstream.background import BACKGROUND
from bindstream.models.cost import operations
from bindstream.models.directory import ModelSpec, read_spec
from bindstream.records import ModalityName


@dataclass(frozen=True)
class TowerDescription:
    """One tower. `gflop` are the operations for one view (a text: of 77 tokens) as computed here.

    `parameters` are counted in its file; None where `fault` says that the file is not whole.
    """

    width: int
    heads: int
    blocks: int
    tokens: int
    gflop: float
    file_bytes: int
    parameters: int | None
    fault: str

    @property
    def float32_bytes(self) -> int | None:
        """Memory of the weights when they are loaded in float32."""
        return None if self.parameters is None else 4 * self.parameters

    @property
    def half_bytes(self) -> int | None:
        """Memory of the weights when they are loaded in half precision."""
        return None if self.parameters is None else 2 * self.parameters


@dataclass(frozen=True)
class Description:
    """A model. `spec` is its model.json, `vocabulary` how many tokens it has (0 without text).

    `known_words` is how many words it was trained on (None: text at large), `background` how many
    phrases each modality's windows are contrasted with.
    """

    directory: Path
    spec: ModelSpec
    towers: dict[ModalityName, TowerDescription]
    vocabulary: int
    known_words: int | None
    background: dict[ModalityName, int]


def describe(directory: Path) -> Description:
    """Read model.json and the headers of the towers' files.

    Raises:
        ModelError: no model directory, or one that cannot be used.
    """
    spec = read_spec(directory)
    text = spec.towers.get("text")
    return Description(
        directory=directory,
        spec=spec,
        towers={modality: _tower(directory, spec, modality) for modality in spec.towers},
        vocabulary=text.vocabulary if text else 0,
        known_words=None if spec.trained_words is None else len(spec.trained_words),
        background={
            modality: len(spec.background.get(modality) or BACKGROUND.get(modality, ()))
            for modality in spec.towers
            if modality != "text"
        },
    )


def _tower(directory: Path, spec: ModelSpec, modality: ModalityName) -> TowerDescription:
    config, name = spec.towers[modality], f"{modality}.safetensors"
    path, stated = directory / name, spec.files.get(name)
    found, fault, parameters = 0, "", None
    try:
        found = path.stat().st_size if path.is_file() else 0
        if not path.is_file():
            fault = f"{name} is missing"
        elif stated is None or found != stated.bytes:
            due = "none stated" if stated is None else f"{stated.bytes} are due"
            fault = f"{name} has {found} bytes, {due}"
        else:
            with safe_open(path, "numpy") as tensors:
                shapes = [tensors.get_slice(name).get_shape() for name in tensors.keys()]  # noqa: SIM118
            parameters = sum(math.prod(shape) for shape in shapes)
    except SafetensorError as error:
        fault = f"{name} is no safetensors file ({error})"
    except OSError as error:
        fault = f"{name} cannot be read ({error})"
    return TowerDescription(
        width=config.width,
        heads=config.heads,
        blocks=config.blocks,
        tokens=config.tokens,
        gflop=operations(config).here_gflop,
        file_bytes=found,
        parameters=parameters,
        fault=fault,
    )
