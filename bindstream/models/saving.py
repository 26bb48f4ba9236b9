"""Writing a model directory, a tower at a time: the whole directory changes, or nothing does."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import get_args

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from bindstream.errors import ModelError
from bindstream.models.directory import CARD, GOLDEN, TOKENIZER, ModelSpec, StoredFile, digest
from bindstream.models.golden import golden_vectors
from bindstream.models.loading import load_tower
from bindstream.models.tokenizer import Tokenizer
from bindstream.records import ModalityName

PARTIAL = ".partial"  # folder of files on their way, within the directory


def save_model(
    directory: Path | str,
    spec: ModelSpec,
    towers: Mapping[ModalityName, nn.Module],
    tokenizer: Tokenizer | None = None,
) -> str:
    """Write the towers as a model directory and return its fingerprint. See `ModelWriter`.

    Raises:
        ModelError: towers and spec disagree, the text tower has no fitting tokenizer, weights are
            not finite in the spec's dtype, or the directory cannot be written.
    """
    with ModelWriter(directory, spec) as writer:
        if tokenizer is not None:
            writer.add_tokenizer(tokenizer)
        for modality, tower in towers.items():
            writer.add_tower(modality, tower.state_dict().items())
        return writer.finish().fingerprint


class ModelWriter:
    """Writes the files of a model directory; a context manager.

    They are gathered in `PARTIAL` and put in place by `finish`, model.json last. So a directory
    that was not finished is no model, and one that is replaced stays whole until then: its other
    files are kept, towers that the new model lacks are removed. Not thread-safe.

    Args:
        directory: made if it is not there.
        spec: all that model.json says but `files`.
    """

    def __init__(self, directory: Path | str, spec: ModelSpec) -> None:
        self._directory, self._spec = Path(directory), spec
        self._partial = self._directory / PARTIAL
        self._made = not self._directory.exists()
        self._files: dict[str, StoredFile] = {}
        self._golden: dict[str, Tensor] = {}

    def __enter__(self) -> ModelWriter:
        with self._writing(PARTIAL):
            self._directory.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(self._partial, ignore_errors=True)  # of a run that was killed
            self._partial.mkdir()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self._partial, ignore_errors=True)
        if raised is not None and self._made and not any(self._directory.iterdir()):
            self._directory.rmdir()

    def add_tower(self, modality: ModalityName, weights: Iterable[tuple[str, Tensor]]) -> None:
        """Write a tower in the spec's dtype, and compute golden vectors from the file. Blocks.

        `weights` are taken one by one. In memory at once are the tower in the stored dtype while it
        is written, then in the stored dtype and in float32.

        Raises:
            ModelError: the spec has no such tower or one of other names or shapes, weights are not
                finite in the stored dtype, or the disk does not take them.
        """
        if modality not in self._spec.towers:
            raise ModelError(f"The spec states towers {sorted(self._spec.towers)}, got {modality}.")
        path = self._store_weights(modality, weights)
        tower = load_tower(self._spec, modality, path)
        self._golden[modality] = golden_vectors(tower, self._spec.towers[modality])
        if not self._golden[modality].isfinite().all():
            raise ModelError(
                "The tower answers with NaN.",
                where=f"tower {modality}",
                fix="Its weights cannot be right: take them from another file.",
            )

    def add_tokenizer(self, tokenizer: Tokenizer) -> None:
        """Write the tokenizer.

        Raises:
            ModelError: it is not the text tower's, or the disk does not take it.
        """
        text = self._spec.towers.get("text")
        if text and (misfit := tokenizer.misfit(text)):
            raise ModelError(misfit)
        with self._writing(TOKENIZER):
            (self._partial / TOKENIZER).write_text(tokenizer.to_json(), encoding="utf-8")
        self._count(TOKENIZER)

    def finish(self) -> ModelSpec:
        """Put all files in place, model.json last, and return what it says.

        Raises:
            ModelError: a tower or the tokenizer is missing, or the disk does not take it.
        """
        if absent := sorted(set(self._spec.towers) - set(self._golden)):
            raise ModelError(f"The spec states towers for {', '.join(absent)}, got none.")
        if "text" in self._spec.towers and TOKENIZER not in self._files:
            raise ModelError("A model with a text tower needs its tokenizer.")
        with self._writing(GOLDEN):
            _save(self._golden, self._partial / GOLDEN)
        self._count(GOLDEN)
        spec = self._spec.model_copy(update={"files": self._files})
        with self._writing(CARD):
            (self._partial / CARD).write_text(spec.model_dump_json(indent=2) + "\n", "utf-8")
        known = {TOKENIZER, *(_file_of(modality) for modality in get_args(ModalityName))}
        with self._writing(CARD, changing=True):
            (self._directory / CARD).unlink(missing_ok=True)
            for name in known - set(self._files):
                (self._directory / name).unlink(missing_ok=True)
            for name in (*self._files, CARD):
                (self._partial / name).replace(self._directory / name)
        return spec

    def _store_weights(self, modality: ModalityName, weights: Iterable[tuple[str, Tensor]]) -> Path:
        dtype: torch.dtype = getattr(torch, self._spec.dtype)
        stored, name = {}, _file_of(modality)
        for weight, value in weights:
            stored[weight] = value.detach().to("cpu", dtype).contiguous()
        broken = [weight for weight, value in stored.items() if not value.isfinite().all()]
        if broken:
            raise ModelError(
                f"Weights {', '.join(broken)} are not finite in {self._spec.dtype}.",
                where=f"tower {modality}",
                fix="Lower the learning rate or clip gradients, and train again.",
            )
        with self._writing(name):
            _save(stored, self._partial / name)
        self._count(name)
        return self._partial / name

    def _count(self, name: str) -> None:
        path = self._partial / name
        self._files[name] = StoredFile(bytes=path.stat().st_size, sha256=digest(path))

    @contextmanager
    def _writing(self, name: str, changing: bool = False) -> Iterator[None]:
        """Turns what the disk says into an error that tells how the directory was left."""
        try:
            yield
        except (OSError, SafetensorError) as error:
            done = ", ".join(f"{n} ({f.bytes / 1e6:.1f} MB)" for n, f in self._files.items())
            left = f"What was written before, {done}, is removed again." if done else ""
            if changing:
                left = f"The directory is no whole model now: without its {CARD} it is not loaded."
            raise ModelError(
                f"{name} cannot be written: {error}. {left}".rstrip(),
                where=str(self._directory),
                fix="Free space, or choose a folder you may write to, and do it again.",
            ) from error


def _file_of(modality: ModalityName) -> str:
    return f"{modality}.safetensors"


def _save(tensors: dict[str, Tensor], path: Path) -> None:
    """As readable as other files of this process: safetensors makes its files private."""
    path.touch()
    mode = path.stat().st_mode
    save_file(tensors, path)
    path.chmod(mode)
