"""What the room's surfaces look like in daylight: paint, wood, cloth, light and shadow."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray

from bindstream.scene.room import BACK, CEILING, FIRST_BOX, FLOOR, FRONT, Patch, Room, View
from bindstream.scene.seeds import rng_for

Array = NDArray[np.float32]


def colour(
    rng: np.random.Generator,
    hue: tuple[float, float] = (0, 1),
    saturation: tuple[float, float] = (0.2, 0.8),
    value: tuple[float, float] = (0.2, 0.9),
) -> Array:
    """A random colour, (3,) float32 RGB in 0..1."""
    rgb = colorsys.hsv_to_rgb(rng.uniform(*hue) % 1, rng.uniform(*saturation), rng.uniform(*value))
    return np.array(rgb, np.float32)


def wood(rng: np.random.Generator) -> Array:
    return colour(rng, (0.05, 0.11), (0.25, 0.65), (0.3, 0.8))


def paint_room(room: Room, view: View, seed: int) -> Array:
    """(H, W, 3) float32 in 0..1: the empty room, lit."""
    rng = rng_for(seed, "surfaces")
    albedo = np.empty((*view.surface.shape, 3), np.float32)
    wall = colour(rng, (0, 1), (0.0, 0.35), (0.55, 0.95))
    for surface in range(FIRST_BOX):
        albedo[view.surface == surface] = wall * rng.uniform(0.92, 1.0)
    albedo[view.surface == CEILING] = colour(rng, (0, 1), (0, 0.08), (0.8, 0.97))
    if rng.random() < 0.25:
        _stripes(albedo, view, rng)
    _floor(albedo, view, rng)
    for patch in room.patches:
        _patch(albedo, view, patch, rng)
    _furniture(albedo, view, room, rng)
    return np.clip(albedo * _light(room, view, rng)[..., None], 0, 1)


def _stripes(albedo: Array, view: View, rng: np.random.Generator) -> None:
    period, tint = rng.uniform(0.15, 0.4), rng.uniform(0.85, 0.95)
    walls = (view.surface >= BACK) & (view.surface <= FRONT)
    along = np.where(view.surface == BACK, view.point[0], view.point[2])
    albedo[walls & ((along / period) % 1 < 0.5)] *= np.float32(tint)


def _floor(albedo: Array, view: View, rng: np.random.Generator) -> None:
    here = view.surface == FLOOR
    x, z = view.point[0][here], view.point[2][here]
    pile = rng.standard_normal(view.depth.shape)  # whatever is drawn must not depend on the view
    kind = rng.choice(["planks", "tiles", "carpet"])
    if kind == "planks":
        base, plank = wood(rng), rng.uniform(0.12, 0.25)
        row = np.floor(x / plank).astype(int)
        cell = (row * 7 + np.floor(z / 1.3 + row * 0.37).astype(int) * 13) % 64
        shade = 0.85 + 0.3 * rng.random(64)[cell]
        shade = shade * np.where((x / plank) % 1 < 0.06, 0.7, 1.0)
    elif kind == "tiles":
        base, tile = colour(rng, (0, 1), (0, 0.25), (0.45, 0.9)), rng.uniform(0.3, 0.6)
        edge = np.minimum((x / tile) % 1, (z / tile) % 1) < 0.04
        checked = rng.choice([1.0, 0.75])
        odd = (np.floor(x / tile) + np.floor(z / tile)) % 2 > 0
        shade = np.where(edge, 0.75, np.where(odd, checked, 1.0))
    else:
        base = colour(rng, (0, 1), (0.05, 0.5), (0.3, 0.75))
        shade = 1 + 0.05 * pile[here]
    albedo[here] = base * shade.astype(np.float32)[:, None]


def _patch(albedo: Array, view: View, patch: Patch, rng: np.random.Generator) -> None:
    across, up = patch_coordinates(view, patch)
    inside = (view.surface == patch.surface) & (np.abs(across) < 1) & (np.abs(up) < 1)
    if patch.name == "window":
        sky = colour(rng, (0.5, 0.62), (0.05, 0.4), (0.75, 1.0)) * rng.choice([1.5, 1.3, 0.25])
        cross = (np.abs(across) < 0.05) | (np.abs(up) < 0.04)
        rim = (np.abs(across) > 0.9) | (np.abs(up) > 0.93)
        albedo[inside] = sky
        albedo[inside & (cross | rim)] = 0.9
    elif patch.name == "picture":
        rim = (np.abs(across) > 0.88) | (np.abs(up) > 0.9)
        albedo[inside] = colour(rng)
        albedo[inside & (up < rng.uniform(-0.4, 0.3))] = colour(rng)
        albedo[inside & rim] = colour(rng, (0, 0.12), (0, 0.5), (0.1, 0.9))
    elif patch.name == "radiator":
        ribs = (across * 9) % 1 < 0.25
        albedo[inside] = 0.92
        albedo[inside & ribs] = 0.72
    elif patch.name == "door":
        base = wood(rng) if rng.random() < 0.5 else colour(rng, (0, 1), (0, 0.1), (0.75, 0.95))
        albedo[inside] = base
        panel = (np.abs(across) < 0.7) & (np.abs(np.abs(up) - 0.45) < 0.33)
        albedo[inside & panel] = base * 0.88
        albedo[inside & (np.hypot(across - 0.8, up * 2.4) < 0.09)] = 0.25
    else:
        base, hem = colour(rng), colour(rng)
        outward = np.maximum(np.abs(across), np.abs(up))
        albedo[inside] = base
        albedo[inside & (outward > 0.8) & (outward < 0.92)] = hem


def patch_coordinates(view: View, patch: Patch) -> tuple[Array, Array]:
    """Coordinates of each pixel's point in a patch: -1..1 across and -1..1 from bottom to top."""
    first, second = {BACK: (0, 1), FLOOR: (0, 2)}.get(patch.surface, (2, 1))
    out = []
    for axis, low, high in zip((first, second), patch.low, patch.high, strict=True):
        out.append((view.point[axis] - (low + high) / 2) / np.float32((high - low) / 2))
    return out[0], out[1]


