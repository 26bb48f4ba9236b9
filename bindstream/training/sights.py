"""Pictures, heat and depth to learn from: recorded and rendered frames, cropped and jittered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bindstream.errors import MissingPackageError
from bindstream.features.vision import MEAN, SIDE, STD
from bindstream.modalities import MODALITIES
from bindstream.records import ModalityName
from bindstream.training.crops import Crop

Labels = frozenset[str]
Box = tuple[str, float, float, float, float]

SHORT_SIDE = 320  # the smallest crop of the table, 0.7, is then still of the model's 224 pixels


@dataclass(frozen=True)
class Sight:
    """Frames (1 or 2, H, W, channels) uint8 and what they show.

    `is_scene` if they show what the product will see, as rendered frames and those of a user's own
    camera do: they are cropped near their centre. Other heat and depth frames are seen from the
    air. `boxes` are (concept, x, y, w, h) in pixels, (x, y) the box's centre. With `views`, one of
    these is cut and nothing else, and what is shown is said with its place: "LABEL@2".
    """

    frames: NDArray[np.uint8]
    labels: Labels
    is_scene: bool
    boxes: tuple[Box, ...] = ()
    views: tuple[Crop, ...] = ()


def read_sight(
    modality: ModalityName, path: Path, labels: Labels, boxes: tuple[Box, ...] = ()
) -> Sight:
    """A picture: in colour for vision, else grey."""
    with Image.open(path) as image:
        frame = np.asarray(image.convert("RGB" if modality == "vision" else "L"))
    return Sight(frame.reshape(1, *frame.shape[:2], -1), labels, False, boxes)


def scaled(frames: NDArray[Any]) -> NDArray[np.uint8]:
    """Frames (n, H, W, channels), uint8 or grey in [0, 1], as a `Sight` holds them to be cropped:
    uint8, at most 320 pixels on their shorter side."""
    levels = frames if frames.dtype == np.uint8 else np.rint(frames * 255).astype(np.uint8)
    height, width = frames.shape[1:3]
    share = SHORT_SIDE / min(height, width)
    if share >= 1:
        return np.asarray(levels)
    size = (round(width * share), round(height * share))
    cv2 = _cv2()
    small = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in levels]
    return np.stack(small).reshape(len(frames), size[1], size[0], -1)


class SightBatches:
    """Random training windows of one picture-like modality; `nothing` is what empty tiles show."""

    def __init__(
        self, modality: ModalityName, sights: Sequence[Sight], nothing: Labels = frozenset()
    ) -> None:
        self._modality = modality
        self._nothing = nothing
        self._real = _by_label([s for s in sights if not s.is_scene])
        self._scenes = _by_label([s for s in sights if s.is_scene])
        self._real_share = 0.0
        if self._real:
            # Rendered scenes are learned soon, recordings are not.
            self._real_share = 0.75 if self._scenes else 1.0
            weights = np.array([len(found) ** 0.5 for found in self._real.values()])
            self._weights = weights / weights.sum()

    def batch(self, n: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], list[Labels]]:
        """Model inputs, (n, 3, 2, 224, 224) or (n, 1, 224, 224) float32, and what they show."""
        out = np.empty((n, *MODALITIES[self._modality].model_input), np.float32)
        labels = []
        for row in out:
            sight = self._pick(rng)
            shown = sight.labels
            if sight.views:
                frames, shown = _view(sight, rng)
            elif sight.is_scene:
                frames = _crop(sight.frames, _near(sight.frames, rng), rng)
            elif self._modality == "vision":
                frames = _askew(sight.frames, rng)
            else:
                tile, shown = self._tile(sight, rng)
                frames = tile[None]
            if self._modality == "vision":
                _clip(frames, sight.is_scene, rng, row)
            else:
                aerial = not (sight.is_scene or sight.views)
                row[:] = _grey(frames[0], rng, aerial=aerial)
            labels.append(shown)
        return out, labels

    def _pick(self, rng: np.random.Generator) -> Sight:
        if rng.random() < self._real_share:
            names = list(self._real)
            found = self._real[names[int(rng.choice(len(names), p=self._weights))]]
        else:
            names = list(self._scenes)
            name = names[int(rng.integers(len(names)))]
            if rng.random() < 0.3 and self._nothing <= set(names):
                name = next(iter(self._nothing), name)
            found = self._scenes[name]
        return found[int(rng.integers(len(found)))]

    def _tile(self, sight: Sight, rng: np.random.Generator) -> tuple[NDArray[np.uint8], Labels]:
        """A square part of an aerial frame: cut tight around an object, or wide, or anywhere."""
        height, width = sight.frames.shape[1:3]
        side = int(rng.uniform(0.2, 1.0) * min(height, width))
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        draw, only = rng.random(), ""
        if sight.boxes and draw < 0.9:
            only, x, y, w, h = self._box(sight, rng)
            most = max(w, h)
            # Three in four are crops of one object, as a detector would hand them over.
            around = rng.uniform(1.0, 2.2) if draw < 0.75 else rng.uniform(2.2, 6.0)
            side, slack = max(round(most * around), 8), max(around - 1.0, 0.1) * 0.3 * most
            if draw < 0.08:
                side = max(round(min(w, h)), 6)  # the middle of a box that is not square
            x, y = x + rng.uniform(-slack, slack), y + rng.uniform(-slack, slack)
            only = only if draw < 0.75 else ""
        side = min(side, height, width)
        left = int(np.clip(x - side / 2, 0, width - side))
        top = int(np.clip(y - side / 2, 0, height - side))
        shown = frozenset(
            name
            for name, bx, by, _, _ in sight.boxes
            if left <= bx < left + side and top <= by < top + side
        )
        tile = sight.frames[0, top : top + side, left : left + side]
        return _resized(tile), frozenset({only}) if only else shown or self._nothing

    def _box(self, sight: Sight, rng: np.random.Generator) -> Box:
        """One of a frame's boxes: first its kind is drawn, rare ones as often as common ones."""
        names = sorted({box[0] for box in sight.boxes})
        name = names[int(rng.integers(len(names)))]
        boxes = [box for box in sight.boxes if box[0] == name]
        return boxes[int(rng.integers(len(boxes)))]


