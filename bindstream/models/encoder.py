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
from bindstream.models.directory import GOLDEN, TOKENIZER, ModelSpec, read_spec
from bindstream.models.golden import LEAST_COSINE, golden_vectors
from bindstream.models.loading import build_tower, check_file, read_weights
from bindstream.models.tokenizer import Tokenizer
from bindstream.records import ModalityName

BATCH = 16  # rows at once in `embed`, so that a long recording does not fill the memory
DEFAULT_TEMPERATURE = 0.07  # of CLIP, where a model states none


class Model:
    """Towers of one model directory on one device. Not thread-safe; one process a device.

    `fingerprint` names weights and preprocessing, `name` and `licence` are the model's own,
    `dim` is the length of its vectors, `modalities` are the towers that are loaded.
    """

    def __init__(
        self,
        spec: ModelSpec,
        towers: dict[ModalityName, nn.Module],
        tokenizer: Tokenizer | None,
        golden: dict[str, Tensor],
        device: torch.device,
    ) -> None:
        # Half precision halves memory and time where the device computes in it.
        self._dtype = torch.float16 if device.type == "cuda" else torch.float32
        self._device = device
        self._towers = {m: tower.to(device, self._dtype) for m, tower in towers.items()}
        self._spec, self._tokenizer, self._golden = spec, tokenizer, golden
        self.fingerprint = spec.fingerprint
        self.name, self.licence, self.dim = spec.name, spec.licence, spec.dim
        self.modalities: tuple[ModalityName, ...] = tuple(towers)

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
        batch = np.asarray(batch)
        wanted = MODALITIES[modality].model_input
        if batch.shape[1:] != wanted or batch.ndim != len(wanted) + 1:
            raise DataError(f"A batch of {modality} has shape {batch.shape}, (B, {wanted}) is due.")
        if batch.dtype.kind != "f":
            raise DataError(f"A batch of {modality} is {batch.dtype}, float32 is needed.")
        if not np.isfinite(batch).all():
            raise DataError(f"A batch of {modality} holds NaN or infinity.")
        x = torch.from_numpy(np.ascontiguousarray(batch, np.float32))
        return self._vectors(modality, tower, x.to(self._device, self._dtype))

    @torch.inference_mode()
    def encode_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors (n, dim) float32 of texts; over-long ones are cut. Blocks.

        Raises:
            DataError: not a sequence of str.
            ModelError: the text tower is not loaded.
        """
        tower = self._tower("text")
        if isinstance(texts, str):
            raise DataError("encode_text takes a list of texts.", fix="Write [text].")
        ids = torch.from_numpy(self._text_tokenizer().encode(texts))
        return self._vectors("text", tower, ids.to(self._device))

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

    def check(self) -> dict[ModalityName, float]:
        """For each tower the least cosine of its golden vectors to those stored with the model.

        About 1 is right; under `golden.LEAST_COSINE` (or NaN) the tower must not be used.
        """
        cosines: dict[ModalityName, float] = {}
        for modality, tower in self._towers.items():
            found = golden_vectors(tower, self._spec.towers[modality])
            cosines[modality] = float((found * self._golden[modality]).sum(-1).min())
        return cosines

    def faults(self) -> dict[str, str]:
        """Towers that do not give the vectors they were saved with, and by how much ({}: none)."""
        return {
            f"tower {modality}": f"gives other vectors than it was saved with (cosine {cosine:.4f})"
            for modality, cosine in self.check().items()
            if not cosine >= LEAST_COSINE
        }

    def _tower(self, modality: ModalityName) -> nn.Module:
        try:
            return self._towers[modality]
        except KeyError:
            raise ModelError(
                f"The tower for {modality} is not loaded (loaded: {', '.join(self.modalities)}).",
                where=self.name,
                fix=f"The model has: {', '.join(self._spec.towers)}. Load the towers you need.",
            ) from None

    def _text_tokenizer(self) -> Tokenizer:
        self._tower("text")
        if self._tokenizer is None:
            raise ModelError("The text tower came without its tokenizer.", where=self.name)
        return self._tokenizer

    def _vectors(self, modality: ModalityName, tower: nn.Module, x: Tensor) -> NDArray[np.float32]:
        if len(x) == 0:
            return np.zeros((0, self.dim), np.float32)
        vectors: NDArray[np.float32] = tower(x).float().cpu().numpy()
        if not np.isfinite(vectors).all():
            raise ModelError(
                f"The tower for {modality} answered with NaN.",
                where=f"{self.name} on {self._device}",
                fix="Run `bindstream doctor`; load with device='cpu' to rule out the device.",
            )
        return vectors


def open_model(
    directory: Path, modalities: Sequence[ModalityName] | None, device: torch.device
) -> Model:
    """The towers asked for (all if None) of a model directory, on `device`.

    Raises:
        ModelError: the directory is damaged or foreign, or has no such tower.
    """
    spec = read_spec(directory)
    wanted = tuple(spec.towers) if modalities is None else tuple(dict.fromkeys(modalities))
    absent = [modality for modality in wanted if modality not in spec.towers]
    if absent:
        raise ModelError(
            f"The model {spec.name} has no tower for {', '.join(absent)}.",
            where=str(directory),
            fix=f"It has: {', '.join(spec.towers)}.",
        )
    towers = {
        m: build_tower(spec, m, read_weights(directory, spec, f"{m}.safetensors")) for m in wanted
    }
    golden = read_weights(directory, spec, GOLDEN)
    tokenizer = None
    if "text" in wanted:
        tokenizer = Tokenizer.load(check_file(directory, spec, TOKENIZER), spec.trained_words)
    return Model(spec, towers, tokenizer, golden, device)
