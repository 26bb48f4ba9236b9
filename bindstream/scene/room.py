"""A furnished room and a fixed camera in it, cast ray by ray: which surface each pixel sees.

World axes in metres: x right, y up from the floor, z into the room; the camera stands near z = 0
and looks along z, turned by yaw and down by pitch. Depth is measured along the optical axis, as
depth cameras do.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bindstream.scene.seeds import rng_for

Array = NDArray[np.float32]
FLOOR, CEILING, BACK, LEFT, RIGHT, FRONT = range(6)
FIRST_BOX = 6


@dataclass(frozen=True)
class Box:
    """A piece of furniture, or part of one: an axis-aligned box from `low` to `high`."""

    name: str
    low: tuple[float, float, float]
    high: tuple[float, float, float]


@dataclass(frozen=True)
class Patch:
    """Something flat on a wall (`surface`): window, picture, door, radiator, rug.

    `low` and `high` bound it in the surface's two coordinates: x, y on the back wall; z, y on the
    side walls; x, z on the floor.
    """

    name: str
    surface: int
    low: tuple[float, float]
    high: tuple[float, float]


@dataclass(frozen=True)
class View:
    """What the camera sees at one picture size, for each pixel.

    `depth` (H, W) in m, `surface` (H, W): one of the six walls or `FIRST_BOX` + the box's index;
    `point` (3, H, W) where the ray ends in the world, m; `normal` (3, H, W) of the surface there.
    """

    depth: Array
    surface: NDArray[np.int16]
    point: Array
    normal: Array


class Room:
    """The room and camera that follow from `seed`; pictures, heat and depth share them."""

    def __init__(self, seed: int) -> None:
        rng = rng_for(seed, "room")
        self.width = float(rng.uniform(3.8, 6.0))
        self.height = float(rng.uniform(2.4, 2.9))
        self.length = float(rng.uniform(4.2, 6.5))
        self.front = -0.4
        self.camera_height = float(rng.uniform(1.2, 2.2))
        self.camera_x = float(rng.uniform(-0.15, 0.15) * self.width)
        self.pitch = float(
            np.arctan2(self.camera_height - rng.uniform(0.7, 1.0), self.length * 0.65)
        )
        self.yaw = float(np.clip(-self.camera_x / self.length + rng.normal(0, 0.06), -0.3, 0.3))
        self.half_width = float(np.tan(np.radians(rng.uniform(62, 80)) / 2))
        self.lamp = np.array(
            [
                rng.uniform(-0.3, 0.3) * self.width,
                self.height - 0.2,
                rng.uniform(0.3, 0.7) * self.length,
            ]
        )
        self.patches = _patches(rng, self)
        self.boxes = _furniture(rng, self)

    @property
    def aisle(self) -> tuple[float, float]:
        """The stretch of z (m) that is kept free of furniture and in view."""
        return 0.42 * self.length, self.length - 1.1

    def across(self, z: float) -> float:
        """How far (m) from the middle of the picture the central square reaches at depth `z`.

        Towers see the central square of a 4:3 picture, so whatever counts happens within.
        """
        return 0.75 * z * self.half_width

    def x_at(self, z: float, share: float) -> float:
        """The x (m) at depth `z` that lies `share` (-1..1) of the way to the square's side.

        Half a metre from the walls at least.
        """
        x = self.camera_x + np.tan(self.yaw) * z + share * self.across(z)
        return float(np.clip(x, 0.5 - self.width / 2, self.width / 2 - 0.5))

    @cached_property
    def turn(self) -> NDArray[np.float64]:
        """(3, 3): camera axes (right, up, ahead) -> world."""
        (sp, cp), (sy, cy) = ((np.sin(a), np.cos(a)) for a in (self.pitch, self.yaw))
        down = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
        side = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        return np.asarray(side @ down)

    def project(self, point: tuple[float, float, float]) -> tuple[float, float, float]:
        """A world point -> (u, v) from the centre in half widths of the picture, and depth (m)."""
        offset = np.asarray(point) - [self.camera_x, self.camera_height, 0]
        right, up, ahead = self.turn.T @ offset
        ahead = max(float(ahead), 0.05)
        return right / ahead / self.half_width, -up / ahead / self.half_width, ahead

    def view(self, height: int, width: int) -> View:
        """Casts a ray through every pixel of a height x width picture (about 20 ms)."""
        u = (np.arange(width, dtype=np.float32) + 0.5) * 2 / width - 1
        v = (np.arange(height, dtype=np.float32) + 0.5) * 2 / width - height / width
        ahead = self.turn.astype(np.float32)
        right, up = u * np.float32(self.half_width), -v * np.float32(self.half_width)
        rays = [a * right[None] + b * up[:, None] + c for a, b, c in ahead]
        rays = [np.where(np.abs(r) < 1e-6, np.float32(1e-6), r) for r in rays]
        origin = np.array([self.camera_x, self.camera_height, 0], np.float32)
        inverse = [1 / r for r in rays]
        bounds = (
            (-self.width / 2, self.width / 2, LEFT, RIGHT),
            (0, self.height, FLOOR, CEILING),
            (self.front, self.length, FRONT, BACK),
        )
        depth = np.full((height, width), np.inf, np.float32)
        surface = np.zeros((height, width), np.int16)
        axis = np.zeros((height, width), np.int8)
        for k, (low, high, low_side, high_side) in enumerate(bounds):
            out = rays[k] > 0
            hit_at = (np.where(out, np.float32(high), np.float32(low)) - origin[k]) * inverse[k]
            hit = hit_at < depth
            depth = np.where(hit, hit_at, depth)
            surface = np.where(hit, np.where(out, high_side, low_side), surface)
            axis = np.where(hit, k, axis)
        for index, box in enumerate(self.boxes, start=FIRST_BOX):
            enter, leave = [], []
            for k in range(3):
                a = np.float32(box.low[k] - origin[k]) * inverse[k]
                b = np.float32(box.high[k] - origin[k]) * inverse[k]
                enter.append(np.minimum(a, b))
                leave.append(np.maximum(a, b))
            hit_at = np.maximum(np.maximum(enter[0], enter[1]), enter[2])
            far = np.minimum(np.minimum(leave[0], leave[1]), leave[2])
            hit = (hit_at < far) & (hit_at > 0.1) & (hit_at < depth)
            depth = np.where(hit, hit_at, depth)
            surface = np.where(hit, index, surface)
            side = np.where(hit_at == enter[0], 0, np.where(hit_at == enter[1], 1, 2))
            axis = np.where(hit, side, axis)
        point = np.stack([o + r * depth for o, r in zip(origin, rays, strict=True)])
        normal = np.stack(
            [np.where(axis == k, -np.sign(r), np.float32(0)) for k, r in enumerate(rays)]
        )
        return View(depth, surface.astype(np.int16), point, normal)


def _patches(rng: np.random.Generator, room: Room) -> list[Patch]:
    """Windows, door, pictures, radiator and rug, each with some chance, none on another."""
    found: list[Patch] = []
    spots = [(BACK, x * room.width) for x in (-0.3, 0.0, 0.3)]
    spots += [(wall, z * room.length) for wall in (LEFT, RIGHT) for z in (0.55, 0.8)]
    order = rng.permutation(len(spots))
    names = ["window", "picture", "radiator", "door", "picture", "window"]
    for name, spot in zip(names, order, strict=False):
        if name != "radiator" and rng.random() < 0.35:
            continue
        surface, at = spots[int(spot)]
        at += rng.uniform(-0.1, 0.1)
        half = {"window": 0.55, "picture": 0.3, "radiator": 0.45, "door": 0.42}[name]
        half *= rng.uniform(0.75, 1.1)
        low, high = {
            "window": (rng.uniform(0.85, 1.1), rng.uniform(1.9, 2.2)),
            "picture": (rng.uniform(1.25, 1.45), rng.uniform(1.65, 2.0)),
            "radiator": (0.12, rng.uniform(0.55, 0.75)),
            "door": (0.0, 2.02),
        }[name]
        found.append(Patch(name, surface, (at - half, low), (at + half, high)))
    if rng.random() < 0.5:
        x, z = rng.uniform(-0.5, 0.5), rng.uniform(0.5, 0.65) * room.length
        w, d = rng.uniform(0.7, 1.4), rng.uniform(0.5, 0.9)
        found.append(Patch("rug", FLOOR, (x - w, z - d), (x + w, z + d)))
    return found


def _furniture(rng: np.random.Generator, room: Room) -> list[Box]:
    """Things along the walls; the aisle in the middle stays free."""
    boxes: list[Box] = []
    w, length = room.width / 2, room.length
    for side in (-1.0, 1.0):
        kind = rng.choice(["shelf", "sideboard", "table", "none"])
        z = rng.uniform(0.62, 0.85) * length
        deep, long = rng.uniform(0.35, 0.55), rng.uniform(0.7, 1.3)
        tall = {"shelf": rng.uniform(1.5, 2.0), "sideboard": rng.uniform(0.6, 0.95)}.get(kind, 0.74)
        inner, outer = side * (w - deep), side * w
        x0, x1 = min(inner, outer), max(inner, outer)
        if kind == "table":
            boxes += _table(x0, x1, z, z + long, tall)
        elif kind != "none":
            boxes.append(Box(kind, (x0, 0, z), (x1, tall, min(z + long, length))))
    kind = rng.choice(["sofa", "sideboard", "shelf", "bed", "none"], p=[0.4, 0.2, 0.15, 0.15, 0.1])
    x, half = rng.uniform(-0.25, 0.25) * w, rng.uniform(0.6, 1.0)
    if kind == "sofa":
        boxes += [
            Box("sofa", (x - half, 0.08, length - 0.85), (x + half, 0.42, length)),
            Box("sofa", (x - half, 0.08, length - 0.28), (x + half, 0.85, length)),
            Box("sofa", (x - half - 0.18, 0.08, length - 0.85), (x - half, 0.6, length)),
            Box("sofa", (x + half, 0.08, length - 0.85), (x + half + 0.18, 0.6, length)),
        ]
    elif kind == "bed":
        boxes += [
            Box("bed", (x - half, 0.1, length - 0.9), (x + half, 0.5, length)),
            Box("shelf", (x - half, 0.1, length - 0.08), (x + half, 0.95, length)),
        ]
    elif kind != "none":
        tall = rng.uniform(0.7, 1.0) if kind == "sideboard" else rng.uniform(1.6, 2.1)
        boxes.append(Box(kind, (x - half, 0, length - 0.4), (x + half, tall, length)))
    if rng.random() < 0.5:
        x, z = rng.choice([-1, 1]) * (w - 0.9), length - 0.5
        boxes.append(
            Box("pot", (x - 0.14, 0, z - 0.14), (x + 0.14, rng.uniform(0.25, 0.4), z + 0.14))
        )
    return boxes


def _table(x0: float, x1: float, z0: float, z1: float, tall: float) -> list[Box]:
    legs = [
        Box("table", (x, 0, z), (x + 0.06, tall, z + 0.06))
        for x in (x0, x1 - 0.06)
        for z in (z0, z1 - 0.06)
    ]
    return [Box("table", (x0, tall - 0.05, z0), (x1, tall, z1)), *legs]
