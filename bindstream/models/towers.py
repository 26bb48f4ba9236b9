"""The towers of a model that are in memory: checked when read, let go of, and read again."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from bindstream.errors import ModelError
from bindstream.models.compiling import compile_tower
from bindstream.models.directory import GOLDEN, ModelSpec, damaged
from bindstream.models.golden import GOLDENS, golden_vectors
from bindstream.models.loading import (
    check_file,
    is_lack_of_memory,
    lack_of_memory,
    load_tower,
    read_tensors,
)
from bindstream.models.precision import (
    LEAST_COSINE,
    LEAST_USABLE,
    Arithmetic,
    Precision,
    Settled,
    choose,
    cpu_flags,
    fallbacks,
)
from bindstream.records import ModalityName


class Towers:
    """Towers of one model directory on one device. Not thread-safe.

    `add` reads a tower and computes its golden vectors: in the precision asked for and, where they
    are wrong, in the next one. `settled` says which it came to, and why; `uncompiled` which towers
    could not be compiled.

    Args:
        compiled: compile all of them but text, see `compile_tower`.

    Raises:
        ModelError: the file of golden vectors is missing or damaged.
    """

    def __init__(
        self,
        directory: Path,
        spec: ModelSpec,
        device: torch.device,
        asked: Precision,
        compiled: bool,
    ) -> None:
        self._directory, self._spec, self._device = directory, spec, device
        self._compiled = compiled
        self._checked: dict[ModalityName, tuple[int, ...]] = {}
        self._in_memory: dict[ModalityName, nn.Module] = {}
        self._golden = dict(read_tensors(check_file(directory, spec, GOLDEN)))
        self._asked: Precision = asked
        self.uncompiled: dict[ModalityName, str] = {}
        self.settled: dict[ModalityName, Settled] = {}

    def add(self, modality: ModalityName) -> None:
        """Have a tower that `spec` states, if it is none of `names` yet. Blocks.

        Raises:
            ModelError: its file is missing, damaged, or not of the stated architecture; the device
                cannot compute it or lacks the memory; it gives nothing like its golden vectors.
        """
        if modality in self.settled:
            return
        _check_golden(self._directory / GOLDEN, self._spec, self._golden, modality)
        try:
            self.settled[modality] = self._settle(modality)
        except ModelError:
            self.release(modality)
            raise

    @property
    def names(self) -> tuple[ModalityName, ...]:
        return tuple(self.settled)

    def __getitem__(self, modality: ModalityName) -> nn.Module:
        """The tower, read again if it was released. Blocks for that.

        Raises:
            KeyError: it is none of `names`.
            ModelError: its file is gone or damaged by now.
        """
        if modality not in self._in_memory:
            self._in_memory[modality] = self._read(modality, self.settled[modality].precision)
        return self._in_memory[modality]

    @property
    def in_memory(self) -> tuple[ModalityName, ...]:
        return tuple(self._in_memory)

    def release(self, modality: ModalityName) -> None:
        """Let go of a tower, and give its memory back to the system."""
        if self._in_memory.pop(modality, None) is not None:
            give_back_memory()

    def _settle(self, modality: ModalityName) -> Settled:
        flags, device = cpu_flags(), self._device.type
        choice = choose(self._asked, device, flags)
        failed: list[str] = []
        for precision in (choice.precision, *fallbacks(choice.precision, device, flags)):
            self._in_memory.pop(modality, None)
            try:
                cosine = self._try(modality, precision)
            except RuntimeError as error:  # torch lacks such products for this device
                why = str(error).partition("\n")[0]
                if precision == "float32":
                    raise self._not_computed(modality, why) from error
                failed.append(f"{precision} cannot be computed here ({why})")
                continue
            if cosine >= LEAST_COSINE[precision]:
                break
            failed.append(
                f"{precision} gives other vectors (golden cosine {cosine:.4f}, "
                f"{LEAST_COSINE[precision]:g} is due)"
            )
        give_back_memory()
        if precision == "float32" and not cosine >= LEAST_USABLE:
            raise self._foreign(modality, cosine)
        if precision == choice.precision:
            return Settled(precision, choice.reason, choice.warning, cosine)
        # Where nothing was asked for, the second choice is as good as the first.
        reason = "; ".join(failed)
        warning = "" if self._asked == "auto" else f"computes in {precision}: {reason}"
        return Settled(precision, reason, warning, cosine)

    def _try(self, modality: ModalityName, precision: Arithmetic) -> float:
        """Read the tower, and compute the least cosine of its golden vectors to the stored ones.

        Lack of memory is no reason to try wider numbers, and raised as such.
        """
        try:
            tower = self._in_memory[modality] = self._read(modality, precision)
            found = golden_vectors(tower, self._spec.towers[modality])
        except (RuntimeError, MemoryError) as error:
            if is_lack_of_memory(error):
                raise lack_of_memory(modality, precision, self._device) from error
            raise
        return float((found * self._golden[modality]).sum(-1).min())

    def _not_computed(self, modality: ModalityName, why: str) -> ModelError:
        return ModelError(
            f"The tower cannot be computed on {self._device}, not in float32 either ({why}).",
            where=f"{self._spec.name}, tower {modality}",
            fix="Run `bindstream doctor`, which tries each device, and choose another `device`.",
        )

    def _foreign(self, modality: ModalityName, cosine: float) -> ModelError:
        return ModelError(
            f"The tower gives other vectors than it was saved with (cosine {cosine:.4f}, "
            f"{LEAST_USABLE:g} is the least): its weights or this code are not those of then.",
            where=f"{self._spec.name}, tower {modality}",
            fix="Copy or import the model again; to rule out the device, use `device: cpu`.",
        )

    def _read(self, modality: ModalityName, precision: Arithmetic) -> nn.Module:
        path = self._file(modality)
        tower = load_tower(self._spec, modality, path, precision, self._device)
        if not self._compiled or modality == "text" or modality in self.uncompiled:
            return tower
        try:
            return compile_tower(tower, self._spec.towers[modality])
        except Exception as error:  # a compiler may fail in any way; the tower does not need it
            why = str(error).strip().partition("\n")[0]
            self.uncompiled[modality] = f"{type(error).__name__}: {why}"
            return load_tower(self._spec, modality, path, precision, self._device)

    def _file(self, modality: ModalityName) -> Path:
        """The tower's file, hashed once and again only if it was touched since."""
        path = self._directory / f"{modality}.safetensors"
        if self._checked.get(modality) != _version(path):
            version = _version(path)
            check_file(self._directory, self._spec, path.name)
            self._checked[modality] = version
        return path


def _check_golden(path: Path, spec: ModelSpec, golden: Mapping[str, Tensor], name: str) -> None:
    if name not in golden:
        raise damaged(path, f"It has no vectors for {name}.")
    found = golden[name]
    if found.shape != (GOLDENS, spec.dim) or not found.is_floating_point():
        kind = str(found.dtype).removeprefix("torch.")
        due = f"{(GOLDENS, spec.dim)} floating point is due"
        raise damaged(path, f"Its vectors for {name} are {tuple(found.shape)} {kind}, {due}.")


def _version(path: Path) -> tuple[int, ...]:
    try:
        about = path.stat()
    except OSError:  # `check_file` says what is the matter
        return ()
    return about.st_ino, about.st_size, about.st_mtime_ns


def give_back_memory() -> None:
    """Give memory that was freed back to the system.

    glibc keeps freed blocks for later, up to all of a tower's smaller weights and activations.
    """
    torch.cuda.empty_cache()  # does nothing where CUDA is not in use
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries have none
        if trim is not None:
            trim(0)
