"""Published checkpoints, turned into a model directory.

Before a byte is written are checked: the names of all entries; shape, type and every value of those
that the wanted towers take; the checksums of a zip of torch.save (safetensors has none, so that a
wrong number in it goes unnoticed); and free space. Then it is written tower by tower, from a
mapping that is made anew every 256 MB, so that the peak of memory is the largest tower in float32,
when its golden vectors are computed.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from bindstream.errors import ModelError
from bindstream.models.directory import CARD, ModelSpec, StoredDtype
from bindstream.models.published.checkpoint import check_content, read_checkpoint
from bindstream.models.published.inspection import (
    Part,
    Source,
    check_values,
    divide,
    open_checkpoint,
)
from bindstream.models.saving import PARTIAL, ModelWriter
from bindstream.models.sizes import HUGE, TowerConfig
from bindstream.models.tokenizer import Tokenizer, clip_tokenizer
from bindstream.records import ModalityName

Report = Callable[[str, float], None]
"""Told what is going on, and which share of all is done, 0 to 1."""

MOST_SCALE = 100.0  # CLIP's and ImageBind's code clip the learned scale here
_OTHER_FILES = 8e6  # bytes of tokenizer, golden vectors and model.json, rounded up


def import_checkpoints(
    checkpoints: Sequence[Path | str],
    directory: Path | str,
    *,
    vocabulary: Path | str | None = None,
    towers: Sequence[ModalityName] | None = None,
    name: str | None = None,
    dtype: StoredDtype = "float16",
    force: bool = False,
    configs: Mapping[ModalityName, TowerConfig] = HUGE,
    report: Report = lambda what, share: None,
) -> ModelSpec:
    """Make a model directory of published checkpoints; returns what its model.json says.

    Blocks for minutes. Each tower comes from the first checkpoint that has it.

    Args:
        checkpoints: imagebind_huge.pth, or OpenCLIP's of ViT-H/14 for vision and text.
        directory: made if it is not there.
        vocabulary: bpe_simple_vocab_16e6.txt.gz; needed for text.
        towers: which to take, all that the checkpoints' kinds have if None.
        name: of the model; that of the first checkpoint's kind if None.
        dtype: in which weights are stored.
        force: replace the model that lies in the directory. Other directories are never touched.
        configs: sizes of all six towers; others than the published are for narrowed checkpoints.

    Raises:
        ModelError: a checkpoint or vocabulary that is not the published one, a tower that none has,
            weights the dtype cannot hold, a directory that is in use or cannot be written.
    """
    directory = Path(directory)
    _check_target(directory, force)
    sources = [open_checkpoint(Path(path)) for path in checkpoints]
    parts = divide(sources, towers, configs)
    tokenizer = _tokenizer(vocabulary) if "text" in parts else None
    spec = _spec(parts, name, dtype)
    _check_space(directory, spec, parts)
    progress = _Progress(report, sources, parts)
    for source in sources:
        progress.what = f"checking {source.path.name}"
        check_content(source.path, progress.advance)
    for modality, part in parts.items():
        progress.what = f"checking {modality}"
        check_values(part, getattr(torch, dtype), progress.advance)
    with ModelWriter(directory, spec) as writer:
        if tokenizer is not None:
            writer.add_tokenizer(tokenizer)
        for modality, part in parts.items():
            progress.what = f"writing {modality}"
            writer.add_tower(modality, _weights(part, progress))
            progress.advance(part.parameters)
        return writer.finish()


class _Progress:
    """Adds up what is done: bytes of checksums, values checked, written, and run through."""

    def __init__(
        self, report: Report, sources: Sequence[Source], parts: Mapping[ModalityName, Part]
    ) -> None:
        self.what = ""
        self._report, self._done = report, 0
        self._all = sum(source.path.stat().st_size for source in sources)
        self._all += 3 * sum(part.parameters for part in parts.values())

    def advance(self, units: int) -> None:
        self._done += units
        self._report(self.what, min(1.0, self._done / self._all))


def _tokenizer(vocabulary: Path | str | None) -> Tokenizer:
    if vocabulary is None:
        raise ModelError(
            "Text needs the vocabulary, which is not in the checkpoint.",
            fix="Give --vocab bpe_simple_vocab_16e6.txt.gz (it lies under clip/ in openai/CLIP and "
            "under bpe/ in ImageBind's repository), or take other --towers.",
        )
    return clip_tokenizer(vocabulary)


def _spec(parts: Mapping[ModalityName, Part], name: str | None, dtype: StoredDtype) -> ModelSpec:
    scales: dict[ModalityName, float] = {}
    temperature: dict[ModalityName, float] = {}
    limits: list[str] = []
    licences: dict[str, list[str]] = {}
    for modality, part in parts.items():
        layout = part.source.layout
        scale = _scale(part.source, modality)
        scales[modality] = _rounded(scale or 1.0)
        # Vision has no scale of its own: the text's is what it was trained with.
        inverse = _scale(part.source, "text") if modality == "vision" else scale
        if inverse and modality != "text":
            temperature[modality] = _rounded(1 / inverse)
        limits += layout.limits.get(modality, ())
        licences.setdefault(layout.licence, []).append(modality)
    joined = [f"{', '.join(of)}: {licence}" for licence, of in licences.items()]
    first = next(iter(parts.values()))
    return ModelSpec(
        name=name or first.source.layout.name,
        licence="; ".join(joined) if len(joined) > 1 else next(iter(licences)),
        dim=first.config.dim,
        dtype=dtype,
        towers={modality: part.config for modality, part in parts.items()},
        temperature=temperature,
        scales=scales,
        limits=tuple(limits),
        notes={"sources": {modality: part.source.path.name for modality, part in parts.items()}},
    )


def _scale(source: Source, modality: ModalityName) -> float | None:
    """What the published code multiplies onto the tower's vectors; None if nothing states it."""
    entry = source.layout.log_scales.get(modality)
    if entry is None or source.shapes.get(entry) != ():
        return None
    if not source.dtypes[entry].is_floating_point:  # which of a tower not taken nothing has checked
        return None
    log = float(read_checkpoint(source.path)[entry])
    if not abs(log) < 50:
        raise ModelError(
            f"The scale of {modality}, {entry}, is exp({log:g}).",
            where=str(source.path),
            fix=source.layout.wanted,
        )
    scale = math.exp(log)
    return min(scale, MOST_SCALE) if modality == "text" else scale


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")  # what float32 holds of it


