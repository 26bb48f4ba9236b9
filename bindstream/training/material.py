"""What a tower is trained on and measured with: windows of recordings, cut once, in memory."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bindstream.config import Problem
from bindstream.errors import BindstreamError, DataError, MissingPackageError
from bindstream.features.audio import MEAN, RATE_HZ, STD
from bindstream.features.whole import read_sound
from bindstream.modalities import MODALITIES
from bindstream.records import ModalityName
from bindstream.training.crops import Crop, aligned, crops_for
from bindstream.training.manifest import Other, Words
from bindstream.training.motions import MotionBatches
from bindstream.training.pairs import Pair, Tell
from bindstream.training.recordings import fault, model_input, seen
from bindstream.training.sights import Sight, SightBatches, scaled
from bindstream.training.sounds import (
    DB,
    HOP,
    WINDOW,
    Piece,
    SoundBatches,
    active,
    loudness,
    mel_frames,
)
from bindstream.training.trainer import NextBatch

MOST_MEASURED = 1000  # held-out windows: a share of them is known to 1.5 percentage points
MOST_MEASURED_BYTES = 256 << 20
QUIET_DB = 30  # below the loudest of its recording a window of sound is a pause
MEMORY_SHARE = 0.5  # of this machine's, that windows may fill


@dataclass(frozen=True)
class HeldOut:
    """Held-out windows as the product sees them: (n, *model_input) float16, and the number of the
    anchor of each, (n,). `sources` is how many they are of."""

    inputs: NDArray[np.float16]
    anchors: NDArray[np.int64]
    sources: int


@dataclass
class Material:
    """Windows of one tower. `windows` are there to be trained on, from `sources` groups of rows;
    `void` counts those of all that could not be used."""

    modality: ModalityName
    turn_rad: float
    views: int
    windows: int = 0
    sources: int = 0
    void: int = 0
    bytes: int = 0
    problems: list[Problem] = field(default_factory=list)
    sounds: list[Piece] = field(default_factory=list)
    sights: list[Sight] = field(default_factory=list)
    motions: list[tuple[NDArray[np.float32], frozenset[str]]] = field(default_factory=list)
    _inputs: list[NDArray[np.float16]] = field(default_factory=list)
    _anchors: list[int] = field(default_factory=list)
    _held_out_groups: set[int] = field(default_factory=set)

    @property
    def next_batch(self) -> NextBatch:
        if self.modality == "audio":
            return SoundBatches(self.sounds).batch
        if self.modality == "imu":
            return MotionBatches(self.motions, turn_rad=self.turn_rad).batch
        return SightBatches(self.modality, self.sights).batch

    @property
    def held_out(self) -> HeldOut | None:
        """None if there are none."""
        if not self._inputs:
            return None
        anchors = np.array(self._anchors, np.int64)
        return HeldOut(np.stack(self._inputs), anchors, len(self._held_out_groups))

    def add(self, pair: Pair, k: int, shown: NDArray[Any], anchor: int) -> None:
        """A window to train on."""
        label = frozenset({str(anchor)})
        self.windows += 1
        if self.modality == "imu":
            self.motions.append((shown, label))
            self.bytes += shown.nbytes
            return
        crops: tuple[Crop, ...] = ()
        if isinstance(pair.anchor, Other) and aligned(self.modality, pair.anchor.modality):
            crops = crops_for(pair.anchor.modality, self.views)
        frames = scaled(shown)
        self.bytes += frames.nbytes
        is_scene = self.modality != "vision"
        self.sights.append(Sight(frames, label, is_scene, views=crops))

    def add_sounds(self, pair: Pair, wave: NDArray[np.float32], anchors: Mapping[int, int]) -> None:
        """Sound to train on: an interval that is all of one thing, or windows of their moments."""
        start, end = round(pair.start_s * RATE_HZ), round(pair.end_s * RATE_HZ)
        mel = mel_frames(wave[start:end])
        loud = active(mel)
        stored = mel.astype(np.float16)
        self.bytes += stored.nbytes
        self.windows += len(anchors)
        if isinstance(pair.anchor, Words):
            self.sounds.append(Piece(stored, loud, frozenset({str(anchors[0])})))
            return
        for k, anchor in anchors.items():
            at = round(k * pair.grid.hop_s * RATE_HZ / HOP)
            self.sounds.append(Piece(stored, loud, frozenset({str(anchor)}), at))

    def add_held_out(self, pair: Pair, found: Sequence[tuple[NDArray[np.float32], int]]) -> None:
        """A pair's windows to measure with, with their anchors."""
        kept = found
        if self.modality == "audio" and isinstance(pair.anchor, Words):
            peaks = np.array([_peak(window) for window, _ in found])
            loud = peaks > peaks.max(initial=-np.inf) - QUIET_DB * DB
            kept = [each for each, is_loud in zip(found, loud, strict=True) if is_loud]
        self._inputs += [window.astype(np.float16) for window, _ in kept]
        self._anchors += [anchor for _, anchor in kept]
        self._held_out_groups.add(pair.group)


