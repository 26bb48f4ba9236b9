"""A loaded model: model inputs and text in, unit vectors of the joint space out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bindstream.background import BACKGROUND
from bindstream.errors import DataError, ModelError
from bindstream.features.whole import model_inputs
from bindstream.modalities import MODALITIES
from bindstream.models.directory import TOKENIZER, ModelSpec, damaged, read_spec
from bindstream.models.loading import check_file, dtype_of
from bindstream.models.precision import Arithmetic, Precision
from bindstream.models.tokenizer import Tokenizer, groups_by_length
from bindstream.models.towers import Towers
from bindstream.records import ModalityName

BATCH = 16  # rows at once in `embed`, so that a long recording does not fill the memory
DEFAULT_TEMPERATURE = 0.07  # of CLIP, where a model states none
_WIDER: dict[Arithmetic, str] = {
    "float16": "It ends at 65504: set `precision: bfloat16`, or float32. ",
    "bfloat16": "Set `precision: float32`. ",
    "int8": "Set `precision: float32`. ",
}


class Model:
    """Towers of one model directory on one device. Not thread-safe; one process a device.

    `fingerprint` names weights and preprocessing, `name` and `licence` are the model's own,
    `dim` is the length of its vectors.
    """

    def __init__(
        self,
        directory: Path,
        spec: ModelSpec,
        towers: Towers,
        device: torch.device,
    ) -> None:
        self._directory, self._spec, self._towers = directory, spec, towers
        self._device = device
        self._tokenizer: Tokenizer | None = None
        self.fingerprint = spec.fingerprint
        self.name, self.licence, self.dim = spec.name, spec.licence, spec.dim
        self.texts_encoded = 0  # so far: by it one can tell whether the text tower is in use

    @property
    def modalities(self) -> tuple[ModalityName, ...]:
        """The towers that were asked for."""
        return self._towers.names

    def load(self, *modalities: ModalityName) -> None:
        """Have these towers too. Blocks while those that are new are read and checked.

        Raises:
            ModelError: the model has no such tower, or its files are damaged.
        """
        stated = self._spec.towers
        if absent := [modality for modality in modalities if modality not in stated]:
            wanted = [m for m in MODALITIES if m in (*stated, *absent)]
            options = f"--force --towers {','.join(wanted)}"
            options += " --vocab FILE" if "text" in wanted else ""
            raise ModelError(
                f"The model {self.name} has no tower for {', '.join(absent)}.",
                where=str(self._directory),
                fix=f"It has: {', '.join(stated)}. If it was imported, import it again: {options}.",
            )
        if "text" in modalities and self._tokenizer is None:
            self._tokenizer = _tokenizer(self._directory, self._spec)
        for modality in modalities:
            self._towers.add(modality)

    @property
    def precision(self) -> dict[ModalityName, Arithmetic]:
        """What each tower computes in."""
        return {modality: found.precision for modality, found in self._towers.settled.items()}

    @property
    def reasons(self) -> list[str]:
        """What towers compute in, and why: a line for those that share both.

        Such as "vision, audio in float32: this CPU has no bfloat16 arithmetic (...)".
        """
        together: dict[tuple[str, str], list[str]] = {}
        for modality, found in self._towers.settled.items():
            together.setdefault((found.precision, found.reason), []).append(modality)
        return [
            f"{', '.join(names)} in {precision}: {why}"
            for (precision, why), names in together.items()
        ]

    @property
    def in_memory(self) -> tuple[ModalityName, ...]:
        """Towers whose weights are in memory now."""
        return self._towers.in_memory

    def release(self, modality: ModalityName) -> None:
        """Let go of a tower's memory. It is read again when it is next needed, which blocks."""
        self._towers.release(modality)

    @torch.inference_mode()
    def encode(self, modality: ModalityName, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Unit vectors (B, dim) float32 of model inputs. Blocks for the computation.

        Args:
            batch: (B, *model_input) float32, as the features stage makes them.

        Raises:
            DataError: wrong shape or dtype, or NaN.
            ModelError: the tower is not loaded, or answered with NaN.
        """
        if modality == "text":
            raise DataError("Text is encoded by encode_text.")
        tower = self._tower(modality)
        x = torch.from_numpy(_checked(modality, np.asarray(batch)))
        dtype = dtype_of(self._towers.settled[modality].precision)
        return self._vectors(modality, tower, x.to(self._device, dtype))

    @torch.inference_mode()
    def encode_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors (n, dim) float32 of texts, in their order; over-long ones are cut. Blocks.

        A tower that was released is read again. Texts of like length are computed together, at most
        `tokenizer.TOKENS` tokens at a time, so that any number of them takes bounded memory.

        Raises:
            DataError: not a sequence of str, or a text without a word.
            ModelError: the text tower is not loaded.
        """
        if isinstance(texts, str | bytes) or not hasattr(texts, "__len__"):
            raise DataError("encode_text takes a list of texts.", fix="Write [text].")
        tokenizer = self._text_tokenizer()
        ids = tokenizer.encode(texts)
        vectors = np.zeros((len(ids), self.dim), np.float32)
        for rows in groups_by_length(tokenizer.lengths(ids)):
            x = torch.from_numpy(ids[rows]).to(self._device)
            vectors[rows] = self._vectors("text", self._tower("text"), x)
        self.texts_encoded += len(ids)
        return vectors

    def unknown_words(self, text: str) -> list[str]:
        """Words of `text` that the model was never trained on, in order ([] if it knows all).

        Raises:
            ModelError: the text tower is not loaded.
        """
        return self._text_tokenizer().unknown_words(text)

    def background(self, modality: ModalityName) -> tuple[str, ...]:
        """Phrases for what else a window of this modality may show (see `bindstream.matcher`)."""
        return self._spec.background.get(modality) or BACKGROUND.get(modality, ())

    def temperature(self, modality: ModalityName) -> float:
        """By which cosines of text against `modality` are divided before a softmax."""
        return self._spec.temperature.get(modality, DEFAULT_TEMPERATURE)

    def probability(
        self, modality: ModalityName, cosines: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Softmax of cosines / temperature over the last axis (the texts to choose from).

        A share among the texts given, not the chance that any of them is true.
        """
        logits = np.asarray(cosines, np.float64) / self.temperature(modality)
        raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
        shares = raised / raised.sum(axis=-1, keepdims=True)
        return np.asarray(shares, np.float32)

    def embed(self, modality: ModalityName, data: Any) -> NDArray[np.float32]:
        """Unit vectors (n, dim) of raw data: one row a window, picture or text. Blocks.

        Args:
            data: text: a str or a list of them; otherwise as `features.whole.model_inputs` takes it
                (a wave at 16 kHz, a picture, a frame in °C or metres, IMU rows, or a file's path).

        Raises:
            DataError: data that cannot be used.
            ModelError: the tower is not loaded.
            MissingPackageError: a library that reads the file is not installed.
        """
        if modality == "text":
            return self.encode_text([data] if isinstance(data, str) else data)
        inputs = model_inputs(modality, data)
        rows = [inputs[start : start + BATCH] for start in range(0, len(inputs), BATCH)]
        return np.concatenate([self.encode(modality, row) for row in rows])

    @property
    def golden(self) -> dict[ModalityName, float]:
        """For each tower the least cosine of its golden vectors, computed when it was loaded, to
        those that it was saved with: about 1, see `precision.LEAST_COSINE`."""
        return {modality: found.cosine for modality, found in self._towers.settled.items()}

    def faults(self) -> dict[str, str]:
        """Towers that when they were loaded gave, in float32 too, vectors a little off those they
        were saved with, and by how much ({}: none). Those far off are not loaded at all."""
        return {
            f"tower {modality}": "gives other vectors than it was saved with "
            f"(cosine {found.cosine:.4f})"
            for modality, found in self._towers.settled.items()
            if not found.sound
        }

    @property
    def warnings(self) -> dict[str, str]:
        """What a user should know of each tower: its fault, or what it does not do as asked."""
        said: dict[str, list[str]] = {name: [fault] for name, fault in self.faults().items()}
        for modality, found in self._towers.settled.items():
            if found.warning:
                said.setdefault(f"tower {modality}", []).append(found.warning)
        for modality, why in self._towers.uncompiled.items():
            said.setdefault(f"tower {modality}", []).append(f"runs uncompiled: {why}")
        return {name: "; ".join(each) for name, each in said.items()}

    def _tower(self, modality: ModalityName) -> nn.Module:
        if modality in self.modalities:
            return self._towers[modality]
        raise ModelError(
            f"The tower for {modality} is not loaded (loaded: {', '.join(self.modalities)}).",
            where=self.name,
            fix=f"The model has: {', '.join(self._spec.towers)}. Load the towers you need.",
        )

    def _text_tokenizer(self) -> Tokenizer:
        if self._tokenizer is None:
            self._tower("text")  # which says why there is none
            raise ModelError("The text tower came without its tokenizer.", where=self.name)
        return self._tokenizer

    def _vectors(self, modality: ModalityName, tower: nn.Module, x: Tensor) -> NDArray[np.float32]:
        if len(x) == 0:
            return np.zeros((0, self.dim), np.float32)
        vectors: NDArray[np.float32] = tower(x).float().cpu().numpy()
        if not np.isfinite(vectors).all():
            precision = self._towers.settled[modality].precision
            raise ModelError(
                f"The tower for {modality} answered with NaN in {precision}.",
                where=f"{self.name} on {self._device}",
                fix=_WIDER.get(precision, "")
                + "Run `bindstream doctor`; load with device='cpu' to rule out the device.",
            )
        return vectors


def _tokenizer(directory: Path, spec: ModelSpec) -> Tokenizer:
    """The tokenizer of a directory, once it is known to be its text tower's."""
    tokenizer = Tokenizer.load(check_file(directory, spec, TOKENIZER), spec.trained_words)
    if misfit := tokenizer.misfit(spec.towers["text"]):
        raise damaged(directory / TOKENIZER, misfit)
    return tokenizer


def _checked(modality: ModalityName, batch: NDArray[Any]) -> NDArray[np.float32]:
    """The batch as float32, contiguous."""
    due = MODALITIES[modality].model_input
    embed = "Give raw data to `embed`, which makes model inputs of them."
    if batch.ndim != len(due) + 1 or batch.shape[1:] != due:
        shape = f"(B, {', '.join(map(str, due))})"
        raise DataError(
            f"A batch of {modality} has shape {batch.shape}, {shape} is due.", fix=embed
        )
    if batch.dtype.kind != "f":
        raise DataError(f"A batch of {modality} is {batch.dtype}, float32 is needed.", fix=embed)
    with np.errstate(over="ignore"):  # to infinity, which is refused next
        whole = np.ascontiguousarray(batch, np.float32)
    if not np.isfinite(whole).all():
        raise DataError(f"A batch of {modality} holds NaN or infinity.")
    return whole


def open_model(
    directory: Path,
    modalities: Sequence[ModalityName] | None,
    device: torch.device,
    precision: Precision,
    compiled: bool,
) -> Model:
    """The towers asked for (all if None) of a model directory, on `device`. See `load_model`.

    Raises:
        ModelError: the directory is damaged or foreign, or has no such tower.
    """
    spec = read_spec(directory)
    model = Model(directory, spec, Towers(directory, spec, device, precision, compiled), device)
    model.load(*(spec.towers if modalities is None else modalities))
    return model