def _weights(part: Part, progress: _Progress) -> Iterator[tuple[str, Tensor]]:
    for ours, entry, value in part.read():
        yield ours, entry.ours(value)
        progress.advance(value.numel())


def _check_target(directory: Path, force: bool) -> None:
    if not directory.exists():
        return
    if not directory.is_dir():
        raise ModelError("It is a file.", where=str(directory), fix="Choose another folder.")
    if not {path.name for path in directory.iterdir()} - {PARTIAL}:
        return
    if not _is_model(directory):
        raise ModelError(
            "The folder is not empty, and no model directory.",
            where=str(directory),
            fix="Choose another folder, or empty this one.",
        )
    if not force:
        raise ModelError(
            "There is a model in the folder.",
            where=str(directory),
            fix="Choose another folder, or replace the model with --force.",
        )


def _is_model(directory: Path) -> bool:
    """Whether model.json was written by some bindstream, be it damaged otherwise or newer."""
    try:
        stated = json.loads((directory / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(stated, dict) and "format" in stated


def _check_space(directory: Path, spec: ModelSpec, parts: Mapping[ModalityName, Part]) -> None:
    bytes_each = torch.finfo(getattr(torch, spec.dtype)).bits // 8
    needed = bytes_each * sum(part.parameters for part in parts.values()) + _OTHER_FILES
    there = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise ModelError(
            f"The model takes {needed / 1e9:.2f} GB, and {free / 1e9:.2f} GB are free.",
            where=str(directory),
            fix="Free space, choose another folder, or take fewer --towers.",
        )