def prepare(
    material: Material,
    pairs: Sequence[Pair],
    anchors: Sequence[Mapping[int, int]],
    tell: Tell,
    filled: int = 0,
) -> None:
    """Cuts all windows of `pairs`; what is wrong goes to `material.problems`. Blocks.

    Args:
        anchors: for each pair the anchor of each of its windows; windows without one are left out.
        filled: bytes that windows of other towers fill.

    Raises:
        DataError: windows fill this machine's memory.
    """
    wanted = _measured(material.modality, pairs, anchors)
    files: dict[Path, list[int]] = {}
    for place, pair in enumerate(pairs):
        files.setdefault(pair.row.file, []).append(place)
    for done, (file, places) in enumerate(files.items(), 1):
        mine = [(pairs[place], wanted[place]) for place in places]
        try:
            _cut(material, file, mine)
        except MissingPackageError:
            raise
        except (BindstreamError, OSError, ValueError) as error:
            row = pairs[places[0]].row
            what = f"{file} cannot be used: {fault(error)}"
            material.problems.append(Problem(str(row.manifest), row.line, "file", None, what))
        _check_memory(material, filled)
        tell(f"windows of {material.modality}", done, len(files))
    material.sources = len({pair.group for pair in pairs if not pair.held_out})


def _measured(
    modality: ModalityName, pairs: Sequence[Pair], anchors: Sequence[Mapping[int, int]]
) -> list[dict[int, int]]:
    """The anchors of the windows that are wanted: all to train on, of those held out at most as
    many as take bounded memory and time, the same ones each time."""
    size = 2 * int(np.prod(MODALITIES[modality].model_input))
    most = min(MOST_MEASURED, MOST_MEASURED_BYTES // size)
    places = [(place, k) for place, p in enumerate(pairs) if p.held_out for k in anchors[place]]
    if len(places) > most:
        chosen = np.random.default_rng(0).choice(len(places), most, replace=False)
        places = [places[number] for number in chosen]
    kept = {*places}
    return [
        {k: a for k, a in anchors[place].items() if not pair.held_out or (place, k) in kept}
        for place, pair in enumerate(pairs)
    ]


def _cut(material: Material, file: Path, pairs: Sequence[tuple[Pair, Mapping[int, int]]]) -> None:
    modality = material.modality
    whole = [(p, of) for p, of in pairs if of and modality == "audio" and not p.held_out]
    if whole:  # trained on as mel frames of the whole interval
        wave = read_sound(file)
        for pair, of in whole:
            material.add_sounds(pair, wave, of)
    left = [(p, of) for p, of in pairs if of and (modality != "audio" or p.held_out)]
    used: list[list[tuple[NDArray[np.float32], int]]] = [[] for _ in left]
    voids = [""] * len(left)
    counts = [0] * len(left)
    for place, k, shown in seen(modality, file, [pair.grid for pair, _ in left]) if left else ():
        pair, of = left[place]
        if k not in of:
            continue
        if shown.void:
            material.void += 1
            voids[place] = shown.void
            continue
        counts[place] += 1
        if pair.held_out:
            used[place].append((model_input(modality, shown.data), of[k]))
        else:
            material.add(pair, k, shown.data, of[k])
    for (pair, _), found, count, void in zip(left, used, counts, voids, strict=True):
        if not count:
            what = f"no window can be used: {void or 'the recording is too short'}"
            row = pair.row
            material.problems.append(Problem(str(row.manifest), row.line, "file", None, what))
        if pair.held_out and found:
            material.add_held_out(pair, found)


def _peak(window: NDArray[np.float32]) -> float:
    """The loudest frame of a sound's model input, natural log of power."""
    mel = window[0, :, :WINDOW].T * np.float32(STD) + np.float32(MEAN)
    return float(loudness(mel).max())


def _check_memory(material: Material, filled: int) -> None:
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    filled += material.bytes
    if filled > MEMORY_SHARE * there:
        raise DataError(
            f"Windows up to those of {material.modality} fill {filled / 1e9:.1f} GB of this "
            f"machine's {there / 1e9:.1f} GB of memory.",
            fix="Train on shorter intervals (start_s, end_s) or on fewer rows.",
        )
