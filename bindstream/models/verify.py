"""Does a model answer as published? The three tables of ImageBind's README, and what they show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bindstream.averaging import view_vectors
from bindstream.errors import ModelError
from bindstream.models.directory import ModelSpec
from bindstream.models.encoder import Model
from bindstream.models.loading import check_file
from bindstream.models.sizes import HUGE
from bindstream.records import ModalityName

NEEDED: tuple[ModalityName, ...] = ("vision", "audio", "text")
TEXTS = ("A dog.", "A car", "A bird")  # of the README, spelt as there
SUBJECTS = ("dog", "car", "bird")  # of its files: dog_image.jpg, dog_audio.wav and so on


@dataclass(frozen=True)
class Published:
    """The diagonal of a table in ImageBind's README (at 53680b0), and how near it has to be met."""

    diagonal: tuple[float, ...]
    tolerance: float


PUBLISHED: dict[tuple[ModalityName, ModalityName], Published] = {
    ("vision", "text"): Published((0.99761, 0.99994, 0.98646), 0.005),
    ("audio", "text"): Published((1.0, 1.0, 1.0), 0.005),
    # Scaled by 20 and not by 100: nothing is saturated, so every inexactness of the sound shows.
    ("vision", "audio"): Published((0.8070, 0.7884, 0.9960), 0.02),
}


@dataclass(frozen=True)
class Comparison:
    """How `rows` share out among `columns`: (n, n) float64, each row sums to 1.

    With `published` figures it holds if the diagonal is theirs, else if each row's largest share is
    on the diagonal.
    """

    rows: ModalityName
    columns: ModalityName
    shares: NDArray[np.float64]
    published: Published | None = None

    @property
    def name(self) -> str:
        return f"{self.rows} x {self.columns}"

    @property
    def diagonal(self) -> NDArray[np.float64]:
        return self.shares.diagonal()

    @property
    def leads(self) -> list[bool]:
        """For each row whether the share on the diagonal is larger than all others."""
        others = self.shares.copy()
        np.fill_diagonal(others, -1)
        return [bool(lead) for lead in self.diagonal > others.max(axis=1)]

    @property
    def holds(self) -> bool:
        if self.published is None:
            return all(self.leads)
        off = np.abs(self.diagonal - self.published.diagonal)
        return bool(off.max() <= self.published.tolerance)


def check_towers(directory: Path, spec: ModelSpec) -> None:
    """Refuse a model that lacks a tower the tables need.

    Raises:
        ModelError: it does.
    """
    if absent := [modality for modality in NEEDED if modality not in spec.towers]:
        raise ModelError(
            f"The model has no tower for {', '.join(absent)}.",
            where=str(directory),
            fix=f"Import it again with {', '.join(NEEDED)} among its towers.",
        )


def check_files(directory: Path, spec: ModelSpec) -> int:
    """Compare size and SHA-256 of every file with model.json; how many there are. Blocks.

    Raises:
        ModelError: a file is missing, truncated or changed.
    """
    for name in spec.files:
        check_file(directory, spec, name)
    return len(spec.files)


def why_not_published(
    spec: ModelSpec, images: Sequence[Path], sounds: Sequence[Path], texts: Sequence[str]
) -> str:
    """Why the README's figures cannot be expected of these files and this model; "" if they can."""
    if any(spec.towers[m] != HUGE[m] or m not in spec.scales for m in NEEDED):
        return "this model is not the published imagebind_huge"
    if tuple(texts) != TEXTS:
        return f"the texts are not {', '.join(map(repr, TEXTS))}"
    for files in (images, sounds):
        names = [path.name.lower() for path in files]
        if len(names) != len(SUBJECTS) or not all(map(str.__contains__, names, SUBJECTS)):
            return f"the files are not of a {', a '.join(SUBJECTS)}, by their names in this order"
    return ""


def compare(
    model: Model,
    spec: ModelSpec,
    images: Sequence[Path],
    sounds: Sequence[Path],
    texts: Sequence[str],
    *,
    published: bool,
) -> list[Comparison]:
    """Vision x text, audio x text and vision x audio. Blocks for the computation.

    As the published code computes them: softmax over the last axis of the products of vectors that
    were multiplied by their fixed scales, a file's being the mean over its views, *not* made a unit
    vector again. A model that states no scales is compared by its temperatures.

    Args:
        images, sounds, texts: equally many, the same things in the same order.
        published: hold the tables against the README's figures (see `why_not_published`).

    Raises:
        BindstreamError: a file that cannot be used, or a model that gives no vectors.
    """
    vectors: dict[ModalityName, NDArray[Any]] = {
        "vision": np.stack([_mean(model, "vision", file) for file in images]),
        "audio": np.stack([_mean(model, "audio", file) for file in sounds]),
        "text": model.encode_text(texts),
    }
    return [
        Comparison(
            rows,
            columns,
            _softmax(_scale(model, spec, rows, columns) * vectors[rows] @ vectors[columns].T),
            figures if published else None,
        )
        for (rows, columns), figures in PUBLISHED.items()
    ]


def _mean(model: Model, modality: ModalityName, file: Path) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = view_vectors(model, modality, file).mean(axis=0, dtype=np.float64)
    return mean


def _scale(model: Model, spec: ModelSpec, rows: ModalityName, columns: ModalityName) -> float:
    if all(modality in spec.scales for modality in NEEDED):
        return spec.scales[rows] * spec.scales[columns]
    # Temperatures are those of words against a sensor; between sensors the columns' has to do.
    return 1 / model.temperature(rows if columns == "text" else columns)


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: NDArray[np.float64] = raised / raised.sum(axis=-1, keepdims=True)
    return shares
