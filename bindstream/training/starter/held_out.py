"""What the starter is measured on: recordings of sources held out, and houses of unseen seeds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bindstream.features import features_for
from bindstream.features.audio import RATE_HZ, filterbank
from bindstream.features.thermal import GainControl, thermal_image
from bindstream.features.vision import still_clip
from bindstream.features.whole import read_sound
from bindstream.modalities import MODALITIES
from bindstream.records import ModalityName, Window
from bindstream.scene.catalogue import kinds_of
from bindstream.scene.examples import example
from bindstream.scene.seeds import rng_for
from bindstream.training.motions import WINDOW_NS
from bindstream.training.starter.activities import (
    RECORDED,
    around,
    read_motion,
    repeated,
    stretches,
    window_at,
)
from bindstream.training.starter.phrases import BACKGROUND_OF
from bindstream.training.starter.recordings import Entry

PART = "held out"  # names the seeds of rendered houses that training never sees
HOP_S = 1.0  # between a clip's windows
CROP = 1.5  # side of a thermal crop, in sides of the box
WHITE_C = 40.0  # what the 8-bit frames' white stands for; gain control stretches it again


@dataclass(frozen=True)
class Shown:
    """Model inputs of one recording, (n, *model_input) float32, and what it shows.

    `group` names its source; `kind` is the one label that a table counts it under.
    """

    inputs: NDArray[np.float32]
    concepts: frozenset[str]
    group: str
    kind: str


def sounds(entries: Sequence[Entry]) -> Iterator[Shown]:
    """Each clip's windows of 2 s, one a second."""
    size, hop = 2 * RATE_HZ, round(HOP_S * RATE_HZ)
    for entry in entries:
        wave = read_sound(entry.path)
        starts = range(0, max(len(wave) - size, 0) + 1, hop)
        inputs = np.stack([filterbank(wave[start : start + size]) for start in starts])
        yield Shown(inputs, entry.concepts, entry.group, entry.label)


def pictures(entries: Sequence[Entry]) -> Iterator[Shown]:
    """Each picture as the centre square that the product takes."""
    for entry in entries:
        with Image.open(entry.path) as image:
            clip = still_clip(np.asarray(image.convert("RGB")))
        yield Shown(clip[None], entry.concepts, entry.group, next(iter(entry.concepts)))


def crops(entries: Sequence[Entry]) -> Iterator[Shown]:
    """A square around each box of aerial frames, alone in the picture, through gain control."""
    for entry in entries:
        with Image.open(entry.path) as image:
            frame = np.asarray(image.convert("L"))
        for name, x, y, w, h in entry.boxes:
            side = min(max(round(CROP * max(w, h)), 8), *frame.shape)
            left = int(np.clip(x - side / 2, 0, frame.shape[1] - side))
            top = int(np.clip(y - side / 2, 0, frame.shape[0] - side))
            tile_c = frame[top : top + side, left : left + side] * np.float32(WHITE_C / 255)
            grey = GainControl().push(tile_c, 0)
            yield Shown(thermal_image(grey)[None], frozenset({name}), entry.group, name)


def activities(entries: Sequence[Entry], *, alone: bool = False) -> Iterator[Shown]:
    """The 5 s around each run of one activity; where the recording ends, the last reading holds.

    With `alone` nothing but the run, again and again until 5 s are full.
    """
    for entry in entries:
        times, rows, labels = read_motion(entry.path)
        for run in stretches(times, labels):
            window = repeated(rows[run]) if alone else around(times, rows, run)
            if window is None:
                continue
            name = RECORDED[str(labels[run.start])]
            yield Shown(window[None], frozenset({name}), entry.group, name)


def walks(entries: Sequence[Entry], hop_s: float) -> Iterator[Shown]:
    """All windows of whole recordings, one each `hop_s`, as a live stream would give them."""
    for entry in entries:
        times, rows, _ = read_motion(entry.path)
        starts = range(0, int(times[-1]) - WINDOW_NS, int(hop_s * 1e9))
        windows = (window_at(times, rows, start) for start in starts)
        found = [window for window in windows if window is not None]
        if found:
            yield Shown(np.stack(found), frozenset(), entry.group, "recorded")


def houses(modality: ModalityName, count: int) -> Iterator[Shown]:
    """`count` rendered windows of each kind of event and as many again, five times, of none."""
    for kind in (*kinds_of(modality), None):
        for index in range(count if kind else 5 * count):
            shown = kind or BACKGROUND_OF[modality]
            window = house(modality, kind, index)
            yield Shown(window[None], frozenset({shown}), f"house {index}", shown)


def house(modality: ModalityName, kind: str | None, index: int) -> NDArray[np.float32]:
    """The model input of a window of a held-out house, through the product's features stage."""
    found = example(modality, kind, rng_for(index, PART, kind or "nothing", modality))
    data, times = (found[1], found[0]) if isinstance(found, tuple) else (found, None)
    start_ns = 20_000_000_000  # `example` cuts its window 20 s into the scene
    window = Window(
        stream=PART,
        modality=modality,
        seq=0,
        start_ns=start_ns,
        end_ns=start_ns + int(MODALITIES[modality].window_s * 1e9),
        data=data,
        coverage=1.0,
        times_ns=times,
    )
    made = features_for(modality, PART).push(window)
    if made.void:
        raise ValueError(f"{modality} window of {kind} is void: {made.void}")
    return np.asarray(made.data, np.float32)
