"""What windows are trained against: vectors of the base's frozen towers, computed once and kept."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bindstream.averaging import unit_mean
from bindstream.embedding import Encoder
from bindstream.errors import DataError
from bindstream.models.directory import digest
from bindstream.records import ModalityName
from bindstream.training.crops import crops_for
from bindstream.training.recordings import Grid, model_input, seen
from bindstream.training.trainer import Targets

Vectors = NDArray[np.float32]
Labels = frozenset[str]

BATCH = 16  # views at one go


class KeptVectors:
    """Vectors on disk, under a name made of all that they depend on. `computed` and `reused` count.

    Args:
        folder: of the vectors; made if needed.
        towers: for each modality what computes its vectors: fingerprint and precision.
    """

    def __init__(self, folder: Path, towers: Mapping[ModalityName, str]) -> None:
        self._folder, self._towers = folder, dict(towers)
        self.computed = self.reused = 0

    def get(self, modality: ModalityName, about: object) -> dict[str, Vectors] | None:
        """What was kept about this; None if nothing, or if its file is damaged."""
        try:
            with np.load(self._path(modality, about), allow_pickle=False) as arrays:
                found = {name: arrays[name] for name in arrays.files}
        except Exception:  # not there, or a write was cut short: computing it again is the way out
            return None
        self.reused += 1
        return found

    def put(self, modality: ModalityName, about: object, arrays: dict[str, Vectors]) -> None:
        """Keep arrays, whole or not at all.

        Raises:
            DataError: the disk does not take them.
        """
        self.computed += 1
        path = self._path(modality, about)
        partial = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
            partial.replace(path)
        except OSError as error:
            raise DataError(
                f"Vectors cannot be kept: {error.strerror}.",
                where=str(self._folder),
                fix="Free space, or name another work folder.",
            ) from error

    def _path(self, modality: ModalityName, about: object) -> Path:
        stated = json.dumps([self._towers[modality], modality, about])
        return self._folder / f"{hashlib.sha256(stated.encode()).hexdigest()[:32]}.npz"


def file_vectors(
    encoder: Encoder,
    kept: KeptVectors,
    modality: ModalityName,
    file: Path,
    grids: Sequence[Grid],
    views: int,
) -> list[dict[int, Vectors]]:
    """For each grid its windows' vectors, (views, dim), by their places; unusable ones are absent.

    The first view is the window as the product sees it. Blocks for what was not kept.

    Raises:
        BindstreamError: the file cannot be read, or its windows cannot be embedded.
    """
    crops = crops_for(modality, views)
    content = digest(file)
    abouts = [[content, astuple(grid), [astuple(crop) for crop in crops]] for grid in grids]
    stored = [kept.get(modality, about) for about in abouts]
    missing = [place for place, found in enumerate(stored) if found is None]
    if missing:
        computed = _computed(encoder, modality, file, [grids[place] for place in missing], views)
        for place, vectors in zip(missing, computed, strict=True):
            arrays = {str(k): views_of_one for k, views_of_one in vectors.items()}
            kept.put(modality, abouts[place], arrays)
            stored[place] = arrays
    return [{int(k): vectors for k, vectors in (found or {}).items()} for found in stored]


def _computed(
    encoder: Encoder, modality: ModalityName, file: Path, grids: Sequence[Grid], views: int
) -> list[dict[int, Vectors]]:
    crops = crops_for(modality, views)
    found: list[dict[int, Vectors]] = [{} for _ in grids]
    waiting: list[tuple[int, int, list[Vectors]]] = []

    def encode() -> None:
        rows = np.stack([row for _, _, inputs in waiting for row in inputs])
        parts = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
        vectors = np.concatenate([encoder.encode(modality, part) for part in parts])
        each = vectors.reshape(len(waiting), len(crops), -1)
        for (place, k, _), own in zip(waiting, each, strict=True):
            found[place][k] = own
        waiting.clear()

    for place, k, shown in seen(modality, file, grids):
        if not shown.void:
            waiting.append((place, k, [model_input(modality, shown.data, c) for c in crops]))
        if len(waiting) * len(crops) >= BATCH:
            encode()
    if waiting:
        encode()
    return found


def text_vectors(
    encode: Callable[[Sequence[str]], Vectors], kept: KeptVectors, phrases: Sequence[str]
) -> dict[str, Vectors]:
    """The vector (dim,) of each phrase. Blocks if any of them is new."""
    known = sorted(set(phrases))
    stored = kept.get("text", known)
    if stored is None:
        stored = {"vectors": encode(known)}
        kept.put("text", known, stored)
    return dict(zip(known, stored["vectors"], strict=True))


@dataclass(frozen=True)
class Anchor:
    """One anchor: `vectors` (views, dim) of length 1.

    `kind` is the modality it is of: anchors of different kinds are not told apart by a window.
    Anchors of one `recording` less than `window_s` apart show much the same: neither is wrong for
    the other's window. `name` is a class, "" for none.
    """

    vectors: Vectors
    kind: ModalityName
    recording: int
    start_s: float = 0.0
    window_s: float = 0.0
    name: str = ""

    @property
    def middle(self) -> Vectors:
        """The vector (dim,) that held-out windows are held against: the mean over phrasings, or
        the view as the product sees it."""
        return unit_mean(self.vectors) if self.kind == "text" else self.vectors[0]


class PairAnchors:
    """The anchors of a tower's windows, by number; labels are their numbers as str.

    "17@2" is anchor 17 seen in view 2: the window was cut to the same part.
    """

    def __init__(self, anchors: Sequence[Anchor]) -> None:
        self._views = np.array([len(anchor.vectors) for anchor in anchors])
        self._first = np.concatenate([[0], np.cumsum(self._views)])[:-1]
        self._vectors = torch.from_numpy(np.concatenate([anchor.vectors for anchor in anchors]))
        kinds = {kind: place for place, kind in enumerate(dict.fromkeys(a.kind for a in anchors))}
        self._kind = np.array([kinds[anchor.kind] for anchor in anchors])
        self._recording = np.array([anchor.recording for anchor in anchors])
        self._start_s = np.array([anchor.start_s for anchor in anchors])
        self._window_s = np.array([anchor.window_s for anchor in anchors])

    def targets(self, labels: Sequence[Labels], rng: np.random.Generator) -> Targets:
        """One view of each anchor in the batch (at random, unless the window has one of its own);
        for each window the one to answer to, at random one of those it shows, and which others not
        to count: of other kinds, of the same moments, and what else it shows."""
        shown = [[_parsed(label) for label in sorted(each)] for each in labels]
        picks = [each[int(rng.integers(len(each)))] for each in shown]
        chosen: dict[int, int] = {}
        columns: dict[tuple[int, int], int] = {}
        wanted = []
        for anchor, view in picks:
            if view is None:
                view = chosen.setdefault(anchor, int(rng.integers(self._views[anchor])))
            wanted.append(columns.setdefault((anchor, view), len(columns)))
        anchors = np.array([anchor for anchor, _ in columns])
        ignored = np.zeros((len(labels), len(columns)), np.bool_)
        for row, each in enumerate(shown):
            ignored[row] = self._kind[anchors] != self._kind[picks[row][0]]
            for anchor, _ in each:
                ignored[row] |= self._alike(anchor, anchors)
        ignored[np.arange(len(labels)), wanted] = False
        rows = self._first[anchors] + np.array([view for _, view in columns])
        return Targets(
            self._vectors[torch.from_numpy(rows)], torch.tensor(wanted), torch.from_numpy(ignored)
        )

    def _alike(self, anchor: int, others: NDArray[np.intp]) -> NDArray[np.bool_]:
        near = np.abs(self._start_s[others] - self._start_s[anchor]) < self._window_s[anchor]
        same = self._recording[others] == self._recording[anchor]
        return np.asarray((others == anchor) | (same & near))


def _parsed(label: str) -> tuple[int, int | None]:
    anchor, _, view = label.partition("@")
    return int(anchor), int(view) if view else None
