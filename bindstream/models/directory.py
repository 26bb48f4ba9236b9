"""A model directory: model.json, one safetensors file a tower, tokenizer.json, golden.safetensors.

model.json states the architecture of each tower, the preprocessing it expects, its licence and the
SHA-256 of every other file, so that a truncated or mixed-up directory is refused by name.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bindstream.errors import ModelError
from bindstream.features import PREPROCESSING
from bindstream.models.sizes import TowerConfig
from bindstream.records import ModalityName

StoredDtype = Literal["float16", "bfloat16", "float32"]

FORMAT: Literal[1] = 1  # of the directory; raised when older versions could not read it
CARD, TOKENIZER, GOLDEN = "model.json", "tokenizer.json", "golden.safetensors"
FILE_NAME = re.compile(r"\w[\w.-]*")  # of a file within the directory: no path leads out of it

# A new architecture is one module and one line here. The module's `Tower` takes a TowerConfig and
# maps (B, *model_input) to units.
ARCHITECTURES = {"imagebind": "bindstream.models.imagebind"}


class StoredFile(BaseModel):
    """What a file of the directory must be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bytes: int = Field(ge=0)
    sha256: str


class ModelSpec(BaseModel):
    """model.json. `files` is filled by `ModelWriter`.

    `dtype` is that of the weights as stored. `temperature` turns cosines of text against a modality
    into probabilities (see `Model.probability`). `scales` are what the code that a tower was
    published with multiplies onto its unit vectors; they are stated, and not applied. `limits` are
    sentences on what the model cannot do. `trained_words` are all words the text tower knows, None
    if it was trained on text at large. `background` holds, per modality, phrases for what else a
    window may show, with which a query's score is contrasted. `notes` are free: figures, credits,
    training.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = FORMAT
    name: str = Field(min_length=1)
    licence: str = Field(min_length=1, description="SPDX identifier or a sentence, shown to users")
    architecture: str = "imagebind"
    preprocessing: int = PREPROCESSING
    dim: int = Field(gt=0)
    dtype: StoredDtype = "float16"
    towers: dict[ModalityName, TowerConfig] = Field(min_length=1)
    temperature: dict[ModalityName, float] = Field(default_factory=dict)
    scales: dict[ModalityName, float] = Field(default_factory=dict)
    limits: tuple[str, ...] = ()
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
        for what, values in (("temperatures", self.temperature), ("scales", self.scales)):
            if any(not 0 < value < math.inf for value in values.values()):
                raise ValueError(f"{what} {values} are not all above 0")
        if paths := [name for name in self.files if not FILE_NAME.fullmatch(name)]:
            raise ValueError(f"files {paths} are not bare file names")
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


def digest(path: Path) -> str:
    """SHA-256 of a file, in hex; its content is never in memory at once.

    Raises:
        ModelError: the file cannot be read.
    """
    found = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                found.update(chunk)
    except OSError as error:
        raise unreadable(path, error) from error
    return found.hexdigest()


def read_spec(directory: Path) -> ModelSpec:
    """model.json, checked; no weights are read.

    Raises:
        ModelError: no model directory, one that cannot be read, of a newer format or of another
            preprocessing, or damaged.
    """
    path = directory / CARD
    stated = _read_card(path)
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
        if first["type"] == "extra_forbidden":
            raise ModelError(
                f"{CARD} states {place}, which this bindstream does not know.",
                where=str(path),
                fix="Upgrade bindstream if a newer one wrote the directory; else copy it again.",
            ) from error
        raise damaged(path, f"{CARD} cannot be used: {place} {first['msg']}.") from error
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


def damaged(path: Path, what: str) -> ModelError:
    """The error for a file of a model directory that is not what it should be."""
    return ModelError(what, where=str(path), fix="Copy or install the model directory again.")


def unreadable(path: Path, error: OSError) -> ModelError:
    """The error for a file of a model directory that the system does not let us read."""
    return ModelError(
        f"The file cannot be read ({error.strerror or error}).",
        where=str(path),
        fix="Check who may read it, and the disk it lies on.",
    )


def _read_card(path: Path) -> Any:
    """What model.json holds, as JSON."""
    try:
        if not path.is_file():
            raise ModelError(
                f"There is no {CARD} in this directory.",
                where=str(path.parent),
                fix="Give the path of a model directory, or the name of a model that is installed.",
            )
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, RecursionError) as error:  # no JSON, no text, too long a number, too deep
        raise damaged(path, f"{CARD} is not JSON that can be read ({error}).") from error
