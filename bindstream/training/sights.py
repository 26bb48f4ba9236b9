"""Pictures, heat and depth to learn from: recorded and rendered frames, cropped and jittered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bindstream.errors import MissingPackageError
from bindstream.features.depth import disparity
from bindstream.features.thermal import GainControl
from bindstream.features.vision import MEAN, SIDE, STD
from bindstream.records import ModalityName
from bindstream.scene.catalogue import kinds_of
from bindstream.scene.examples import example
from bindstream.scene.seeds import rng_for
from bindstream.training.manifest import Entry
from bindstream.training.phrases import BACKGROUND_OF

Labels = frozenset[str]
KEPT_SIDE = 144  # px: short side at which rendered clips are kept


@dataclass(frozen=True)
class Sight:
    """Frames (1 or 2, H, W, channels) uint8 and what they show; `is_scene` if rendered.

    `boxes` are (concept, x, y, w, h) in pixels, (x, y) the box's centre.
    """

    frames: NDArray[np.uint8]
    labels: Labels
    is_scene: bool
    boxes: tuple[tuple[str, float, float, float, float], ...] = ()


def recorded(entries: Sequence[Entry]) -> list[Sight]:
    """A sight a file, colour for vision, grey for thermal."""
    mode = {"vision": "RGB", "thermal": "L"}
    found = []
    for entry in entries:
        with Image.open(entry.path) as image:
            frame = np.asarray(image.convert(mode[entry.modality]))
        frame = frame.reshape(1, *frame.shape[:2], -1)
        found.append(Sight(frame, entry.concepts, False, entry.boxes))
    return found


def rendered(modality: ModalityName, count: int, part: str) -> list[Sight]:
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
        small = [_cv2().resize(f, size, interpolation=_cv2().INTER_AREA) for f in window]
        return np.stack(small)
    frame = np.asarray(window[0], np.float32)
    grey = GainControl().push(frame, 0) if modality == "thermal" else disparity(frame)
    return np.round(grey * 255).astype(np.uint8)[None, :, :, None]


class SightBatches:
    """Random training windows of one picture-like modality."""

    def __init__(self, modality: ModalityName, sights: Sequence[Sight]) -> None:
        self._modality = modality
        self._nothing = BACKGROUND_OF[modality]
        self._real = _by_label([s for s in sights if not s.is_scene])
        self._scenes = _by_label([s for s in sights if s.is_scene])
        self._real_share = 0.0
        if self._real:
            self._real_share = 0.4
            weights = np.array([len(found) ** 0.5 for found in self._real.values()])
            self._weights = weights / weights.sum()

    def batch(self, n: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], list[Labels]]:
        """Model inputs, (n, 3, 2, 224, 224) or (n, 1, 224, 224) float32, and what they show."""
        rows, labels = [], []
        for _ in range(n):
            sight = self._pick(rng)
            if self._modality == "vision":
                rows.append(_clip(sight, rng))
                labels.append(sight.labels)
            elif sight.is_scene:
                frame = _crop(sight.frames, _near(sight.frames, rng), rng)[0]
                rows.append(_grey(frame, rng, aerial=False))
                labels.append(sight.labels)
            else:
                tile, shown = self._tile(sight, rng)
                rows.append(_grey(tile, rng, aerial=True))
                labels.append(shown)
        return np.stack(rows), labels

    def _pick(self, rng: np.random.Generator) -> Sight:
        if rng.random() < self._real_share:
            names = list(self._real)
            found = self._real[names[int(rng.choice(len(names), p=self._weights))]]
        else:
            names = list(self._scenes)
            name = names[int(rng.integers(len(names)))]
            found = self._scenes[self._nothing if rng.random() < 0.3 else name]
        return found[int(rng.integers(len(found)))]

    def _tile(self, sight: Sight, rng: np.random.Generator) -> tuple[NDArray[np.uint8], Labels]:
        """A square part of an aerial frame, around one of its objects two times in three."""
        height, width = sight.frames.shape[1:3]
        side = int(rng.uniform(0.2, 1.0) ** 1.0 * min(height, width))
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        if sight.boxes and rng.random() < 0.7:
            _, x, y, w, h = sight.boxes[int(rng.integers(len(sight.boxes)))]
            side = max(side, int(1.5 * max(w, h)), 24)
            x, y = x + rng.uniform(-0.3, 0.3) * side, y + rng.uniform(-0.3, 0.3) * side
        side = min(max(side, 48), height, width)
        left = int(np.clip(x - side / 2, 0, width - side))
        top = int(np.clip(y - side / 2, 0, height - side))
        shown = frozenset(
            name
            for name, bx, by, _, _ in sight.boxes
            if left <= bx < left + side and top <= by < top + side
        )
        tile = sight.frames[0, top : top + side, left : left + side]
        return _resized(tile), shown or frozenset({self._nothing})


def _by_label(sights: Sequence[Sight]) -> dict[str, list[Sight]]:
    found: dict[str, list[Sight]] = {}
    for sight in sights:
        for name in sight.labels or {"unlabelled"}:
            found.setdefault(name, []).append(sight)
    return found


def _near(frames: NDArray[np.uint8], rng: np.random.Generator) -> tuple[float, float, float, float]:
    """A crop close to the centre square that the product takes: left, top, width, height."""
    height, width = frames.shape[1:3]
    side = min(height, width) * rng.uniform(0.8, 1.0)
    left = (width - side) / 2 + rng.uniform(-0.06, 0.06) * width
    top = rng.uniform(0, height - side)
    return left, top, side, side * rng.uniform(0.95, 1.0)


def _any(frames: NDArray[np.uint8], rng: np.random.Generator) -> tuple[float, float, float, float]:
    """A random resized crop of a picture: 35 to 100 % of its area, aspect 3:4 to 4:3."""
    height, width = frames.shape[1:3]
    area = rng.uniform(0.35, 1.0) * height * width
    aspect = np.exp(rng.uniform(np.log(0.75), np.log(1.33)))
    w, h = min(np.sqrt(area * aspect), width), min(np.sqrt(area / aspect), height)
    return rng.uniform(0, width - w), rng.uniform(0, height - h), w, h


def _crop(
    frames: NDArray[np.uint8], box: tuple[float, float, float, float], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """The box of each frame at 224 × 224, mirrored half of the time."""
    left, top, w, h = (round(v) for v in box)
    left, top = max(left, 0), max(top, 0)
    part = frames[:, top : top + max(h, 8), left : left + max(w, 8)]
    if rng.random() < 0.5:
        part = part[:, :, ::-1]
    return np.stack([_resized(frame) for frame in part])


def _resized(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    sized = _cv2().resize(np.ascontiguousarray(frame), (SIDE, SIDE))
    return np.asarray(sized.reshape(SIDE, SIDE, -1))


def _clip(sight: Sight, rng: np.random.Generator) -> NDArray[np.float32]:
    box = _near(sight.frames, rng) if sight.is_scene else _any(sight.frames, rng)
    if not sight.is_scene and rng.random() < 0.15:
        box = (0, 0, *sight.frames.shape[2:0:-1])
    frames = _crop(sight.frames, box, rng)
    spread = 0.15 if sight.is_scene else 0.3
    gain = rng.uniform(1 - spread, 1 + spread) * rng.uniform(1 - spread / 3, 1 + spread / 3, 3)
    shift = rng.uniform(-40, 40) * spread
    # Every grey level's jittered and normalised value, looked up: four times faster than floats.
    levels = np.clip(np.arange(256)[:, None] * gain + shift, 0, 255) / 255
    table = ((levels - MEAN) / STD).astype(np.float32)
    if not sight.is_scene and rng.random() < 0.1:
        frames = np.repeat(frames.mean(-1, keepdims=True).astype(np.uint8), 3, axis=-1)
    out = np.empty((3, 2, SIDE, SIDE), np.float32)
    for channel in range(3):
        out[channel, : len(frames)] = table[frames[..., channel], channel]
    if len(frames) == 1:
        out[:, 1] = out[:, 0]
        if rng.random() < 0.4:  # a camera that moves a little
            out[:, 1] = np.roll(out[:, 0], rng.integers(-6, 7, 2), axis=(1, 2))
    if rng.random() < 0.4:  # a sensor that is noisy
        out += rng.standard_normal(out.shape[1:], np.float32) * np.float32(rng.uniform(0, 0.15))
    return out


def _grey(frame: NDArray[np.uint8], rng: np.random.Generator, aerial: bool) -> NDArray[np.float32]:
    """(1, 224, 224) in [0, 1]; aerial tiles are turned and stretched as gain control would."""
    grey = frame[..., 0].astype(np.float32) / np.float32(255)
    if aerial:
        grey = np.rot90(grey, int(rng.integers(4)))
        low, high = np.percentile(grey, (1, 99))
        grey = (grey - low) / max(float(high - low), 0.15)
    grey = (grey - 0.5) * np.float32(rng.uniform(0.85, 1.15)) + np.float32(
        0.5 + rng.uniform(-0.06, 0.06)
    )
    grey = grey + rng.standard_normal(grey.shape, np.float32) * np.float32(rng.uniform(0, 0.03))
    return np.asarray(np.clip(grey, 0, 1)[None], np.float32)


def _cv2() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise MissingPackageError(
            "Training on pictures needs opencv-python-headless, which is not installed.",
            fix="Run: pip install 'bindstream[train]'.",
        ) from error
    return cv2
