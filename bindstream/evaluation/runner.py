"""A dataset through a model: items to vectors, names to vectors, and the figures of both."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bindstream.embed_files import BATCH, FileError, embed_inputs
from bindstream.errors import DataError
from bindstream.evaluation.measuring import (
    Measured,
    class_scores,
    measure_map,
    measure_recall,
    measure_top1,
    sources_of,
)
from bindstream.evaluation.records import Dataset, Item
from bindstream.evaluation.templates import SOME, Templates, name_vectors
from bindstream.records import ModalityName

if TYPE_CHECKING:
    from bindstream.models.encoder import Model

MOST_BROKEN = 0.05  # of the items, beyond which a figure would be of another dataset

Vectors = NDArray[np.float32]
Report = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much of it there is."""


@dataclass(frozen=True)
class Settings:
    """How to measure: templates for class names, rows at a time, the seed of bootstraps, and the
    share of items that may be broken."""

    templates: Templates
    batch: int = BATCH
    seed: int = 0
    most_broken: float = MOST_BROKEN


@dataclass(frozen=True)
class Result:
    """What came out.

    Attributes:
        n: items with a vector, of so many `sources` (recordings, videos, pictures).
        broken: items that could not be embedded, and why.
        lacking: by further modality, how many items lack it (videos without sound).
    """

    n: int
    sources: int
    measured: Measured
    broken: tuple[FileError, ...]
    lacking: Mapping[ModalityName, int] = field(default_factory=dict)
    seconds: float = 0.0


def limited(items: Sequence[Item], limit: int | None, seed: int) -> list[Item]:
    """At most `limit` items, drawn by `seed`, in their order."""
    if limit is None or limit >= len(items):
        return list(items)
    kept = np.random.default_rng(seed).choice(len(items), limit, replace=False)
    return [items[place] for place in sorted(kept)]


def evaluate(
    model: Model,
    dataset: Dataset,
    settings: Settings,
    report: Report = lambda what, done, total: None,
) -> Result:
    """Measure a model on a dataset. Blocks: hours, if it is large.

    In memory are a vector an item (4 KB for imagebind_huge) and a score an item and class.

    Raises:
        DataError: more items than `settings.most_broken` allows cannot be embedded.
        ModelError: the model lacks a tower that is needed.
        MissingPackageError: a library that reads such files is not installed.
    """
    began_s = time.monotonic()
    first, *further = dataset.modalities
    most = int(settings.most_broken * len(dataset.items))
    found = _embedded(model, first, dataset, dataset.items, settings, report, most)
    if not found.kept:
        raise _too_broken(found.broken, first, len(dataset.items), len(dataset.items))
    items = [dataset.items[place] for place in found.kept]
    ways: dict[str, Vectors] = {first if further else "": found.vectors}
    lacking: dict[ModalityName, int] = {}
    mixed = dataset.weights[0] * found.vectors
    for modality, weight in zip(further, dataset.weights[1:], strict=True):
        other = _embedded(model, modality, dataset, items, settings, report, len(items))
        lacking[modality] = len(other.broken)
        if other.kept:
            # The mean of the others takes no side where there is nothing to go by.
            filled = np.tile(other.vectors.mean(axis=0), (len(items), 1))
            filled[other.kept] = other.vectors
            mixed = mixed + weight * filled
            ways["+".join(dataset.modalities)] = mixed.astype(np.float32)
    measured = _measured(model, dataset, items, ways, settings, report)
    return Result(
        n=len(items),
        sources=int(sources_of(items).max()) + 1,
        measured=measured,
        broken=tuple(found.broken),
        lacking=lacking,
        seconds=time.monotonic() - began_s,
    )


@dataclass
class _Embedded:
    """Vectors of the items at the places `kept`."""

    vectors: Vectors
    kept: list[int]
    broken: list[FileError]


def _embedded(
    model: Model,
    modality: ModalityName,
    dataset: Dataset,
    items: Sequence[Item],
    settings: Settings,
    report: Report,
    most_broken: int,
) -> _Embedded:
    inputs = ((item.file, dataset.views(modality, item)) for item in items)
    results = embed_inputs(model, modality, inputs, settings.batch, average=True)
    vectors = np.zeros((len(items), model.dim), np.float32)
    kept: list[int] = []
    broken: list[FileError] = []
    for place, result in enumerate(results):
        report(f"{modality} of items", place + 1, len(items))
        if not isinstance(result, FileError):
            vectors[place] = result.vectors[0]
            kept.append(place)
            continue
        broken.append(result)
        if len(broken) > most_broken:
            raise _too_broken(broken, modality, place + 1, len(items))
    return _Embedded(vectors[kept], kept, broken)


def _too_broken(
    broken: Sequence[FileError], modality: ModalityName, seen: int, total: int
) -> DataError:
    named = "; ".join(f"{each.file}: {each.error}" for each in broken[:3])
    return DataError(
        f"{len(broken)} of the first {seen} items, of {total}, give no {modality} vector: {named}"
        + ("; and so on." if len(broken) > 3 else ""),
        fix="Repair or fetch the files, or allow more with --most-broken.",
    )


def _measured(
    model: Model,
    dataset: Dataset,
    items: Sequence[Item],
    ways: Mapping[str, Vectors],
    settings: Settings,
    report: Report,
) -> Measured:
    if dataset.task == "retrieval":
        captions = [caption for item in items for caption in item.captions]
        texts = np.zeros((len(captions), model.dim), np.float32)
        for start in range(0, len(captions), SOME):
            part = captions[start : start + SOME]
            texts[start : start + SOME] = model.encode_text(part)
            report("texts", start + len(part), len(captions))
        return measure_recall(ways, texts, items, settings.seed)
    names = [name for said in dataset.classes.values() for name in said]
    spoken = name_vectors(
        model, names, settings.templates, lambda done: report("class names", done, len(names))
    )
    (vectors,) = ways.values()
    scores = class_scores(vectors, spoken, dataset.classes)
    report("figures", 0, 0)
    measure = measure_map if dataset.task == "tags" else measure_top1
    return measure(scores, items, dataset.classes, settings.seed)
