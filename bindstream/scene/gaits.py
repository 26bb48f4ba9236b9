"""How a body moves: activities as smooth functions of time, sampled anywhere.

An activity maps times (n,) in seconds since its start to `Movement`: the posture as roll, pitch and
yaw of the body (rad, (n, 3)) and the acceleration of the worn sensor in the world (m/s², (n, 3):
forward, left, up), gravity not included. Angular rates follow from the postures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
TAU = 2 * np.pi
GRAVITY = 9.80665


@dataclass(frozen=True)
class Wear:
    """Where the sensor is worn: how much it swings with the limb and how hard steps shake it."""

    place: str
    swing: float
    step: float


WEARS = (
    Wear("head", swing=0.15, step=0.7),
    Wear("chest", swing=0.2, step=0.9),
    Wear("hip", swing=0.35, step=1.0),
    Wear("pocket", swing=0.8, step=1.15),
    Wear("wrist", swing=1.0, step=0.8),
)

Movement = tuple[Array, Array]
Activity = Callable[[Array], Movement]
MakeActivity = Callable[[np.random.Generator, Wear], Activity]


def _still(t: Array) -> Movement:
    return np.zeros((len(t), 3)), np.zeros((len(t), 3))


def wander(t: Array, rng: np.random.Generator, low_hz: float, high_hz: float) -> Array:
    """Slow random drift of unit size, (n, 3): five sines an axis between two frequencies."""
    freq = rng.uniform(low_hz, high_hz, (3, 5))
    phase = rng.uniform(0, TAU, (3, 5))
    return np.asarray(np.sin(TAU * freq * t[:, None, None] + phase).sum(-1) / np.sqrt(2.5))


def _seeded(rng: np.random.Generator) -> Callable[[], np.random.Generator]:
    """Makes the same generator each time it is called, so that a function of time stays one."""
    seed = int(rng.integers(1 << 62))
    return lambda: np.random.default_rng(seed)


def standing(rng: np.random.Generator, wear: Wear) -> Activity:
    """Standing about: sway, and now and then a fidget (the background)."""
    fresh = _seeded(rng)
    restless = rng.uniform(0.0, 1.0)

    def activity(t: Array) -> Movement:
        same = fresh()
        sway = 0.015 * (1 + restless) * wander(t, same, 0.1, 0.6)
        burst = np.clip(wander(t, same, 0.05, 0.25)[:, :1] - 0.9, 0, 1) * restless
        angles = sway + burst * 0.35 * (0.3 + wear.swing) * wander(t, same, 0.3, 1.2)
        push = 0.04 * wander(t, same, 0.2, 1.5) + burst * 0.9 * wander(t, same, 0.8, 2.5)
        return angles, push

    return activity


def _gait(
    rng: np.random.Generator,
    wear: Wear,
    *,
    step_hz: tuple[float, float],
    bounce: tuple[float, float],
    impact: tuple[float, float],
    swing: tuple[float, float],
    lean: float,
    climb: float = 0.0,
) -> Activity:
    """Steps: a bounce a step, a jolt at each heel strike, a swing each two steps."""
    f = rng.uniform(*step_hz)
    up, jolt = rng.uniform(*bounce) * wear.step, rng.uniform(*impact) * wear.step
    arc = rng.uniform(*swing) * (0.15 + wear.swing)
    phase, uneven = rng.uniform(0, TAU), rng.uniform(0.0, 0.2)
    second, sharp = rng.uniform(0.2, 0.45), rng.uniform(5, 9)
    fresh = _seeded(rng)

    def activity(t: Array) -> Movement:
        drift = 0.04 * wander(t, fresh(), 0.05, 0.3)
        p = TAU * f * t + phase + 0.3 * drift[:, 0]
        strength = 1 + uneven * np.sin(p / 2) + 2 * drift[:, 1]
        heel = np.exp(sharp * (np.cos(p - 0.6) - 1))
        vertical = up * (np.sin(p) + second * np.sin(2 * p + 0.5)) + jolt * (heel - 0.28)
        vertical = vertical + climb * np.clip(np.sin(p + 1.0), 0, 1) - climb / np.pi
        forward = 0.45 * up * np.sin(p + 1.9) + 0.4 * jolt * (0.28 - heel)
        sideways = 0.35 * up * np.sin(p / 2)
        push = np.stack([forward, sideways, vertical], 1) * strength[:, None]
        angles = np.stack(
            [
                0.06 * np.sin(p / 2 + 0.4) + drift[:, 0],
                lean + arc * np.sin(p / 2) + 0.03 * np.sin(p),
                0.09 * np.sin(p / 2 + 1.2) + 2 * drift[:, 2],
            ],
            1,
        )
        return angles, push

    return activity


def walking(rng: np.random.Generator, wear: Wear) -> Activity:
    return _gait(
        rng,
        wear,
        step_hz=(1.5, 2.1),
        bounce=(1.2, 2.3),
        impact=(1.0, 3.0),
        swing=(0.25, 0.5),
        lean=0.03,
    )


def running(rng: np.random.Generator, wear: Wear) -> Activity:
    return _gait(
        rng, wear, step_hz=(2.5, 3.2), bounce=(7, 12), impact=(8, 20), swing=(0.5, 0.9), lean=0.15
    )


def climbing_stairs(rng: np.random.Generator, wear: Wear) -> Activity:
    """Slower, heavier pushes than walking, leaning forward, thighs lifted."""
    return _gait(
        rng,
        wear,
        step_hz=(1.0, 1.4),
        bounce=(0.9, 1.6),
        impact=(2.0, 4.0),
        swing=(0.35, 0.7),
        lean=0.3,
        climb=rng.uniform(2.0, 4.0),
    )


def cycling(rng: np.random.Generator, wear: Wear) -> Activity:
    """Leaning forward over the bars: even pedalling without impacts, and the road's buzz."""
    cadence = rng.uniform(1.0, 1.6)
    lean = rng.uniform(0.5, 0.9)
    rock = rng.uniform(0.03, 0.08)
    lift = rng.uniform(0.3, 0.8) * (0.5 + wear.swing)
    rough = rng.uniform(0.4, 1.2)
    fresh = _seeded(rng)

    def activity(t: Array) -> Movement:
        same = fresh()
        p = TAU * cadence * t
        drift = 0.05 * wander(t, same, 0.05, 0.3)
        angles = drift + np.stack(
            [rock * np.sin(p), lean + 0.5 * lift * 0.3 * np.sin(p + 1), 0.4 * rock * np.sin(p)], 1
        )
        road = rough * wander(t, same, 12, 30) * np.array([0.3, 0.2, 1.0])
        pedal = lift * np.stack([np.sin(p), 0.3 * np.sin(p), np.sin(2 * p + 0.7)], 1)
        return angles, pedal + road

    return activity


