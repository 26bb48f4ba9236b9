"""What a worn motion sensor measures: postures and pushes, gravity, noise and bias."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bindstream.scene.gaits import ACTIVITIES, GRAVITY, WEARS, Activity, Array, smooth, standing
from bindstream.scene.script import Event
from bindstream.scene.seeds import rng_for

_BLEND_S = 0.6
"""How long a body takes to change from one activity to the next."""
_DT_S = 0.002
_NOISE_HZ = 1000
_NOISE_BLOCK = 1024


class Motion:
    """The inertial sensor of a scene: `render(times)` is the same however times are cut.

    Where and how askew the sensor is worn, its noise and its bias follow from `seed`. Between
    events its wearer stands about.
    """

    def __init__(self, events: Sequence[Event], seed: int) -> None:
        self._seed = seed
        rng = rng_for(seed, "wear")
        wear = WEARS[int(rng.integers(len(WEARS)))]
        tilt = rng.normal(0, 0.2, 3)
        tilt[2] += rng.uniform(-np.pi, np.pi) * (rng.random() < 0.5)
        self._worn = rotations(tilt[None])[0]
        self._accel_bias = rng.normal(0, 0.06, 3)
        self._gyro_bias = rng.normal(0, 0.01, 3)
        self._noise = np.repeat([rng.uniform(0.01, 0.06), rng.uniform(0.001, 0.006)], 3)
        self._idle = standing(rng, wear)
        self._events: list[tuple[Event, Activity]] = [
            (e, ACTIVITIES[e.kind](rng_for(seed, e.kind, round(e.start_s * 1000)), wear))
            for e in sorted(events, key=lambda e: e.start_s)
        ]

    def render(self, times_s: NDArray[np.float64]) -> NDArray[np.float32]:
        """(n, 6) float32 at `times_s` (n,): accelerometer xyz m/s² with gravity, gyro xyz rad/s."""
        t = np.asarray(times_s, np.float64)
        angles, push = self._movement(t)
        turn = rotations(angles)
        later = rotations(self._movement(t + _DT_S)[0])
        rates = _rates(turn, later) / _DT_S
        accel = np.einsum("nji,nj->ni", turn, push + np.array([0, 0, GRAVITY]))
        out = np.concatenate(
            [accel @ self._worn + self._accel_bias, rates @ self._worn + self._gyro_bias], 1
        )
        out += self._noise * self._noise_at(t)
        return out.astype(np.float32)

    def _movement(self, t: Array) -> tuple[Array, Array]:
        angles, push = self._idle(t)
        for event, activity in self._events:
            near = (t > event.start_s - _BLEND_S) & (t < event.end_s + _BLEND_S)
            if not near.any():
                continue
            # A fall starts as itself and is not blended in: its impact must stay where it is.
            weight = smooth(t[near], event.start_s, event.start_s + _BLEND_S / 2)
            weight = weight * (1 - smooth(t[near], event.end_s - _BLEND_S / 2, event.end_s))
            event_angles, event_push = activity(t[near] - event.start_s)
            w = weight[:, None]
            angles[near] = (1 - w) * angles[near] + w * event_angles
            push[near] = (1 - w) * push[near] + w * event_push
        return angles, push

    def _noise_at(self, t: Array) -> Array:
        """(n, 6) white noise of unit size that depends on the time alone."""
        tick = np.round(t * _NOISE_HZ).astype(np.int64)
        out = np.empty((len(t), 6))
        block = tick // _NOISE_BLOCK
        for index in np.unique(block):
            rng = rng_for(self._seed, "imu noise", int(max(index, 0)))
            table = rng.standard_normal((_NOISE_BLOCK, 6))
            here = block == index
            out[here] = table[tick[here] % _NOISE_BLOCK]
        return out


def rotations(angles: Array) -> Array:
    """(n, 3) roll, pitch, yaw -> (n, 3, 3) rotations from the body to the world."""
    (sr, sp, sy), (cr, cp, cy) = np.sin(angles).T, np.cos(angles).T
    return np.stack(
        [
            np.stack([cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr], -1),
            np.stack([sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr], -1),
            np.stack([-sp, cp * sr, cp * cr], -1),
        ],
        1,
    )


def _rates(now: Array, later: Array) -> Array:
    """(n, 3) rotation from `now` to `later` in the body's axes, for small angles."""
    step = np.einsum("nji,njk->nik", now, later)
    return 0.5 * np.stack(
        [
            step[:, 2, 1] - step[:, 1, 2],
            step[:, 0, 2] - step[:, 2, 0],
            step[:, 1, 0] - step[:, 0, 1],
        ],
        1,
    )
