"""A model directory: model.json, one safetensors file a tower, tokenizer.json, golden.safetensors.

model.json states the architecture of each tower, the preprocessing it expects, its licence and the
SHA-256 of every other file, so that a truncated or mixed-up directory is refused by name.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from bindstream.errors import ModelError
from bindstream.features import PREPROCESSING
from bindstream.models.golden import golden_vectors
from bindstream.models.imagebind import Tower, TowerConfig
from bindstream.models.tokenizer import Tokenizer
from bindstream.records import ModalityName

FORMAT: Literal[1] = 1  # of the directory; raised when older versions could not read it
CARD, TOKENIZER, GOLDEN = "model.json", "tokenizer.json", "golden.safetensors"

# A new architecture is one module and one line here: its towers map (B, *model_input) to units.
ARCHITECTURES: dict[str, Callable[[TowerConfig], nn.Module]] = {"imagebind": Tower}


class StoredFile(BaseModel):
    """What a file of the directory must be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bytes: int = Field(ge=0)
    sha256: str


class ModelSpec(BaseModel):
    """model.json. `files` is filled by `save_model`.

    `temperature` turns cosines of text against a modality into probabilities (see
    `Model.probability`). `trained_words` are all words the text tower knows, None if it was
    trained on text at large. `background` holds, per modality, phrases for what else a window may
    show, with which a query's score is contrasted. `notes` are free: figures, credits, training.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = FORMAT
    name: str = Field(min_length=1)
    licence: str = Field(min_length=1, description="SPDX identifier or a sentence, shown to users")
    architecture: str = "imagebind"
    preprocessing: int = PREPROCESSING
    dim: int = Field(gt=0)
    towers: dict[ModalityName, TowerConfig] = Field(min_length=1)
    temperature: dict[ModalityName, float] = Field(default_factory=dict)
    trained_words: tuple[str, ...] | None = None
    background: dict[ModalityName, tuple[str, ...]] = Field(default_factory=dict)
    notes: dict[str, Any] = Field(default_factory=dict)
    files: dict[str, StoredFile] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _agrees(self) -> ModelSpec:
        for modality, tower in self.towers.items():
            if (tower.modality, tower.dim) != (modality, self.dim):
                raise ValueError(
                    f"tower {modality} is stated as {tower.modality} of dimension {tower.dim}"
                )
        if any(not value > 0 for value in self.temperature.values()):
            raise ValueError(f"temperatures {self.temperature} are not all above 0")
        return self

    @property
    def fingerprint(self) -> str:
        """12 hex digits over all that changes a vector: towers, weights, tokens, preprocessing."""
        stated = self.model_dump(
            mode="json", include={"architecture", "preprocessing", "dim", "towers"}
        )
        weights = {name: file.sha256 for name, file in self.files.items() if name != GOLDEN}
        content = json.dumps([stated, weights], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:12]


def save_model(
    directory: Path | str,
    spec: ModelSpec,
    towers: Mapping[ModalityName, nn.Module],
    tokenizer: Tokenizer | None = None,
) -> str:
    """Write a model directory with fp16 weights and return its fingerprint.

    model.json is written last, so an interrupted save is never taken for a model. Golden vectors
    are computed from the weights as stored (fp16 read back as float32 on the CPU).

    Raises:
        ModelError: towers and spec disagree, the text tower has no fitting tokenizer, or weights
            are not finite in fp16.
    """
    directory = Path(directory)
    _check_complete(spec, towers, tokenizer)
    directory.mkdir(parents=True, exist_ok=True)
    files: dict[str, StoredFile] = {}
    golden: dict[str, Tensor] = {}
    for modality, tower in towers.items():
        weights = {
            name: value.detach().cpu().half().contiguous()
            for name, value in tower.state_dict().items()
        }
        broken = [name for name, value in weights.items() if not value.isfinite().all()]
        if broken:
            raise ModelError(
                f"Weights {', '.join(broken)} are not finite in fp16.",
                where=f"tower {modality}",
                fix="Lower the learning rate or clip gradients, and train again.",
            )
        name = f"{modality}.safetensors"
        files[name] = _write(directory / name, save(weights))
        stored = build_tower(spec, modality, weights)
        golden[modality] = golden_vectors(stored, spec.towers[modality])
    if tokenizer is not None:
        files[TOKENIZER] = _write(directory / TOKENIZER, tokenizer.to_json().encode())
    files[GOLDEN] = _write(directory / GOLDEN, save(golden))
    spec = spec.model_copy(update={"files": files})
    _write(directory / CARD, (spec.model_dump_json(indent=2) + "\n").encode())
    return spec.fingerprint


def read_spec(directory: Path) -> ModelSpec:
    """model.json, checked; no weights are read.

    Raises:
        ModelError: no model directory, one of a newer format or another preprocessing, or damaged.
    """
    path = directory / CARD
    if not path.is_file():
        raise ModelError(
            f"There is no {CARD} in this directory.",
            where=str(directory),
            fix="Give the path of a model directory, or the name of a model that is installed.",
        )
    try:
        stated = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise _damaged(path, f"{CARD} is not JSON ({error}).") from error
    version = stated.get("format") if isinstance(stated, dict) else None
    if isinstance(version, int) and version > FORMAT:
        raise ModelError(
            f"The model directory has format {version}, this bindstream reads up to {FORMAT}.",
            where=str(path),
            fix="Upgrade bindstream.",
        )
    if version is None:
        raise ModelError(
            f"{CARD} was not written by bindstream: it states no format.",
            where=str(path),
            fix="Give the path of a model directory that bindstream wrote.",
        )
    try:
        spec = ModelSpec.model_validate(stated)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise _damaged(path, f"{CARD} cannot be used: {place} {first['msg']}.") from error
    if spec.architecture not in ARCHITECTURES:
        raise ModelError(
            f"The architecture {spec.architecture!r} is not known.",
            where=str(path),
            fix=f"Known are: {', '.join(ARCHITECTURES)}. A newer bindstream may know it.",
        )
    if spec.preprocessing != PREPROCESSING:
        raise ModelError(
            f"The model expects preprocessing {spec.preprocessing}, this bindstream does "
            f"{PREPROCESSING}: its vectors would be silently wrong.",
            where=str(path),
            fix="Use the bindstream version it was made with, or train the model again.",
        )
    return spec


def read_weights(directory: Path, spec: ModelSpec, name: str) -> dict[str, Tensor]:
    """The tensors of `name` in the directory, once its size and SHA-256 are as model.json says.

    Raises:
        ModelError: the file is missing, truncated, changed or no safetensors file.
    """
    path = check_file(directory, spec, name)
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except SafetensorError as error:
        raise _damaged(path, f"It is no safetensors file ({error}).") from error
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
        raise _damaged(path, "The file is missing.")
    if path.stat().st_size != stated.bytes:
        raise _damaged(
            path, f"It has {path.stat().st_size} bytes, {CARD} says {stated.bytes}: truncated?"
        )
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    found = digest.hexdigest()
    if found != stated.sha256:
        raise _damaged(path, f"Its SHA-256 is {found[:12]}…, {CARD} says {stated.sha256[:12]}….")
    return path


def build_tower(
    spec: ModelSpec, modality: ModalityName, weights: Mapping[str, Tensor]
) -> nn.Module:
    """The tower with `weights` cast to float32, in evaluation mode, on the CPU.

    Raises:
        ModelError: names or shapes of the weights are not those of the stated architecture.
    """
    with torch.device("meta"):
        tower = ARCHITECTURES[spec.architecture](spec.towers[modality])
    try:
        tower.load_state_dict({name: value.float() for name, value in weights.items()}, assign=True)
    except RuntimeError as error:
        raise ModelError(
            f"The weights do not fit the stated architecture ({error}).",
            where=f"tower {modality}",
            fix="Copy the model directory again.",
        ) from error
    return tower.eval().requires_grad_(False)


def _check_complete(
    spec: ModelSpec, towers: Mapping[ModalityName, nn.Module], tokenizer: Tokenizer | None
) -> None:
    if set(towers) != set(spec.towers):
        raise ModelError(f"The spec states towers {sorted(spec.towers)}, got {sorted(towers)}.")
    text = spec.towers.get("text")
    if text is None:
        return
    if tokenizer is None:
        raise ModelError("A model with a text tower needs its tokenizer.")
    if (tokenizer.vocabulary, tokenizer.end_id) != (text.vocabulary, text.end_id):
        raise ModelError(
            f"The tokenizer has {tokenizer.vocabulary} tokens ending with {tokenizer.end_id}, "
            f"the text tower {text.vocabulary} ending with {text.end_id}."
        )


def _write(path: Path, content: bytes) -> StoredFile:
    """All or nothing: a reader never sees half a file."""
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    os.replace(partial, path)
    return StoredFile(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def _damaged(path: Path, what: str) -> ModelError:
    return ModelError(what, where=str(path), fix="Copy or install the model directory again.")