def shaking(rng: np.random.Generator, wear: Wear) -> Activity:
    """The device in a hand, shaken to and fro."""
    f = rng.uniform(3.5, 6.5)
    axis = rng.standard_normal(3)
    axis = axis / np.linalg.norm(axis)
    turn = rng.standard_normal(3)
    turn = turn / np.linalg.norm(turn)
    force, twist = rng.uniform(10, 25), rng.uniform(0.1, 0.35)
    fresh = _seeded(rng)

    def activity(t: Array) -> Movement:
        drift = wander(t, fresh(), 0.1, 0.8)
        p = TAU * f * t + 1.5 * drift[:, 0]
        level = np.clip(1 + 0.25 * drift[:, 1], 0.5, 2)[:, None]
        return (
            twist * level * np.sin(p + 0.8)[:, None] * turn + 0.1 * drift,
            force * level * (np.sin(p) + 0.2 * np.sin(2 * p))[:, None] * axis,
        )

    return activity


def _resting(rng: np.random.Generator, posture: Array, breath: float, sway: float) -> Activity:
    rate = rng.uniform(0.2, 0.33)
    fresh = _seeded(rng)

    def activity(t: Array) -> Movement:
        same = fresh()
        breathing = breath * np.sin(TAU * rate * t)[:, None]
        angles = posture + sway * wander(t, same, 0.05, 0.4) + breathing * np.array([0.2, 1.0, 0.1])
        push = 0.3 * sway * wander(t, same, 0.3, 1.5)
        return angles, push

    return activity


