"""Heat: temperatures are those of the things that show."""

from __future__ import annotations

import numpy as np
import pytest

from bindstream.scene.heat import Heat
from bindstream.scene.script import Event

SEEDS = (1, 2, 3, 4, 5)


def hotter(kind: str, seed: int, t_s: float = 13.0) -> tuple[np.ndarray, np.ndarray]:
    """The frame in which `kind` happens, and how much hotter it is than without."""
    event = Event(kind=kind, start_s=10, end_s=17)
    with_it, without = (Heat(events, seed).render(t_s) for events in ((event,), ()))
    return with_it, with_it - without


@pytest.mark.parametrize("seed", SEEDS)
def test_a_person_is_a_tall_shape_of_body_warmth(seed: int) -> None:
    frame, rise = hotter("person", seed)
    body = rise > 2
    rows, columns = np.nonzero(body)
    assert 60 < body.sum() < 0.3 * body.size
    assert np.ptp(rows) > 1.4 * np.ptp(columns)
    assert 24 < np.percentile(frame[body], 90) < 36


@pytest.mark.parametrize("seed", SEEDS)
def test_a_fallen_person_is_a_long_shape_on_the_floor(seed: int) -> None:
    rows, columns = np.nonzero(hotter("fallen_person", seed)[1] > 2)
    assert np.ptp(columns) > 2 * np.ptp(rows)


@pytest.mark.parametrize("seed", SEEDS)
def test_fire_is_hundreds_of_degrees_and_flickers(seed: int) -> None:
    a, b = (hotter("fire", seed, t)[0] for t in (13.0, 13.3))
    assert 250 < a.max() < 1500
    assert np.abs(a - b).max() > 50


@pytest.mark.parametrize("seed", SEEDS)
def test_a_stove_is_hotter_than_a_kettle_and_a_kettle_hotter_than_any_room(seed: int) -> None:
    stove, kettle = (hotter(kind, seed)[0].max() for kind in ("hot_stove", "kettle"))
    room = Heat((), seed).render(13)
    assert 100 < stove < 420
    assert 65 < kettle < 105
    assert room.max() < 60
    assert room.min() > 0


@pytest.mark.parametrize("kind", ["person", "dog", "fire", "kettle"])
def test_after_the_event_the_room_is_as_it_was(kind: str) -> None:
    np.testing.assert_array_equal(hotter(kind, 2, 25.0)[1], 0)


def test_frames_are_degrees_with_some_noise() -> None:
    heat = Heat((), 1)
    a, b = heat.render(1.0), heat.render(1.2)
    assert (a.shape, a.dtype) == ((120, 160), np.float32)
    assert 0.02 < (a - b).std() < 0.5
    np.testing.assert_array_equal(a, Heat((), 1).render(1.0))
