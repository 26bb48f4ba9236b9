"""Windows of rendered houses to train on: what recordings lack, and nothing in particular."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from bindstream.features.audio import RATE_HZ
from bindstream.features.depth import disparity
from bindstream.features.imu import resample
from bindstream.features.thermal import GainControl
from bindstream.records import ModalityName
from bindstream.scene.catalogue import CATALOGUE, kinds_of
from bindstream.scene.examples import example
from bindstream.scene.script import Event, Script
from bindstream.scene.seeds import rng_for
from bindstream.scene.world import Renderer
from bindstream.training.motions import WINDOW_NS, Labels, Window
from bindstream.training.sights import Sight
from bindstream.training.sounds import Piece, mel_frames
from bindstream.training.starter.phrases import BACKGROUND_OF

KEPT_SIDE = 144  # px: short side at which rendered clips are kept


def sounds(count: int, part: str) -> Iterator[Piece]:
    """`count` scenes of each kind of event and of none, from seeds that belong to `part` alone."""
    for kind in (*kinds_of("audio"), None):
        for index in range(count):
            rng = rng_for(index, part, kind or "nothing", "sound")
            yield _scene(kind, rng)


def _scene(kind: str | None, rng: np.random.Generator) -> Piece:
    start_s, length_s = 1.5, 5.0
    events: tuple[Event, ...] = ()
    if kind is not None:
        length_s = float(rng.uniform(*CATALOGUE[kind].length_s))
        events = (Event(kind=kind, start_s=start_s, end_s=start_s + min(length_s, 6.0)),)
    script = Script(seed=int(rng.integers(1 << 40)), length_s=10.0, events=events)
    mel = mel_frames(Renderer(script).sound(0.0, RATE_HZ * (5 if kind is None else 9)))
    active = np.zeros(len(mel), bool)
    if kind is None:
        active[:] = True
        return Piece(mel.astype(np.float16), active, frozenset({BACKGROUND_OF["audio"]}))
    core_s = CATALOGUE[kind].core_s or length_s
    active[int(start_s * 100) : int((start_s + min(core_s, length_s)) * 100)] = True
    return Piece(mel.astype(np.float16), active, frozenset({kind}))


def sights(modality: ModalityName, count: int, part: str) -> list[Sight]:
    """`count` windows of each kind of event and four times as many of none."""
    found = []
    for kind in (*kinds_of(modality), None):
        for index in range(count if kind else 4 * count):
            rng = rng_for(index, part, kind or "nothing", modality)
            frames = _kept(modality, np.asarray(example(modality, kind, rng)))
            found.append(Sight(frames, frozenset({kind or BACKGROUND_OF[modality]}), True))
    return found


def _kept(modality: ModalityName, window: NDArray[np.generic]) -> NDArray[np.uint8]:
    """The window's frames as 8-bit grey or colour."""
    if modality == "vision":
        size = (KEPT_SIDE * window.shape[2] // window.shape[1], KEPT_SIDE)
        small = [cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in window]
        return np.stack(small)
    frame = np.asarray(window[0], np.float32)
    grey = GainControl().push(frame, 0) if modality == "thermal" else disparity(frame)
    return np.round(grey * 255).astype(np.uint8)[None, :, :, None]


def motions(count: int, part: str) -> list[tuple[Window, Labels]]:
    """`count` windows of each rendered motion and of standing about."""
    found = []
    for kind in (*kinds_of("imu"), None):
        for index in range(count):
            rng = rng_for(index, part, kind or "nothing", "motion")
            times, rows = example("imu", kind, rng)
            start = 20_000_000_000  # `example` cuts its window 20 s into the scene
            window = resample(times, rows, start, start + WINDOW_NS)
            found.append((window, frozenset({kind or BACKGROUND_OF["imu"]})))
    return found
