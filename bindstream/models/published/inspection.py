"""What published checkpoints hold: recognised, divided into towers, and every fault listed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from bindstream.errors import ModelError
from bindstream.models.loading import Shape
from bindstream.models.published.checkpoint import read_checkpoint
from bindstream.models.published.imagebind import IMAGEBIND
from bindstream.models.published.layout import Entry, Layout
from bindstream.models.published.openclip import OPENCLIP
from bindstream.models.sizes import TowerConfig
from bindstream.records import ModalityName

LAYOUTS = (IMAGEBIND, OPENCLIP)
_REMAPPED_BYTES = 256e6
_NAMED = 5  # so many of a kind are named in an error


@dataclass(frozen=True)
class Source:
    """A checkpoint that was recognised: shapes and dtypes by name.

    `odd` says of tensors what they are that have no plain bytes in the file (sparse, meta).
    """

    path: Path
    layout: Layout
    shapes: dict[str, Shape]
    dtypes: dict[str, torch.dtype]
    odd: dict[str, str]


@dataclass(frozen=True)
class Part:
    """A tower and where it comes from. `weights` are the entries by our names."""

    config: TowerConfig
    source: Source
    weights: dict[str, Entry]

    @property
    def parameters(self) -> int:
        return sum(math.prod(entry.shape) for entry in self.weights.values())

    @property
    def present(self) -> bool:
        """Whether any of its entries is in the checkpoint."""
        return any(entry.name in self.source.shapes for entry in self.weights.values())

    def read(self) -> Iterator[tuple[str, Entry, Tensor]]:
        """Our name, entry and published tensor of every weight, mapped into memory."""
        tensors: dict[str, Tensor] = {}
        touched = math.inf
        for ours, entry in self.weights.items():
            if touched > _REMAPPED_BYTES:  # pages that were read stay until their mapping goes
                tensors, touched = read_checkpoint(self.source.path), 0
            value = tensors[entry.name]
            touched += value.numel() * value.element_size()
            yield ours, entry, value


def open_checkpoint(path: Path) -> Source:
    """Recognise a checkpoint by its names; no weights are read.

    Raises:
        ModelError: it cannot be read, or is of no kind that is known.
    """
    tensors = read_checkpoint(path)
    shapes = {name: tuple(value.shape) for name, value in tensors.items()}
    dtypes = {name: value.dtype for name, value in tensors.items()}
    odd = {name: what for name, value in tensors.items() if (what := _not_plain(value))}
    return Source(path, _layout(path, shapes), shapes, dtypes, odd)


def _not_plain(value: Tensor) -> str:
    if value.layout != torch.strided:
        return str(value.layout).removeprefix("torch.")
    return "" if value.device.type == "cpu" else f"on the device {value.device}"


def _layout(path: Path, names: Mapping[str, Shape]) -> Layout:
    if any(name.startswith(("vision_model.", "text_model.")) for name in names):
        raise ModelError(
            "The checkpoint is CLIP as Hugging Face's transformers names it.",
            where=str(path),
            fix=OPENCLIP.wanted,
        )
    found = {
        layout.title: sum(name.startswith(layout.marks) for name in names) for layout in LAYOUTS
    }
    best = max(LAYOUTS, key=lambda layout: found[layout.title])
    if not found[best.title]:
        raise ModelError(
            f"The checkpoint is neither {' nor '.join(found)}: it holds {_some(list(names))}.",
            where=str(path),
            fix=" Or: ".join(layout.wanted for layout in LAYOUTS),
        )
    return best


def divide(
    sources: Sequence[Source],
    towers: Sequence[ModalityName] | None,
    configs: Mapping[ModalityName, TowerConfig],
) -> dict[ModalityName, Part]:
    """Which tower comes from which checkpoint: the first that has it.

    Args:
        towers: which to take; all that the checkpoints' kinds have if None.

    Raises:
        ModelError: a checkpoint lacks entries, has others, or others of shape or type, all listed;
            or a checkpoint that nothing is taken from.
    """
    has = {modality for source in sources for modality in source.layout.modalities}
    parts: dict[ModalityName, Part] = {}
    for modality in towers or [modality for modality in configs if modality in has]:
        config = configs[modality]
        offered = [
            Part(config, source, source.layout.weights(config))
            for source in sources
            if modality in source.layout.modalities
        ]
        if not offered:
            raise ModelError(
                f"{' and '.join(s.layout.title for s in sources)}: no tower for {modality}.",
                where=", ".join(str(source.path) for source in sources),
                fix=IMAGEBIND.wanted,
            )
        parts[modality] = next((part for part in offered if part.present), offered[0])
    for source in sources:
        _check_entries(source, parts, configs)
        if all(part.source is not source for part in parts.values()):
            raise ModelError(
                f"No tower is taken from it: {', '.join(parts)} come from those before it.",
                where=str(source.path),
                fix="Name it before the others, or leave it out.",
            )
    return parts


def _check_entries(
    source: Source,
    parts: Mapping[ModalityName, Part],
    configs: Mapping[ModalityName, TowerConfig],
) -> None:
    layout = source.layout
    taken = {modality: part for modality, part in parts.items() if part.source is source}
    absent = [modality for modality, part in taken.items() if not part.present]
    due: dict[str, Shape] = {}
    for part in taken.values():
        if part.present:
            due.update({entry.name: entry.shape for entry in part.weights.values()})
            due.update(layout.constants(part.config))
    known = set(layout.optional)
    for modality in layout.modalities:
        known.update(entry.name for entry in layout.weights(configs[modality]).values())
        known.update(layout.constants(configs[modality]))
    faults = _entry_faults(source, due, known)
    if not absent and not faults:
        return
    fix = layout.wanted
    if absent:
        faults.insert(0, f"no entry of the tower for {', '.join(absent)}")
        there = ",".join(modality for modality, part in parts.items() if part.present)
        if there and len(faults) == 1:
            fix = f"Take the towers it has: --towers {there}."
    if odd := layout.oddity(source.shapes):
        faults.insert(0, odd)
    head = f"The checkpoint is not {layout.title}'s as published."
    raise ModelError("\n  ".join((head, *faults)) + "\n", where=str(source.path), fix=fix)


def _entry_faults(source: Source, due: Mapping[str, Shape], known: set[str]) -> list[str]:
    """What is wrong with names, shapes, types and kinds, a line each."""
    here = [name for name in due if name in source.shapes]
    faults = {
        "missing": [name for name in due if name not in source.shapes],
        "unexpected": [name for name in source.shapes if name not in known],
        "of another shape": [
            f"{name} is {source.shapes[name]}, {due[name]} is due"
            for name in here
            if source.shapes[name] != due[name]
        ],
        "of another type": [
            f"{name} is {str(source.dtypes[name]).removeprefix('torch.')}, floating point is due"
            for name in here
            if not source.dtypes[name].is_floating_point
        ],
        "without plain bytes": [f"{name} is {what}" for name, what in source.odd.items()],
    }
    return [f"{len(found)} {what}: {_some(found, '; ')}" for what, found in faults.items() if found]


def _some(found: Sequence[str], between: str = ", ") -> str:
    """The first few of a list, and how many more there are."""
    more = len(found) - _NAMED
    return between.join(found[:_NAMED]) + (f"{between}and {more} more" if more > 0 else "")


def check_values(part: Part, dtype: torch.dtype, advance: Callable[[int], None]) -> None:
    """Read every weight of the tower once: all have to be finite, in `dtype` too. Blocks.

    `advance` is called with the number of values read since the last call.

    Raises:
        ModelError: the names of those that are not.
    """
    broken, beyond = [], []
    for _, entry, value in part.read():
        if not value.to(dtype).isfinite().all():
            if value.isfinite().all():
                beyond.append(f"{entry.name} (up to {float(value.abs().max()):.3g})")
            else:
                broken.append(entry.name)
        advance(value.numel())
    where = str(part.source.path)
    if broken:
        raise ModelError(
            f"There is NaN or infinity in {_some(broken)}.",
            where=where,
            fix="Download it again, or ask whoever trained it.",
        )
    if beyond:
        raise ModelError(
            f"Beyond {str(dtype).removeprefix('torch.')}, which ends at "
            f"{torch.finfo(dtype).max:.3g}: {_some(beyond)}.",
            where=where,
            fix="Store them with --dtype bfloat16.",
        )