def sitting_still(rng: np.random.Generator, wear: Wear) -> Activity:
    """Seated and leaning back; a pocket or a wrist rests level with the thigh."""
    recline = -rng.uniform(0.25, 0.5) if wear.swing < 0.5 else rng.uniform(1.0, 1.4)
    posture = np.array([rng.uniform(-0.15, 0.15), recline, 0.0])
    return _resting(rng, posture, breath=0.008, sway=0.004)


def lying_still(rng: np.random.Generator, wear: Wear) -> Activity:
    """On the back, the belly or a side: gravity lies across the body."""
    return _resting(rng, _lying(rng), breath=0.006, sway=0.0015)


def _lying(rng: np.random.Generator) -> Array:
    flat = [(0.0, -np.pi / 2), (0.0, np.pi / 2), (np.pi / 2, 0.0), (-np.pi / 2, 0.0)]
    roll, pitch = flat[int(rng.integers(4))]
    return np.array([roll, pitch, 0.0]) + rng.uniform(-0.15, 0.15, 3)


def falling(rng: np.random.Generator, wear: Wear) -> Activity:
    """A stagger, half a second of near free fall while tipping over, an impact, and lying still."""
    tip_s = rng.uniform(0.3, 0.7)
    drop_s = rng.uniform(0.4, 0.6)
    land_s = tip_s + drop_s
    hit = rng.uniform(35, 90)
    ring_hz, ring_decay = rng.uniform(9, 18), rng.uniform(12, 22)
    bounce_s = land_s + rng.uniform(0.2, 0.4)
    along = np.append(rng.uniform(-0.6, 0.6, 2), 1.0)
    posture = _lying(rng)
    rest = _resting(rng, posture, breath=0.004, sway=0.0015)
    stagger = walking(rng, wear)

    def activity(t: Array) -> Movement:
        walk_angles, walk_push = stagger(t)
        rest_angles, rest_push = rest(t)
        tip = smooth(t, tip_s, land_s + 0.05)[:, None]
        angles = (1 - tip) * walk_angles + tip * rest_angles
        dropping = smooth(t, tip_s, tip_s + 0.15) * (1 - smooth(t, land_s - 0.05, land_s))
        push = np.where((t < land_s)[:, None], walk_push * (1 - tip), rest_push)
        push[:, 2] -= 0.92 * GRAVITY * dropping
        for at_s, size in ((land_s, hit), (bounce_s, 0.25 * hit)):
            since = np.clip(t - at_s, 0, None)
            ring = size * np.exp(-ring_decay * since) * np.cos(TAU * ring_hz * since)
            push += (ring * smooth(t, at_s - 0.015, at_s))[:, None] * along
        return angles, push

    return activity


def smooth(t: Array, start_s: float, end_s: float) -> Array:
    """0 before `start_s`, 1 after `end_s`, a smooth step between."""
    u = np.clip((t - start_s) / (end_s - start_s), 0, 1)
    return np.asarray(u * u * (3 - 2 * u))


ACTIVITIES: dict[str, MakeActivity] = {
    "walking": walking,
    "running": running,
    "climbing_stairs": climbing_stairs,
    "cycling": cycling,
    "falling": falling,
    "shaking": shaking,
    "sitting_still": sitting_still,
    "lying_still": lying_still,
}
