"""The file of a taught query: readable JSON, with all that is needed to teach it again."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from bindstream.errors import DataError, ModelError
from bindstream.records import ModalityName

Vector = NDArray[np.float32]

FORMAT: Literal[1] = 1  # of the file; raised when older versions could not read it
MOST_BYTES = 4 << 20  # hundreds of examples with long names take a tenth of it
UNIT_WITHIN = 1e-3


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class TaughtBy(_Part):
    """The model whose towers the vector belongs to."""

    name: str
    fingerprint: str = Field(min_length=1)


class TaughtFile(_Part):
    """An example, or a file of what the query is not.

    `file` starts from the folder of the taught query's file. `windows` were used, `quiet` were left
    out. `score` is the cosine to a query made without this file.
    """

    file: str = Field(min_length=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    windows: int = Field(ge=1)
    quiet: int = Field(default=0, ge=0)
    score: float = Field(ge=-1.01, le=1.01)


class Taught(_Part):
    """A query made of examples, see `bindstream.teaching.fitting`.

    `vector` is of unit length, (dim,) little-endian float32 in base64. A window's score counts from
    `level`. `pull` is what holds a ridge's vector to the examples' mean (None for a prototype).
    `text` are the words mixed in, with `text_weight` from 0 to 1. `made` is UTC, ISO 8601.
    """

    format: Literal[1] = FORMAT
    name: str = Field(min_length=1, max_length=64)
    modality: ModalityName
    model: TaughtBy
    dim: int = Field(gt=0, le=1 << 16)
    vector: str
    level: float = Field(ge=-2, le=2)
    method: Literal["prototype", "ridge"]
    pull: float | None = Field(default=None, gt=0)
    text: tuple[str, ...] = ()
    text_weight: float = Field(default=0.0, ge=0, lt=1)
    made: str = ""
    examples: tuple[TaughtFile, ...] = ()
    negatives: tuple[TaughtFile, ...] = ()

    @field_validator("modality")
    @classmethod
    def _of_a_sensor(cls, modality: ModalityName) -> ModalityName:
        if modality == "text":
            raise ValueError("text is no sensor")
        return modality

    @model_validator(mode="after")
    def _holds_a_vector(self) -> Taught:
        try:
            data = base64.b64decode(self.vector, validate=True)
        except binascii.Error as error:
            raise ValueError(f"vector is no base64 ({error})") from None
        if len(data) != 4 * self.dim:
            raise ValueError(f"vector has {len(data)} bytes, dim {self.dim} needs {4 * self.dim}")
        norm = float(np.linalg.norm(self.unit.astype(np.float64)))
        if not abs(norm - 1) <= UNIT_WITHIN:  # nor NaN
            raise ValueError(f"vector has length {norm:g}, not 1")
        return self

    @property
    def unit(self) -> Vector:
        """The query's vector, (dim,) float32 of unit length."""
        return np.frombuffer(base64.b64decode(self.vector), "<f4").astype(np.float32)

    def check_model(self, fingerprint: str, where: str = "") -> None:
        """Refuse a model that did not teach this: its vectors mean something else.

        Raises:
            ModelError: its fingerprint is another one.
        """
        if self.model.fingerprint != fingerprint:
            raise ModelError(
                f"the taught query {self.name!r} is of the model {self.model.name} "
                f"({self.model.fingerprint}), this model is {fingerprint}.",
                where=where,
                fix="Teach it again by the model that runs: bindstream teach --again "
                f"{where or self.name + '.json'} --model NAME",
            )


def encoded(vector: Vector) -> str:
    """A vector as `Taught.vector` holds it."""
    return base64.b64encode(np.ascontiguousarray(vector, "<f4").tobytes()).decode("ascii")


def read_taught(path: Path) -> Taught:
    """The taught query in a file.

    Raises:
        DataError: it is not there, or is no taught query.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        content = json.loads(data) if len(data) <= MOST_BYTES else None
    except OSError as error:
        raise DataError(
            f"it cannot be read: {error.strerror or error}.",
            where=str(path),
            fix="Make one: bindstream teach NAME FILES...",
        ) from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"it is no taught query: {error}.", where=str(path)) from None
    return taught_from(content, str(path))


def taught_from(content: Any, where: str) -> Taught:
    """The taught query that JSON data hold.

    Raises:
        DataError: they hold none; says what is wrong first.
    """
    try:
        return Taught.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        what = first["msg"].removeprefix("Value error, ")
        raise DataError(
            f"it is no taught query: {place + ': ' if place else ''}{what}.",
            where=where,
            fix="Make one: bindstream teach NAME FILES...",
        ) from None


def save_taught(taught: Taught, path: Path) -> None:
    """Write a file, whole or not at all; folders are made as needed.

    Raises:
        DataError: it cannot be written.
    """
    text = json.dumps(taught.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"
    partial: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        partial = Path(name)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.chmod(0o644)  # others, too, may run what it is for
        os.replace(partial, path)
    except OSError as error:
        raise DataError(
            f"it cannot be written: {error.strerror or error}.", where=str(path)
        ) from None
    finally:
        if partial is not None:
            with contextlib.suppress(OSError):  # put in place already
                partial.unlink()
