"""What the house's thermal camera measures: temperatures of the room and of what is warm in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from bindstream.scene.actors import NAMES, Actor, cut_out, paint
from bindstream.scene.flames import Flame
from bindstream.scene.room import BACK, CEILING, FIRST_BOX, FLOOR, Room, View
from bindstream.scene.script import Event
from bindstream.scene.seeds import rng_for
from bindstream.scene.surfaces import patch_coordinates

HEIGHT, WIDTH = 120, 160
Array = NDArray[np.float32]
_WALKERS = ("person", "fallen_person", "dog")


class Heat:
    """The thermal camera of a scene: `render(t_s)` is the frame at that time.

    Temperatures of the room, a warm radiator or a cold window, clothing, noise and sharpness
    follow from `seed`.
    """

    def __init__(self, events: Sequence[Event], seed: int) -> None:
        self._seed = seed
        self._room = Room(seed)
        rng = rng_for(seed, "thermal camera")
        self._ambient_c = float(rng.uniform(16, 25))
        self._noise_c = float(rng.uniform(0.04, 0.2))
        self._columns = (rng.normal(0, rng.uniform(0, 0.12), WIDTH)).astype(np.float32)
        self._blur = float(rng.uniform(0.1, 0.6))
        self._view = self._room.view(HEIGHT, WIDTH)
        self._scenery = _warmth(self._room, self._view, self._ambient_c, seed)
        self._actors = [Actor(e, self._room, seed) for e in events if e.kind in _WALKERS]
        self._bodies = [_body(a, self._ambient_c) for a in self._actors]
        self._flames = [Flame(e, self._room, seed) for e in events if e.kind == "fire"]
        self._cookers = [
            _Cooker(e, self._room, seed) for e in events if e.kind in ("hot_stove", "kettle")
        ]

    def render(self, t_s: float) -> Array:
        """(HEIGHT, WIDTH) float32 °C at `t_s` seconds into the scene."""
        heat = self._scenery.copy()
        depth = self._view.depth
        for cooker in self._cookers:
            cooker.draw(heat, t_s)
        for actor, body in zip(self._actors, self._bodies, strict=True):
            pose = actor.pose(t_s)
            cutout = pose and cut_out(pose, self._room, HEIGHT, WIDTH)
            if cutout:
                region, warm, cover = paint(cutout, body, depth)
                heat[region] += (warm - heat[region]) * cover
        for flame in self._flames:
            found = flame.field(t_s, HEIGHT, WIDTH)
            if found is not None:
                region, glow = found
                glow = np.where(depth[region] < flame.z - 0.2, np.float32(0), glow)
                heat[region] += glow**0.8 * np.float32(flame.temperature_c)
                foot, centre = region[0].stop, (region[1].start + region[1].stop) / 2
                heat += _halo(foot - 6, centre, 25.0 * flame.strength(t_s))
        rng = rng_for(self._seed, "thermal noise", round(t_s * 1000))
        noise = rng.standard_normal(heat.shape, np.float32) * np.float32(self._noise_c)
        return _soften(heat, self._blur) + noise + self._columns


def _soften(heat: Array, share: float) -> Array:
    """Each pixel mixed with its neighbours above, below, left and right, `share` (0..1) of it."""
    edge = np.pad(heat, 1, mode="edge")
    around = edge[:-2, 1:-1] + edge[2:, 1:-1] + edge[1:-1, :-2] + edge[1:-1, 2:]
    return (1 - np.float32(share)) * heat + np.float32(share / 4) * around


def _halo(row: float, column: float, size_c: float) -> Array:
    """The floor and the air around a fire, warmed."""
    down = ((np.arange(HEIGHT, dtype=np.float32) - row) / 14) ** 2
    along = ((np.arange(WIDTH, dtype=np.float32) - column) / 22) ** 2
    return (size_c / (1 + (down[:, None] + along[None]) ** 1.5)).astype(np.float32)


def _warmth(room: Room, view: View, ambient_c: float, seed: int) -> Array:
    """The empty room: surfaces near the air's temperature, some warmer, some colder."""
    rng = rng_for(seed, "warmth")
    heat = np.full(view.surface.shape, ambient_c, np.float32)
    for surface in range(FIRST_BOX + len(room.boxes)):
        heat[view.surface == surface] += np.float32(rng.normal(0, 0.35))
    heat[view.surface == FLOOR] += np.float32(rng.uniform(-1.0, 0.3))
    heat[view.surface == CEILING] += np.float32(rng.uniform(0, 1.0))
    heat += (view.point[1] - 1.2) * np.float32(rng.uniform(0.1, 0.6))
    heat += np.where(view.surface == BACK, np.float32(rng.normal(0, 0.6)), np.float32(0))
    for patch in room.patches:
        across, up = patch_coordinates(view, patch)
        inside = (view.surface == patch.surface) & (np.abs(across) < 1) & (np.abs(up) < 1)
        if patch.name == "radiator":
            ribs = 1 - 0.12 * ((across * 9) % 1 < 0.25)
            warm_c = rng.choice([0.0, rng.uniform(8, 30)])
            heat[inside] += (warm_c * ribs).astype(np.float32)[inside]
            plume = np.exp(-(np.abs(across) ** 4) - np.clip(up - 1, 0, None) / 1.5)
            above = (view.surface == patch.surface) & (up > 1)
            heat[above] += (0.12 * warm_c * plume).astype(np.float32)[above]
        elif patch.name == "window":
            heat[inside] += np.float32(rng.uniform(-8, 2.5))
        else:
            heat[inside] += np.float32(rng.normal(0, 0.25))
    return heat


