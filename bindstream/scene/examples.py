"""Labelled windows of the simulated house, as the windower cuts them: for training and tests."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bindstream.errors import ConfigError
from bindstream.modalities import MODALITIES
from bindstream.records import ModalityName
from bindstream.scene.catalogue import CATALOGUE, kinds_of
from bindstream.scene.script import Event, Script
from bindstream.scene.world import Renderer

IMU_RATE_HZ = 100.0
_LEAST_INSIDE = 0.4
_BEFORE_S = 20.0
"""Windows are taken so far into the scene that an event may have begun before them."""

Window = NDArray[Any] | tuple[NDArray[np.int64], NDArray[np.float32]]


def example(modality: ModalityName, kind: str | None, rng: np.random.Generator) -> Window:
    """One window of raw readings in which `kind` happens; of nothing in particular if None.

    Every call is another house. The event may begin or end within the window; at least 40 % of the
    window, or of the event where that is shorter, shows it (and its core, see `Kind.core_s`).

    Returns:
        audio: (32000,) float32 in [-1, 1]; vision: (2, 240, 320, 3) uint8, 2 s apart; thermal:
        (1, 120, 160) float32 °C; depth: (1, 120, 160) float32 m; imu: times_ns (n,) int64 over
        5 s at about 100 Hz, and readings (n, 6) float32.

    Raises:
        ConfigError: the kind does not exist or does not show in this modality.
    """
    if kind is not None and kind not in kinds_of(modality):
        raise ConfigError(
            f"event kind {kind!r} does not show in {modality}",
            where="scene",
            fix=f"Choose from {', '.join(kinds_of(modality))}.",
        )
    window_s = MODALITIES[modality].window_s
    event = [] if kind is None else [_somewhere(kind, modality, window_s, rng)]
    seed = int(rng.integers(1 << 40))
    script = Script(seed=seed, length_s=2 * _BEFORE_S, events=tuple(event))
    return window(Renderer(script), modality, _BEFORE_S, rng)


def window(
    renderer: Renderer, modality: ModalityName, start_s: float, rng: np.random.Generator
) -> Window:
    """The window of a scene that starts at `start_s`, in the form that `example` returns.

    `rng` picks the exact moments of frames and the imu's rate, which sensors do not keep exactly.
    """
    window_s = MODALITIES[modality].window_s
    if modality == "audio":
        return renderer.sound(start_s, round(window_s * MODALITIES["audio"].rate_hz))
    if modality == "vision":
        first, last = start_s + rng.uniform(0, 0.1), start_s + window_s - rng.uniform(0.001, 0.1)
        return np.stack([renderer.picture(first), renderer.picture(last)])
    if modality == "imu":
        rate_hz = IMU_RATE_HZ * rng.uniform(0.97, 1.03)
        times_s = start_s + np.arange(round(window_s * rate_hz)) / rate_hz
        return np.round(times_s * 1e9).astype(np.int64), renderer.motion(times_s)
    render = renderer.heat if modality == "thermal" else renderer.depth
    return render(start_s + rng.uniform(0.4, 0.6) * window_s)[None]


def _somewhere(
    kind: str, modality: ModalityName, window_s: float, rng: np.random.Generator
) -> Event:
    """An event of typical length that lies in the window from `_BEFORE_S` on, or partly so."""
    about = CATALOGUE[kind]
    length_s = float(rng.uniform(*about.length_s))
    if MODALITIES[modality].frames == 1:
        # One frame stands for the window: the event is on when it is taken.
        start_s = rng.uniform(-0.85 * length_s + 0.5 * window_s, 0.38 * window_s - 0.3)
    elif modality == "vision":
        # Both frames show it, but for a few windows in which it begins or ends.
        start_s = rng.uniform(window_s - 0.95 * length_s, -0.2)
        if rng.random() < 0.2:
            start_s = rng.choice([rng.uniform(0.2, 1.0), rng.uniform(0.8, 1.6) - length_s])
    elif about.core_s:
        start_s = rng.uniform(0.0, window_s - about.core_s)
    else:
        inside_s = _LEAST_INSIDE * min(window_s, length_s)
        start_s = rng.uniform(inside_s - length_s, window_s - inside_s)
    start_s = _BEFORE_S + float(start_s)
    return Event(kind=kind, start_s=start_s, end_s=start_s + length_s)
