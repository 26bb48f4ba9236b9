"""Pictures: what happens shows while it happens, and the room is otherwise left as it was."""

from __future__ import annotations

import numpy as np
import pytest

from bindstream.scene.pictures import HEIGHT, WIDTH, Pictures
from bindstream.scene.script import Event

SEEDS = (1, 2, 3, 4)
SQUARE = slice((WIDTH - HEIGHT) // 2, (WIDTH + HEIGHT) // 2)


def changed(kind: str, seed: int, t_s: float) -> np.ndarray:
    """Which pixels the event changes at `t_s`; the event lasts from 10 to 17 s."""
    event = Event(kind=kind, start_s=10, end_s=17)
    with_it, without = (Pictures(events, seed).render(t_s) for events in ((event,), ()))
    return np.abs(with_it.astype(int) - without).max(-1) > 12


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["person", "dog", "fire", "package", "fallen_person"])
def test_an_event_shows_in_the_central_square_from_its_start_to_its_end(
    kind: str, seed: int
) -> None:
    for t_s in (10.1, 13.5, 16.9):
        assert changed(kind, seed, t_s)[:, SQUARE].sum() > 60, t_s


@pytest.mark.parametrize("kind", ["person", "dog", "fire", "package", "lights_out"])
def test_before_and_after_the_event_the_room_is_as_it_was(kind: str) -> None:
    for t_s in (4.0, 22.0):
        assert not changed(kind, 5, t_s).any()


@pytest.mark.parametrize("seed", SEEDS)
def test_lights_out_leaves_a_dark_room(seed: int) -> None:
    pictures = Pictures((Event(kind="lights_out", start_s=10, end_s=17),), seed)
    assert pictures.render(13).mean() < 0.25 * pictures.render(5).mean()


@pytest.mark.parametrize("seed", SEEDS)
def test_fire_is_bright_and_more_red_than_blue(seed: int) -> None:
    pictures = Pictures((Event(kind="fire", start_s=10, end_s=17),), seed)
    burning, empty = (pictures.render(t).astype(int) for t in (14, 5))
    flames = (burning[..., 0] > 230) & (burning[..., 0] - burning[..., 2] > 90)
    before = (empty[..., 0] > 230) & (empty[..., 0] - empty[..., 2] > 90)
    assert flames.sum() > before.sum() + 150


def test_a_walking_person_moves() -> None:
    event = Event(kind="person", start_s=10, end_s=17)
    pictures = Pictures((event,), 3)
    empty = Pictures((), 3).render(5).astype(int)
    columns = [
        np.flatnonzero((np.abs(pictures.render(t) - empty).max(-1) > 60).sum(0) > 8).mean()
        for t in (9.6, 10.4, 11.2)
    ]
    assert abs(columns[2] - columns[0]) > 15


def test_a_frame_is_the_same_in_whatever_order_frames_are_asked_for() -> None:
    events = (
        Event(kind="package", start_s=5, end_s=9),
        Event(kind="person", start_s=8, end_s=14),
        Event(kind="fire", start_s=20, end_s=26),
    )
    times = [0.0, 6.0, 8.5, 12.0, 21.0, 30.0]
    forwards = Pictures(events, 7)
    frames = {t: forwards.render(t) for t in times}
    backwards = Pictures(events, 7)
    for t in reversed(times):
        np.testing.assert_array_equal(backwards.render(t), frames[t])


def test_frames_are_rgb_bytes_and_carry_camera_noise() -> None:
    pictures = Pictures((), 2)
    a, b = pictures.render(1.0), pictures.render(1.1)
    assert a.shape == (240, 320, 3)
    assert a.dtype == np.uint8
    assert (a != b).mean() > 0.2


def test_another_seed_is_another_room() -> None:
    a, b = (Pictures((), seed).render(1).astype(int) for seed in (1, 2))
    assert np.abs(a - b).mean() > 8
