"""Who is where: places and poses of people, animals and things over the course of an event."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from bindstream.scene import figures
from bindstream.scene.figures import Build, Part
from bindstream.scene.room import Room
from bindstream.scene.script import Event
from bindstream.scene.seeds import rng_for

NAMES = ("", "skin", "hair", "top", "legs", "shoes", "coat", "belly", "muzzle", "nose", "ears")
"""What the numbers in a `Cutout`'s labels stand for; 0 is nothing."""
_FINE = 2
"""Figures are drawn so many times larger and then reduced, for smooth edges."""
_STEP_S = 0.5


@dataclass(frozen=True)
class Cutout:
    """A drawn figure: part numbers (h * _FINE, w * _FINE) uint8, its top left pixel, its depth."""

    labels: NDArray[np.uint8]
    top: int
    left: int
    depth: float


@dataclass(frozen=True)
class Pose:
    """Parts in metres, standing at floor point (x, z)."""

    parts: list[Part]
    x: float
    z: float


class Actor:
    """The figure of one event: `pose(t_s)` while it is to be seen.

    Walkers are well within the central square of the picture from the event's start to its end;
    they are seen coming a little before and going a little after.
    """

    def __init__(self, event: Event, room: Room, seed: int) -> None:
        self.event = event
        rng = self.rng = rng_for(seed, event.kind, round(event.start_s * 1000), "actor")
        near, far = room.aisle
        self.z = float(rng.uniform(near, far))
        self._sides = rng.choice([-1.0, 1.0], 2)
        self._from_x, self._to_x = (room.x_at(self.z, 0.8 * side) for side in self._sides)
        self._stop_x = room.x_at(self.z, rng.uniform(-0.5, 0.5))
        self._phase = float(rng.uniform(0, 2 * np.pi))
        self._build = Build.drawn(rng)
        self._dog_height = float(rng.uniform(0.38, 0.65))
        self._floppy = bool(rng.random() < 0.5)
        self._speed = float(rng.uniform(0.9, 1.4))
        self._lead_s = (0.6 * room.across(self.z) + 0.6) / self._speed
        self._facing = float(rng.choice([-1.0, 1.0]))
        self._bend = float(rng.uniform(0, 1))
        self._rest_facing = float(rng.choice([0.0, 0.0, -1.0, 1.0]))

    def pose(self, t_s: float) -> Pose | None:
        """Where the figure is and how it stands; None while it is not to be seen."""
        fallen = self.event.kind == "fallen_person"
        lead_s = 0.0 if fallen else self._lead_s
        if not self.event.start_s - lead_s <= t_s < self.event.end_s + lead_s:
            return None
        if fallen:
            sway = 0.01 * np.sin(2 * np.pi * 0.25 * t_s)
            parts = figures.lying(self._build, self._bend + sway, self._facing)
            return Pose(parts, self._stop_x, self.z)
        x, stride, facing = self._walk(t_s)
        if self.event.kind == "dog":
            phase = self._phase + 2 * np.pi * 1.9 * t_s
            way = facing or self._facing
            parts = figures.dog(self._dog_height, stride, phase, way, self._floppy)
        else:
            phase = self._phase + 2 * np.pi * 0.95 * t_s
            parts = figures.person(self._build, stride, phase, facing)
        return Pose(parts, x, self.z)

    def _walk(self, t_s: float) -> tuple[float, float, float]:
        """Comes in from a side, stops for a while, goes out: position, stride, facing."""
        since, left = t_s - self.event.start_s, self.event.end_s - t_s
        longest_s = 0.4 * (self.event.end_s - self.event.start_s)
        come_s = min(abs(self._stop_x - self._from_x) / self._speed, longest_s)
        go_s = min(abs(self._stop_x - self._to_x) / self._speed, longest_s)
        if come_s <= since and go_s <= left:
            shift = 0.03 * np.sin(2 * np.pi * 0.3 * t_s)
            return self._stop_x + shift, 0.08, self._rest_facing
        coming = since < come_s
        edge_x, side = (self._from_x, self._sides[0]) if coming else (self._to_x, self._sides[1])
        inside_s, walk_s = (since, come_s) if coming else (left, go_s)
        if inside_s < 0:
            x = edge_x - side * inside_s * self._speed
        else:
            x = edge_x + (self._stop_x - edge_x) * inside_s / walk_s
        stride = float(np.clip((walk_s - inside_s) / _STEP_S, 0.1, 1))
        return float(x), stride, float(-side if coming else side)