def _by_label(sights: Sequence[Sight]) -> dict[str, list[Sight]]:
    found: dict[str, list[Sight]] = {}
    for sight in sights:
        for name in sight.labels or {"unlabelled"}:
            found.setdefault(name, []).append(sight)
    return found


def _view(sight: Sight, rng: np.random.Generator) -> tuple[NDArray[np.uint8], Labels]:
    """One of the sight's fixed views at 224 × 224, and what it shows with the view's place."""
    place = int(rng.integers(len(sight.views)))
    part = sight.views[place].of(sight.frames)
    shown = frozenset(f"{label}@{place}" for label in sight.labels)
    return np.stack([_resized(frame) for frame in part]), shown


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


def _askew(frames: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A random part of a picture at 224 × 224: mirrored, turned and sheared by a few degrees."""
    left, top, w, h = _any(frames, rng)
    turn, shear = 0.0, 0.0
    if rng.random() < 0.4:
        turn, shear = rng.normal(0, 0.15), rng.normal(0, 0.12)
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    scale = np.diag([mirror * w, h]) / SIDE
    slant = np.array([[1, shear], [0, 1]])
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    linear = rotation @ slant @ scale
    centre = np.array([left + w / 2, top + h / 2])
    matrix = np.concatenate([linear, (centre - linear @ [SIDE / 2, SIDE / 2])[:, None]], 1)
    cv2 = _cv2()
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.stack(
        [
            cv2.warpAffine(f, matrix, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
            for f in frames
        ]
    )


def _resized(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    cv2 = _cv2()
    way = cv2.INTER_CUBIC if frame.shape[0] < 64 else cv2.INTER_LINEAR
    sized = cv2.resize(np.ascontiguousarray(frame), (SIDE, SIDE), interpolation=way)
    return np.asarray(sized.reshape(SIDE, SIDE, -1))


def _clip(
    frames: NDArray[np.uint8], is_scene: bool, rng: np.random.Generator, out: NDArray[np.float32]
) -> None:
    """Fills `out`, (3, 2, 224, 224), with the frames at 224 × 224 or with a still seen twice."""
    spread = 0.15 if is_scene else 0.3
    gain = rng.uniform(1 - spread, 1 + spread) * rng.uniform(1 - spread / 3, 1 + spread / 3, 3)
    shift = rng.uniform(-40, 40) * spread
    # Every grey level's jittered and normalised value, looked up: four times faster than floats.
    levels = np.clip(np.arange(256)[:, None] * gain + shift, 0, 255) / 255
    table = ((levels - MEAN) / STD).astype(np.float32)
    if not is_scene and rng.random() < 0.25:  # part of it covered
        y, x, a, b = (int(v) for v in rng.uniform([0, 0, 30, 30], [180, 180, 90, 90]))
        frames[:, y : y + a, x : x + b] = rng.integers(256, size=3)
    if not is_scene and rng.random() < 0.1:
        frames = np.repeat(frames.mean(-1, keepdims=True).astype(np.uint8), 3, axis=-1)
    for channel in range(3):
        out[channel, : len(frames)] = table[frames[..., channel], channel]
    if len(frames) == 1:
        out[:, 1] = out[:, 0]
        if rng.random() < 0.4:  # a camera that moves a little
            out[:, 1] = np.roll(out[:, 0], rng.integers(-6, 7, 2), axis=(1, 2))
    if rng.random() < 0.4:  # a sensor that is noisy
        out += rng.standard_normal(out.shape[1:], np.float32) * np.float32(rng.uniform(0, 0.15))


def _grey(frame: NDArray[np.uint8], rng: np.random.Generator, aerial: bool) -> NDArray[np.float32]:
    """(1, 224, 224) in [0, 1]; aerial tiles are turned and stretched as gain control would."""
    grey = frame[..., 0].astype(np.float32) / np.float32(255)
    if aerial:
        grey = np.rot90(grey, int(rng.integers(4)))
        if rng.random() < 0.7:  # gain control, of the tile or of a frame that it is part of
            low, high = np.percentile(grey, (1, 99))
            share = rng.uniform(0, 0.6) if rng.random() < 0.5 else 0.0
            low, high = low * (1 - share), high + (1 - high) * share
            grey = (grey - low) / max(float(high - low), 0.05)
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
