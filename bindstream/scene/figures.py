"""Figures as parts: people and animals drawn as limbs in a plane that faces the camera.

A figure is a list of `Part`s in drawing order, in metres: x to the right, y up from the floor.
Pictures give parts colours, the thermal camera temperatures, the depth camera distances.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Point = tuple[float, float]


@dataclass(frozen=True)
class Part:
    """A stroke of changing width (a limb) or, with `fill`, a closed outline.

    `name` says what it is: skin, hair, top, legs, shoes; coat, belly, muzzle, ears.
    """

    name: str
    points: tuple[Point, ...]
    widths: tuple[float, ...] = ()
    fill: bool = False


@dataclass(frozen=True)
class Build:
    """A person's or an animal's measures: height (m), girth (1 = usual) and clothes."""

    height: float
    girth: float
    long_hair: bool
    sleeves: bool
    skirt: bool

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Build:
        return cls(
            height=float(rng.uniform(1.5, 1.92)),
            girth=float(rng.uniform(0.85, 1.25)),
            long_hair=bool(rng.random() < 0.4),
            sleeves=bool(rng.random() < 0.6),
            skirt=bool(rng.random() < 0.2),
        )


def person(build: Build, stride: float, phase: float, facing: float) -> list[Part]:
    """A person on foot.

    Args:
        stride: 0 standing to 1 walking.
        phase: of the gait, rad (two steps a turn).
        facing: -1 to the left, 0 towards the camera, 1 to the right.
    """
    h, g = build.height, build.girth
    profile = abs(facing)
    sign = 1.0 if facing >= 0 else -1.0
    bob = 0.018 * h * stride * np.cos(2 * phase)
    hip_y, shoulder_y = 0.52 * h + bob, 0.815 * h + bob
    hip_w, shoulder_w = 0.075 * h * (1 - 0.7 * profile), 0.105 * h * g * (1 - 0.75 * profile)
    lean = 0.02 * h * stride * facing
    far: list[Part] = []
    near: list[Part] = []
    for side in (-1.0, 1.0):
        swing = stride * np.sin(phase + (np.pi if side > 0 else 0.0))
        leg = _leg(h, side * hip_w, hip_y, 0.45 * swing, profile * sign, stride)
        arm = _arm(h, side * shoulder_w + lean, shoulder_y, -0.5 * swing, profile * sign, side)
        group = far if side < 0 else near
        bare = "skin" if build.skirt else "legs"
        group += [
            Part(bare, leg[:3], (0.085 * h * g, 0.06 * h * g, 0.042 * h)),
            Part("shoes", leg[2:], (0.045 * h, 0.04 * h)),
        ]
        cloth = "top" if build.sleeves else "skin"
        group += [
            Part("top", arm[:2], (0.055 * h * g, 0.045 * h)),
            Part(cloth, arm[1:3], (0.042 * h, 0.034 * h)),
            Part("skin", (arm[2], arm[3]), (0.034 * h, 0.03 * h)),
        ]
    chest = (0.23 * (1 - 0.35 * profile)) * h * g
    torso = [
        Part(
            "top",
            ((0, hip_y - 0.01 * h), (lean * 0.6, 0.66 * h + bob), (lean, shoulder_y - 0.035 * h)),
            (0.19 * h * g * (1 - 0.25 * profile), 0.185 * h * g * (1 - 0.2 * profile), chest * 0.9),
        ),
        Part("legs", ((0, hip_y - 0.015 * h), (0, hip_y + 0.02 * h)), (0.17 * h * g, 0.17 * h * g)),
    ]
    if build.skirt:
        torso.append(
            Part(
                "legs",
                (
                    (-0.08 * h * g, hip_y + 0.04 * h),
                    (0.08 * h * g, hip_y + 0.04 * h),
                    (0.13 * h * g, 0.33 * h),
                    (-0.13 * h * g, 0.33 * h),
                ),
                fill=True,
            )
        )
    head_x, head_y = lean * 1.4 + 0.012 * h * facing, 0.925 * h + bob
    head = [
        Part("skin", ((lean, shoulder_y), (head_x, head_y)), (0.06 * h, 0.06 * h)),
        Part(
            "hair",
            (
                (head_x - 0.01 * h * facing, head_y + 0.012 * h),
                (head_x - 0.012 * h * facing, head_y + 0.018 * h),
            ),
            (0.118 * h, 0.118 * h),
        ),
        Part(
            "skin",
            (
                (head_x + 0.008 * h * facing, head_y - 0.03 * h),
                (head_x + 0.01 * h * facing, head_y + 0.012 * h),
            ),
            (0.078 * h, 0.1 * h),
        ),
        Part(
            "hair",
            ((head_x - 0.03 * h, head_y + 0.045 * h), (head_x + 0.03 * h, head_y + 0.045 * h)),
            (0.045 * h, 0.045 * h),
        ),
    ]
    if build.long_hair:
        head.insert(
            0,
            Part(
                "hair",
                ((head_x, head_y), (head_x - 0.02 * h * facing, 0.8 * h)),
                (0.125 * h, 0.13 * h),
            ),
        )
    return [*far, *torso, *near, *head]


def _leg(
    h: float, x: float, hip_y: float, swing: float, way: float, stride: float
) -> tuple[Point, Point, Point, Point]:
    bend = stride * 0.5 * max(0.0, np.sin(2 * swing) * 0.5 + 0.35) * abs(way)
    lift = 0.05 * h * stride * max(0.0, -swing) * 2 * (1 - abs(way))
    knee = (x + 0.25 * h * np.sin(swing) * way, hip_y - 0.25 * h * np.cos(swing))
    ankle = (
        knee[0] + 0.235 * h * np.sin(swing - bend) * way,
        max(knee[1] - 0.235 * h * np.cos(swing - bend), 0.03 * h) + lift,
    )
    toe = (
        ankle[0] + 0.075 * h * (way if abs(way) > 0.2 else 0.15 * np.sign(x + 1e-9)),
        ankle[1] - 0.012 * h,
    )
    return (x, hip_y), knee, ankle, toe


def _arm(
    h: float, x: float, shoulder_y: float, swing: float, way: float, side: float
) -> tuple[Point, Point, Point, Point]:
    out = side * 0.12 * (1 - abs(way))
    a, b = swing * way + out, swing * way + 0.25 * way + 0.5 * out
    top = (x, shoulder_y - 0.02 * h)
    elbow = (x + 0.165 * h * np.sin(a), top[1] - 0.165 * h * np.cos(a))
    wrist = (elbow[0] + 0.14 * h * np.sin(b), elbow[1] - 0.14 * h * np.cos(b))
    hand = (wrist[0] + 0.05 * h * np.sin(b), wrist[1] - 0.05 * h * np.cos(b))
    return top, elbow, wrist, hand


def lying(build: Build, bend: float, facing: float) -> list[Part]:
    """A person lying along the floor, head towards `facing` (-1 left, 1 right); knees by `bend`."""
    h, g, s = build.height, build.girth, (1.0 if facing >= 0 else -1.0)
    thick = 0.5 * 0.17 * h * g
    knee_y = thick * 0.7 + 0.16 * h * bend
    hip, chest = (-0.04 * h * s, thick), (0.24 * h * s, thick * 1.05)
    knee = (-(0.26 - 0.06 * bend) * h * s, knee_y)
    ankle = (-(0.48 - 0.14 * bend) * h * s, 0.04 * h)
    head = (0.41 * h * s, 0.075 * h)
    bare = "skin" if build.skirt else "legs"
    parts = [
        Part(
            bare,
            (hip, (knee[0] * 1.08, knee_y * 0.6), (ankle[0] * 1.05, 0.035 * h)),
            (0.12 * h * g, 0.075 * h, 0.045 * h),
        ),
        Part(
            "shoes",
            ((ankle[0] * 1.05, 0.05 * h), (ankle[0] * 1.1, 0.085 * h)),
            (0.045 * h, 0.04 * h),
        ),
        Part("top", (hip, chest), (0.16 * h * g, 0.18 * h * g)),
        Part("legs", (hip, (hip[0] - 0.04 * h * s, thick)), (0.165 * h * g, 0.15 * h * g)),
        Part(bare, (hip, knee, ankle), (0.125 * h * g, 0.085 * h, 0.05 * h)),
        Part("shoes", (ankle, (ankle[0] - 0.015 * h * s, 0.085 * h)), (0.05 * h, 0.045 * h)),
        Part("skin", (chest, head), (0.06 * h, 0.06 * h)),
        Part(
            "hair",
            ((head[0] + 0.012 * h * s, head[1]), (head[0] + 0.02 * h * s, head[1])),
            (0.12 * h, 0.12 * h),
        ),
        Part(
            "skin",
            ((head[0] - 0.02 * h * s, head[1] + 0.012 * h), (head[0], head[1] + 0.015 * h)),
            (0.08 * h, 0.09 * h),
        ),
    ]
    elbow = (0.12 * h * s, 0.05 * h)
    wrist = ((0.26 + 0.1 * bend) * h * s, 0.03 * h)
    parts += [
        Part("top", ((0.29 * h * s, thick * 1.1), elbow), (0.055 * h * g, 0.045 * h)),
        Part("top" if build.sleeves else "skin", (elbow, wrist), (0.042 * h, 0.034 * h)),
        Part("skin", (wrist, (wrist[0] + 0.05 * h * s, 0.025 * h)), (0.034 * h, 0.03 * h)),
    ]
    return parts


def dog(height: float, stride: float, phase: float, facing: float, floppy: bool) -> list[Part]:
    """A dog in profile, `height` at the shoulder (m); it walks with `stride` 0 to 1."""
    h, s = height, (1.0 if facing >= 0 else -1.0)
    bob = 0.02 * h * stride * np.sin(2 * phase)
    back_y = 0.82 * h + bob
    far: list[Part] = []
    near: list[Part] = []
    for k, (x, offset) in enumerate(
        ((0.5, 0.0), (0.44, np.pi), (-0.46, np.pi * 0.9), (-0.52, -0.1))
    ):
        swing = 0.5 * stride * np.sin(phase + offset)
        hock = 0.12 * h if x < 0 else -0.03 * h
        knee = ((x * h + 0.3 * h * np.sin(swing) - hock * 0.5) * s, 0.38 * h)
        paw = (
            (x * h + 0.6 * h * np.sin(swing)) * s,
            0.035 * h + 0.06 * h * stride * max(0.0, np.cos(phase + offset)),
        )
        leg = [
            Part("coat", ((x * h * s, 0.66 * h + bob), knee), (0.25 * h, 0.12 * h)),
            Part(
                "coat",
                (knee, paw, (paw[0] + 0.06 * h * s, paw[1])),
                (0.11 * h, 0.085 * h, 0.08 * h),
            ),
        ]
        (far if k % 2 else near).extend(leg)
    wag = 0.25 * np.sin(1.7 * phase + 1)
    tail = Part(
        "coat",
        (
            (-0.58 * h * s, back_y - 0.05 * h),
            (-0.82 * h * s, back_y + (0.12 + wag * 0.4) * h),
            (-0.95 * h * s, back_y + (0.36 + wag) * h),
        ),
        (0.11 * h, 0.085 * h, 0.04 * h),
    )
    body = [
        tail,
        Part(
            "coat",
            (
                (-0.45 * h * s, back_y - 0.12 * h),
                (0.0, back_y - 0.14 * h),
                (0.46 * h * s, back_y - 0.17 * h),
            ),
            (0.38 * h, 0.38 * h, 0.46 * h),
        ),
        Part(
            "belly",
            ((-0.25 * h * s, 0.54 * h + bob), (0.4 * h * s, 0.5 * h + bob)),
            (0.06 * h, 0.1 * h),
        ),
    ]
    head = (0.86 * h * s, 1.2 * h + bob)
    nose = (1.2 * h * s, 1.1 * h + bob)
    ear_tip = (head[0] - 0.14 * h * s, head[1] + (-0.2 if floppy else 0.3) * h)
    ear_root = (head[0] - 0.06 * h * s, head[1] + 0.1 * h)
    front = [
        Part("coat", ((0.52 * h * s, back_y - 0.06 * h), head), (0.34 * h, 0.24 * h)),
        Part("coat", (head, (head[0] + 0.04 * h * s, head[1])), (0.3 * h, 0.28 * h)),
        Part("muzzle", ((head[0] + 0.1 * h * s, head[1] - 0.05 * h), nose), (0.19 * h, 0.12 * h)),
        Part("nose", (nose, (nose[0] + 0.015 * h * s, nose[1] + 0.02 * h)), (0.075 * h, 0.07 * h)),
        Part("ears", (ear_root, ear_tip), (0.14 * h, 0.07 * h)),
        Part("nose", ((head[0] + 0.08 * h * s, head[1] + 0.05 * h),) * 2, (0.05 * h, 0.05 * h)),
    ]
    return [*far, *body, *near, *front]
