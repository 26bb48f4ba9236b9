"""What the house's camera sees: the room, who and what is in it, the light, and camera noise."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from bindstream.scene.actors import NAMES, Actor, cut_out, paint
from bindstream.scene.flames import Flame
from bindstream.scene.room import Room
from bindstream.scene.script import Event
from bindstream.scene.seeds import rng_for
from bindstream.scene.space import with_packages
from bindstream.scene.surfaces import colour, paint_room

HEIGHT, WIDTH = 240, 320
Array = NDArray[np.float32]
_WALKERS = ("person", "fallen_person", "dog")


class Pictures:
    """The camera of a scene: `render(t_s)` is the frame at that time.

    Room, furniture, light, lens and noise follow from `seed`; so do the looks of whoever comes in.
    """

    def __init__(self, events: Sequence[Event], seed: int) -> None:
        self._seed = seed
        self._events = events
        self._room = Room(seed)
        rng = rng_for(seed, "camera")
        self._exposure = float(rng.uniform(0.75, 1.25))
        self._tint = np.array([rng.uniform(0.9, 1.1), 1.0, rng.uniform(0.88, 1.12)], np.float32)
        self._blur = float(rng.uniform(0.3, 1.0))
        self._noise = float(rng.uniform(1.0, 6.0))
        self._dark = float(rng.uniform(0.02, 0.12))
        self._grain = rng.standard_normal((HEIGHT + 64, WIDTH + 64, 3)).astype(np.float32)
        self._drift_s = float(rng.uniform(8, 30))
        self._actors = [Actor(e, self._room, seed) for e in events if e.kind in _WALKERS]
        self._palettes = [_palette(a) for a in self._actors]
        self._flames = [Flame(e, self._room, seed) for e in events if e.kind == "fire"]
        self._scenery = lru_cache(maxsize=3)(self._paint_scenery)

    def render(self, t_s: float) -> NDArray[np.uint8]:
        """(HEIGHT, WIDTH, 3) uint8 RGB at `t_s` seconds into the scene."""
        packages = tuple(
            e for e in self._events if e.kind == "package" and e.start_s <= t_s < e.end_s
        )
        scenery, depth = self._scenery(packages)
        light = self._light(t_s)
        picture = scenery * (light * 255 * self._tint)
        for actor, palette in zip(self._actors, self._palettes, strict=True):
            pose = actor.pose(t_s)
            cutout = pose and cut_out(pose, self._room, HEIGHT, WIDTH)
            if cutout:
                region, looks, cover = paint(cutout, palette, depth)
                lit = looks * (light * 255 * self._tint)
                picture[region] += (lit - picture[region]) * cover[..., None]
        for flame in self._flames:
            self._burn(picture, depth, scenery, flame, t_s)
        shift = rng_for(self._seed, "grain", round(t_s * 1000)).integers(0, 64, 2)
        grain = self._grain[shift[0] : shift[0] + HEIGHT, shift[1] : shift[1] + WIDTH]
        picture += grain * np.float32(self._noise)
        return np.clip(picture, 0, 255).astype(np.uint8)

    def _paint_scenery(self, packages: tuple[Event, ...]) -> tuple[Array, Array]:
        room = with_packages(self._room, packages, self._seed)
        view = room.view(HEIGHT, WIDTH)
        painted = paint_room(room, view, self._seed) * np.float32(255)
        image = Image.fromarray(np.clip(painted, 0, 255).astype(np.uint8))
        blurred = image.filter(ImageFilter.GaussianBlur(self._blur))
        return np.asarray(blurred, np.float32) / np.float32(255), view.depth

    def _light(self, t_s: float) -> np.float32:
        level = self._exposure * (1 + 0.02 * np.sin(2 * np.pi * t_s / self._drift_s))
        for event in self._events:
            if event.kind == "lights_out" and event.start_s <= t_s < event.end_s:
                level *= self._dark
        return np.float32(level)

    def _burn(self, picture: Array, depth: Array, scenery: Array, flame: Flame, t_s: float) -> None:
        found = flame.field(t_s, HEIGHT, WIDTH)
        if found is None:
            return
        region, glow = found
        glow = np.where(depth[region] < flame.z - 0.2, np.float32(0), glow)
        # The fire lights the room around it, ever less with distance in the picture.
        rows, columns = region
        centre = (rows.start + rows.stop) / 2, (columns.start + columns.stop) / 2
        down = ((np.arange(HEIGHT, dtype=np.float32) - centre[0]) / 90) ** 2
        along = ((np.arange(WIDTH, dtype=np.float32) - centre[1]) / 90) ** 2
        near = np.float32(70 * flame.strength(t_s)) / (1 + down[:, None] + along[None])
        picture += scenery * near[..., None] * np.array([1.0, 0.5, 0.15], np.float32)
        hot = np.stack(
            [
                np.clip(2.6 * glow, 0, 1),
                np.clip(2.0 * glow - 0.35, 0, 1),
                np.clip(2.4 * glow - 1.35, 0, 1),
            ],
            -1,
        )
        cover = np.clip(2.5 * glow, 0, 1)[..., None]
        picture[region] += (hot * 265 - picture[region]) * cover


def _palette(actor: Actor) -> Array:
    """(len(NAMES), 3) colours of one figure's parts."""
    rng = actor.rng
    skin = colour(rng, (0.04, 0.09), (0.25, 0.6), (0.35, 0.95))
    coat = colour(rng, (0.04, 0.11), (0.1, 0.65), (0.12, 0.85))
    looks = {
        "skin": skin,
        "hair": colour(rng, (0.05, 0.12), (0.1, 0.7), (0.05, 0.6)),
        "top": colour(rng, value=(0.1, 0.95)),
        "legs": colour(rng, (0, 1), (0.05, 0.6), (0.08, 0.6)),
        "shoes": colour(rng, (0, 1), (0, 0.5), (0.05, 0.8)),
        "coat": coat,
        "belly": coat * 1.15,
        "muzzle": coat * rng.uniform(0.7, 1.25),
        "nose": np.full(3, 0.05),
        "ears": coat * rng.uniform(0.45, 0.9),
    }
    colours = np.stack([np.zeros(3), *(looks[name] for name in NAMES[1:])])
    return np.asarray(np.clip(colours, 0, 1), np.float32)
