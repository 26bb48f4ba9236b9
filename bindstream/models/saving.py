"""Writing a model directory: weights, tokens and golden vectors, each file whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save
from torch import Tensor, nn

from bindstream.errors import ModelError
from bindstream.models.directory import CARD, GOLDEN, TOKENIZER, ModelSpec, StoredFile
from bindstream.models.golden import golden_vectors
from bindstream.models.loading import build_tower
from bindstream.models.tokenizer import Tokenizer
from bindstream.records import ModalityName


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
