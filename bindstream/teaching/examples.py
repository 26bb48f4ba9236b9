"""Files to the vectors that a query is taught from, by the same windows and towers as live ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from bindstream.averaging import unit_mean
from bindstream.embed_files import FileError, embed_inputs
from bindstream.embedding import Encoder
from bindstream.errors import ConfigError, DataError
from bindstream.features.audio import MEAN, STD
from bindstream.file_inputs import SOUNDS, VIDEOS, Inputs, file_inputs
from bindstream.models.directory import digest
from bindstream.records import ModalityName
from bindstream.sources.camera import PICTURES
from bindstream.sources.raw16 import PICTURES_16

Vectors = NDArray[np.float32]

QUIET_DB = 30.0
"""A window of sound whose loudest 25 ms are this much below the loudest of its file is left out: it
is the pause between what the file is of."""
LEAST_SPREAD = 0.02
"""Model inputs that vary by less show nothing: one grey level of a picture."""
_PADDING = (np.float32(0) - np.float32(MEAN)) / np.float32(STD)  # what fills up short sounds

_SUFFIXES: dict[ModalityName, tuple[str, ...]] = {
    "audio": SOUNDS,
    "vision": (*PICTURES, *VIDEOS),
    "imu": (".csv", ".npz", ".txt"),
}


@dataclass(frozen=True)
class Example:
    """A file's unit vectors (n, dim), one a window; `quiet` windows were left out."""

    file: Path
    sha256: str
    vectors: Vectors
    quiet: int

    @property
    def vector(self) -> Vectors:
        """Their mean as a unit vector (dim,): a long file weighs no more than a short one."""
        return unit_mean(self.vectors)


def modality_of(files: Sequence[Path]) -> ModalityName:
    """What the files are of, by their suffixes.

    Raises:
        ConfigError: that cannot be told, or they are of several modalities.
    """
    found: dict[ModalityName, Path] = {}
    for file in files:
        suffix = file.suffix.lower()
        modality = next((name for name, known in _SUFFIXES.items() if suffix in known), None)
        if modality is None or (suffix in PICTURES_16 and _measures(file)):
            what = "holds 16-bit values" if modality else f"may be of anything ({suffix!r})"
            raise ConfigError(
                f"{file.name} {what}.", fix="Say what it is of: --modality thermal, depth, audio …"
            )
        found.setdefault(modality, file)
    if len(found) > 1:
        kinds = ", ".join(f"{file.name} ({modality})" for modality, file in found.items())
        raise ConfigError(
            f"the files are of several modalities: {kinds}.",
            fix="Vectors of different sensors are not compared: teach a query each.",
        )
    return next(iter(found))


def _measures(file: Path) -> bool:
    """True of a picture with more than 8 bits a value, as thermal and depth cameras write them."""
    try:
        with Image.open(file) as image:
            return image.mode.startswith(("I", "F"))
    except (UnidentifiedImageError, OSError):
        return False  # reading it will say what is wrong


def read_examples(
    encoder: Encoder, modality: ModalityName, files: Sequence[Path]
) -> Iterator[Example | FileError]:
    """One result a file, in order. Blocks for the computation.

    Every file is computed for itself, so that its vectors do not depend on its company.

    Raises:
        MissingPackageError: a library that reads such files is not installed.
    """
    for file in files:
        heard = _Heard(modality)
        (found,) = embed_inputs(encoder, modality, [(file, heard.inputs(file))])
        if isinstance(found, FileError):
            yield found
            continue
        loud = heard.loud()
        try:
            example = Example(
                file, digest(file), found.vectors[loud], int((~loud).sum()) + heard.blank
            )
            example.vector  # noqa: B018  (windows may cancel out)
        except DataError as error:
            yield FileError(file, error.what)
            continue
        yield example


@dataclass
class _Heard:
    """Watches a file's model inputs go by; `blank` ones are not let through."""

    modality: ModalityName
    blank: int = 0
    _peaks_db: list[float] = field(default_factory=list)

    def inputs(self, file: Path) -> Iterator[Inputs]:
        for row in file_inputs(self.modality, file):
            if self._is_blank(row):
                self.blank += 1
                continue
            self._peaks_db.append(_peak_db(row) if self.modality == "audio" else 0.0)
            yield row
        if not self._peaks_db:
            raise DataError("it holds nothing: silence, one colour or one value throughout.")

    def _is_blank(self, row: Inputs) -> bool:
        seen = _frames(row) if self.modality == "audio" else row
        axes = tuple(range(seen.ndim - (1 if self.modality in ("audio", "imu") else 2), seen.ndim))
        return bool(np.ptp(seen, axis=axes).max() < LEAST_SPREAD)

    def loud(self) -> NDArray[np.bool_]:
        peaks_db = np.array(self._peaks_db)
        loud: NDArray[np.bool_] = peaks_db > peaks_db.max() - QUIET_DB
        return loud


def _frames(row: Inputs) -> Inputs:
    """The frames of a sound's model input, (128, n), without those it was filled up with."""
    frames: Inputs = row[0][:, ~(row[0] == _PADDING).all(axis=0)]
    return frames


def _peak_db(row: Inputs) -> float:
    """The loudest frame of a sound, dB to an arbitrary level."""
    log_energy = _frames(row) * STD + MEAN
    return float(10 * np.log10(np.exp(log_energy.astype(np.float64)).sum(axis=0).max()))