def _furniture(albedo: Array, view: View, room: Room, rng: np.random.Generator) -> None:
    paints = {"sofa": colour(rng), "bed": colour(rng), "table": wood(rng), "pot": colour(rng)}
    for index, box in enumerate(room.boxes, start=FIRST_BOX):
        here = view.surface == index
        if box.name in ("shelf", "sideboard") and (box.name not in paints or rng.random() < 0.3):
            white = rng.random() < 0.4
            paints[box.name] = colour(rng, (0, 1), (0, 0.1), (0.7, 0.95)) if white else wood(rng)
        if box.name == "package":
            continue
        albedo[here] = paints[box.name]
        if box.name in ("shelf", "sideboard"):
            front = here & (np.abs(view.normal[1]) < 0.5)
            up = view.point[1]
            step = 0.34 if box.name == "shelf" else (box.high[1] / 2)
            albedo[front & ((up / step) % 1 < 0.05)] *= np.float32(0.55)
            if box.name == "shelf":
                _books(albedo, view, front & ((up / step) % 1 > 0.05), step, rng)
    _package(albedo, view, room)


def _books(
    albedo: Array, view: View, here: NDArray[np.bool_], step: float, rng: np.random.Generator
) -> None:
    """Rows of spines of many colours and heights."""
    palette = np.stack([colour(rng) for _ in range(48)] + [np.full(3, 0.12, np.float32)] * 16)
    along = view.point[0][here] + view.point[2][here]
    row = np.floor(view.point[1][here] / step)
    book = (np.floor(along / rng.uniform(0.035, 0.06)) * 5 + row * 17).astype(int) % 64
    tall = 0.55 + 0.35 * rng.random(64)[book]
    inside = (view.point[1][here] / step) % 1 < tall
    albedo[here] = np.where(inside[:, None], palette[book], albedo[here] * np.float32(0.5))


def _package(albedo: Array, view: View, room: Room) -> None:
    for index, box in enumerate(room.boxes, start=FIRST_BOX):
        if box.name != "package":
            continue
        rng = np.random.default_rng(round(1e4 * abs(box.low[0])) + round(1e4 * box.high[1]))
        here = view.surface == index
        albedo[here] = colour(rng, (0.075, 0.1), (0.42, 0.55), (0.62, 0.8))
        centre = (box.low[0] + box.high[0]) / 2
        tape = np.abs(view.point[0] - centre) < 0.1 * (box.high[0] - box.low[0])
        on_top = np.abs(view.normal[1]) > 0.5
        flap = view.point[1] > 0.72 * box.high[1]
        albedo[here & tape & (on_top | flap)] = (0.86, 0.8, 0.66)
        across = (view.point[0] - box.low[0]) / (box.high[0] - box.low[0])
        label = (np.abs(across - 0.26) < 0.14) & (np.abs(view.point[1] / box.high[1] - 0.45) < 0.16)
        albedo[here & label & ~on_top] = 0.95


def _light(room: Room, view: View, rng: np.random.Generator) -> Array:
    """How much light each pixel's surface sends back: a lamp, ambient light, shadowed corners."""
    to_lamp = room.lamp.astype(np.float32)[:, None, None] - view.point
    away = np.sqrt((to_lamp**2).sum(0)) + 1e-3
    facing = np.clip((to_lamp * view.normal).sum(0) / away, 0, 1)
    direct = rng.uniform(0.5, 0.9) * facing / (1 + (away / rng.uniform(2.5, 4)) ** 2)
    ambient = rng.uniform(0.4, 0.65)
    x, y, z = view.point
    corners = np.ones_like(away)
    flat = view.surface < FIRST_BOX
    for gap, axis in (
        (y, 1),
        (room.height - y, 1),
        (room.length - z, 2),
        (room.width / 2 - np.abs(x), 0),
    ):
        facing_it = np.abs(view.normal[axis]) > 0.5
        corners *= np.where(facing_it & flat, 1.0, 1 - 0.3 * np.exp(-np.abs(gap) / 0.2))
    for box in room.boxes:
        dx = np.maximum(np.maximum(box.low[0] - x, x - box.high[0]), 0)
        dz = np.maximum(np.maximum(box.low[2] - z, z - box.high[2]), 0)
        near = np.exp(-np.hypot(dx, dz) / 0.12)
        corners *= np.where(view.surface == FLOOR, 1 - 0.45 * near, 1)
    return np.asarray((ambient + direct) * corners, np.float32)
