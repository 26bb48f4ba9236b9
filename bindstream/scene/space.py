"""What the house's depth camera measures: metres to the room and to whoever is in it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bindstream.scene.actors import NAMES, Actor, cut_out, paint
from bindstream.scene.room import Box, Room
from bindstream.scene.script import Event
from bindstream.scene.seeds import rng_for

HEIGHT, WIDTH = 120, 160
_WALKERS = ("person", "fallen_person", "dog")


def with_packages(room: Room, packages: Sequence[Event], seed: int) -> Room:
    """The room with a cardboard box on its floor for each of `packages`."""
    boxes = []
    for event in packages:
        rng = rng_for(seed, event.kind, round(event.start_s * 1000), "package")
        near, far = room.aisle
        z = float(rng.uniform(near, far - 0.1))
        x = room.x_at(z, rng.uniform(-0.7, 0.7))
        w, h, d = rng.uniform((0.18, 0.22, 0.15), (0.36, 0.5, 0.3))
        boxes.append(Box("package", (x - w, 0.0, z - d), (x + w, float(h), z + d)))
    furnished = copy.copy(room)
    furnished.boxes = [*room.boxes, *boxes]
    return furnished


class Space:
    """The depth camera of a scene: `render(t_s)` is the frame at that time.

    It looks through the same lens as the picture camera. Noise grows with the square of the
    distance, and a few pixels (more at edges) have no reading, as with stereo cameras.
    """

    def __init__(self, events: Sequence[Event], seed: int) -> None:
        self._seed = seed
        self._events = events
        self._room = Room(seed)
        rng = rng_for(seed, "depth camera")
        self._noise = float(rng.uniform(0.001, 0.004))
        self._holes = float(rng.uniform(0.0, 0.02))
        self._actors = [Actor(e, self._room, seed) for e in events if e.kind in _WALKERS]
        self._scenery = lru_cache(maxsize=3)(self._measure)

    def render(self, t_s: float) -> NDArray[np.float32]:
        """(HEIGHT, WIDTH) float32 metres along the optical axis; 0 where there is no reading."""
        packages = tuple(
            e for e in self._events if e.kind == "package" and e.start_s <= t_s < e.end_s
        )
        depth = self._scenery(packages).copy()
        for actor in self._actors:
            pose = actor.pose(t_s)
            cutout = pose and cut_out(pose, self._room, HEIGHT, WIDTH)
            if cutout:
                reliefs = np.full(len(NAMES), cutout.depth, np.float32)
                region, metres, cover = paint(cutout, reliefs, depth)
                depth[region] = np.where(cover > 0.5, metres, depth[region])
        rng = rng_for(self._seed, "depth noise", round(t_s * 1000))
        depth += (self._noise * depth**2) * rng.standard_normal(depth.shape, np.float32)
        edges = np.abs(np.diff(depth, axis=1, prepend=depth[:, :1])) > 0.25
        lost = rng.random(depth.shape, np.float32) < np.where(edges, 0.5, self._holes)
        return np.where(lost, np.float32(0), np.maximum(depth, 0.05)).astype(np.float32)

    def _measure(self, packages: tuple[Event, ...]) -> NDArray[np.float32]:
        return with_packages(self._room, packages, self._seed).view(HEIGHT, WIDTH).depth
