"""Depth: things stand before the wall, on the floor, where the camera would measure them."""

from __future__ import annotations

import numpy as np
import pytest

from bindstream.scene.room import FLOOR, Room
from bindstream.scene.script import Event
from bindstream.scene.space import Space

SEEDS = (1, 2, 3, 4)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["person", "dog", "package", "fallen_person"])
def test_what_comes_in_is_nearer_than_the_room_behind_it(kind: str, seed: int) -> None:
    event = Event(kind=kind, start_s=10, end_s=17)
    with_it, without = (Space(events, seed).render(13) for events in ((event,), ()))
    seen = (with_it > 0) & (without > 0)
    nearer = seen & (without - with_it > 0.25)
    farther = seen & (with_it - without > 0.25)
    assert nearer.sum() > 25
    assert nearer.sum() > 5 * farther.sum()


@pytest.mark.parametrize("seed", SEEDS)
def test_readings_lie_within_the_room_and_some_are_missing(seed: int) -> None:
    frame = Space((), seed).render(1)
    assert (frame.shape, frame.dtype) == ((120, 160), np.float32)
    valid = frame[frame > 0]
    assert 0.5 < valid.size / frame.size < 1
    assert 0.3 < valid.min() < 2.5
    assert 4 < valid.max() < 9


def test_noise_grows_with_distance() -> None:
    space = Space((), 3)
    frames = np.stack([space.render(k / 10) for k in range(30)])
    always = (frames > 0).all(0)
    mean, spread = frames.mean(0)[always], frames.std(0)[always]
    near, far = (mean < np.percentile(mean, 25)), (mean > np.percentile(mean, 75))
    assert np.median(spread[far]) > 1.5 * np.median(spread[near])


@pytest.mark.parametrize("seed", SEEDS)
def test_points_that_the_camera_sees_project_back_to_their_pixels(seed: int) -> None:
    room = Room(seed)
    view = room.view(60, 80)
    for row, column in ((40, 20), (50, 40), (58, 70), (10, 30)):
        x, y, z = (float(c) for c in view.point[:, row, column])
        u, v, depth = room.project((x, y, z))
        assert (u + 1) * 40 == pytest.approx(column + 0.5, abs=0.05)
        assert v * 40 + 30 == pytest.approx(row + 0.5, abs=0.05)
        assert depth == pytest.approx(view.depth[row, column], rel=1e-3)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_floor_is_flat_and_furniture_stands_on_it(seed: int) -> None:
    view = Room(seed).view(60, 80)
    floor = view.surface == FLOOR
    assert floor.mean() > 0.1
    assert np.abs(view.point[1][floor]).max() < 1e-3
    assert view.point[1].min() > -1e-3