def cut_out(pose: Pose, room: Room, height: int, width: int) -> Cutout | None:
    """Draws a pose into a height x width picture of the room; None if it is out of the picture."""
    u, v, depth = room.project((pose.x, 0.0, pose.z))
    scale = width / 2 / (depth * room.half_width)
    foot = ((u + 1) * width / 2, v * width / 2 + height / 2)
    xs = [p[0] for part in pose.parts for p in part.points]
    ys = [p[1] for part in pose.parts for p in part.points]
    margin = 0.2
    left = max(int(foot[0] + (min(xs) - margin) * scale), 0)
    right = min(int(foot[0] + (max(xs) + margin) * scale) + 1, width)
    top = max(int(foot[1] - (max(ys) + margin) * scale), 0)
    bottom = min(int(foot[1] - (min(ys) - margin) * scale) + 1, height)
    if right - left < 2 or bottom - top < 2:
        return None
    image = Image.new("L", ((right - left) * _FINE, (bottom - top) * _FINE))
    draw = ImageDraw.Draw(image)
    for part in pose.parts:
        points = [
            ((foot[0] + x * scale - left) * _FINE, (foot[1] - y * scale - top) * _FINE)
            for x, y in part.points
        ]
        _draw(draw, part, points, scale * _FINE)
    return Cutout(np.asarray(image), top, left, depth)


def _draw(
    draw: ImageDraw.ImageDraw, part: Part, points: list[tuple[float, float]], scale: float
) -> None:
    label = NAMES.index(part.name)
    if part.fill:
        draw.polygon(points, fill=label)
        return
    radii = [w * scale / 2 for w in part.widths]
    for (x, y), r in zip(points, radii, strict=True):
        draw.ellipse((x - r, y - r, x + r, y + r), fill=label)
    for ((x0, y0), r0), ((x1, y1), r1) in zip(
        list(zip(points, radii, strict=True))[:-1],
        list(zip(points, radii, strict=True))[1:],
        strict=True,
    ):
        length = float(np.hypot(x1 - x0, y1 - y0)) or 1.0
        nx, ny = (y0 - y1) / length, (x1 - x0) / length
        draw.polygon(
            [
                (x0 + nx * r0, y0 + ny * r0),
                (x1 + nx * r1, y1 + ny * r1),
                (x1 - nx * r1, y1 - ny * r1),
                (x0 - nx * r0, y0 - ny * r0),
            ],
            fill=label,
        )


def paint(
    cutout: Cutout, values: NDArray[np.float32], room_depth: NDArray[np.float32]
) -> tuple[tuple[slice, slice], NDArray[np.float32], NDArray[np.float32]]:
    """A cutout with a value (number or colour) for each part, and how much it covers.

    Args:
        values: (len(NAMES),) or (len(NAMES), 3): the value of each part; that of 0 is not used.
        room_depth: (H, W) m: where the room is nearer than the figure, the room is seen.

    Returns:
        The region of the picture, values there (h, w[, 3]), and cover there (h, w) in 0..1.
    """
    h, w = cutout.labels.shape[0] // _FINE, cutout.labels.shape[1] // _FINE
    region = slice(cutout.top, cutout.top + h), slice(cutout.left, cutout.left + w)
    filled = (cutout.labels > 0).astype(np.float32)
    fine = values[cutout.labels] * (filled if values.ndim == 1 else filled[..., None])
    cover = filled.reshape(h, _FINE, w, _FINE).mean((1, 3))
    shape = (h, _FINE, w, _FINE) + ((3,) if values.ndim == 2 else ())
    total = fine.reshape(shape).mean((1, 3))
    under = np.maximum(cover, 1e-6)
    painted = total / (under if values.ndim == 1 else under[..., None])
    hidden = room_depth[region] < cutout.depth - 0.15
    return region, painted.astype(np.float32), np.where(hidden, np.float32(0), cover)