def _body(actor: Actor, ambient_c: float) -> Array:
    """(len(NAMES),) °C of a figure's parts: bare skin warmest, clothes and fur in between."""
    rng = actor.rng
    cloth = rng.uniform(0.45, 0.8)
    skin_c = rng.uniform(32.5, 34.5)
    mixed = ambient_c + cloth * (skin_c - ambient_c)
    fur_c = ambient_c + rng.uniform(0.45, 0.75) * (36 - ambient_c)
    degrees = {
        "skin": skin_c,
        "hair": mixed - 0.5,
        "top": mixed + rng.uniform(-0.5, 1.0),
        "legs": mixed - rng.uniform(0, 1.5),
        "shoes": ambient_c + 0.35 * (skin_c - ambient_c),
        "coat": fur_c,
        "belly": fur_c + 2.5,
        "muzzle": fur_c + 1.5,
        "nose": 36.0,
        "ears": fur_c + 1.5,
    }
    return np.array([0.0, *(degrees[name] for name in NAMES[1:])], np.float32)


_COLD_C = 20.0


class _Cooker:
    """A stove with hot plates or a kettle on a counter, heating up as its event goes on."""

    def __init__(self, event: Event, room: Room, seed: int) -> None:
        self._event = event
        rng = rng_for(seed, event.kind, round(event.start_s * 1000), "cooker")
        self._room = room
        z = float(rng.uniform(0.42, 0.55) * room.length)
        x = room.x_at(z, rng.uniform(-0.6, 0.6))
        self._hot_c = float(
            rng.uniform(120, 380) if event.kind == "hot_stove" else rng.uniform(75, 98)
        )
        self._warm_c = float(rng.uniform(2, 10))
        if event.kind == "hot_stove":
            self._shapes = _stove(rng, x, z)
        else:
            self._shapes = _kettle(rng, x, z)

    def draw(self, heat: Array, t_s: float) -> None:
        if not self._event.start_s <= t_s < self._event.end_s:
            return
        heated = 0.55 + 0.45 * min((t_s - self._event.start_s) / 2.0, 1.0)
        for points, share in self._shapes:
            outline = []
            for point in points:
                u, v, _ = self._room.project(point)
                outline.append(((u + 1) * WIDTH, v * WIDTH + HEIGHT))
            image = Image.new("L", (2 * WIDTH, 2 * HEIGHT))
            ImageDraw.Draw(image).polygon(outline, fill=255)
            cover = np.asarray(image.reduce(2), np.float32) / 255
            if share:
                hot_c = np.float32(_COLD_C + (self._hot_c - _COLD_C) * share * heated)
                heat += (hot_c - heat) * cover
            else:
                heat += np.float32(self._warm_c) * cover


Shape = tuple[list[tuple[float, float, float]], float]
"""An outline in the world, and its share of the hot thing's heat; 0 is a casing, merely warmed."""


def _ring(x: float, y: float, z: float, radius: float) -> list[tuple[float, float, float]]:
    turn = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    return [(x + radius * float(np.cos(a)), y, z + radius * float(np.sin(a))) for a in turn]


def _stove(rng: np.random.Generator, x: float, z: float) -> list[Shape]:
    """A cooker: its warm front and top, and two to four plates that are hot, some under a pot."""
    y, half = 0.88, 0.3
    front = [(x - half, 0.05, z), (x + half, 0.05, z), (x + half, y, z), (x - half, y, z)]
    top = [(x - half, y, z), (x + half, y, z), (x + half, y, z + 0.6), (x - half, y, z + 0.6)]
    shapes: list[Shape] = [(front, 0.0), (top, 0.0), (top, 0.0)]
    spots = [(a, b) for a in (-0.15, 0.15) for b in (0.16, 0.44)]
    for k in rng.permutation(4)[: int(rng.integers(2, 5))]:
        a, b = spots[int(k)]
        shapes.append(
            (_ring(x + a, y, z + b, rng.uniform(0.09, 0.13)), float(rng.uniform(0.6, 1.0)))
        )
    if rng.random() < 0.5:
        a, b = spots[int(rng.integers(4))]
        shapes.append((_side(x + a, y, z + b, 0.11, 0.11, 0.14), 0.3))
    return shapes


def _side(
    x: float, y: float, z: float, low: float, high: float, tall: float
) -> list[tuple[float, float, float]]:
    """A pot's outline seen from the side, `low` and `high` its radii (m)."""
    return [(x - low, y, z), (x + low, y, z), (x + high, y + tall, z), (x - high, y + tall, z)]


def _kettle(rng: np.random.Generator, x: float, z: float) -> list[Shape]:
    """A kettle on a counter: a body, a spout, and faint steam above it."""
    y, r, tall = 0.85, rng.uniform(0.1, 0.14), rng.uniform(0.2, 0.28)
    side = rng.choice([-1.0, 1.0])
    spout = [
        (x + side * r * 0.8, y + 0.35 * tall, z),
        (x + side * r * 1.9, y + 0.9 * tall, z),
        (x + side * r * 1.6, y + 0.95 * tall, z),
        (x + side * r * 0.7, y + 0.65 * tall, z),
    ]
    steam = _side(x + side * r * 1.7, y + tall, z, 0.03, 0.1, 0.35)
    return [
        (steam, 0.13),
        (_side(x, y, z, r, 0.75 * r, tall), 1.0),
        (_side(x, y + tall, z, 0.75 * r, 0.2 * r, 0.06), 0.75),
        (spout, 0.85),
    ]
