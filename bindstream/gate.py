"""The activity gate: where hardly anything changed, the last vector stands for the new window.

It compares each raw window with the one whose vector was computed last, always that one, so that
what drifts slowly cannot creep by: it adds up until it counts as a change. So does the light of a
whole day, or a room that warms up; such windows are embedded, and the reference moves on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bindstream.calibration import WARM_UP
from bindstream.change import Change, measure_for
from bindstream.records import ModalityName, Window

REFRESH_S = 60.0
"""A vector stands for windows no more than this much later than its own."""
GATE_LEVELS: dict[ModalityName, Mapping[str, float]] = {
    "vision": {"grey_levels": 8.0},
    "thermal": {"celsius": 0.5},
    "depth": {"metres": 0.15},
    "audio": {"dbfs": -60.0},
    "imu": {"accel_ms2": 1.0, "gyro_rads": 0.3},
}
"""Levels by their names in the configuration, chosen with `bench/gate.py`: above the noise of the
sensors, well below every event, and such that vectors stay put.

grey_levels: noise and slow light change a block by 4 to 9, the least event (a dog in the distance)
by 15. celsius: noise gives 0.36, an animal 6; but at 1 °C the gain control shows what is left
visibly otherwise. metres: noise gives up to 0.14, a box 0.4, a person who lies far away 0.15. dbfs:
one of 914 real sounds stays below, an empty file; rooms lie between -66 and -40, so that many a
microphone wants a level of its own, some dB above its room. accel_ms2, gyro_rads: a phone that a
seated person wears strays by 0.3 and 0.1 (nineteen in twenty by less than 0.9 and 0.6), every walk
by 2.3 and 1.0 or more.
"""


@dataclass(frozen=True)
class Look:
    """What the gate keeps of one window: its number, end, coverage, and what it measured."""

    seq: int
    end_ns: int
    coverage: float
    seen: Any


class Gate:
    """Decides window by window whether an earlier vector may stand for it. Reads no clock.

    `look` at every window in order; then either hand out the window as the same as `same_as`, or,
    once it can be embedded, make it the reference by `refer`. The first windows after a start are
    all embedded, because every query learns its background from them.

    `change` is how much the latest window that was compared differed.

    Args:
        levels: bounds of change by their names in the configuration (see `GATE_LEVELS`).
        refresh_s: how much later than the reference a window may end.
    """

    def __init__(
        self, modality: ModalityName, levels: Mapping[str, float], refresh_s: float
    ) -> None:
        self._measure = measure_for(modality)
        self._levels = levels
        self._refresh_ns = round(refresh_s * 1e9)
        self._reference: Look | None = None
        self._learning = WARM_UP
        self.change: Change = {}

    def look(self, window: Window, span_c: tuple[float, float] | None = None) -> Look:
        """What is to be known of a raw window; 0.1 to 5 ms of one core.

        Raises:
            DataError: its data cannot be used.
        """
        seen = self._measure.look(window, span_c)
        return Look(window.seq, window.end_ns, window.coverage, seen)

    def same_as(self, look: Look) -> int | None:
        """Number of the window whose vector may stand for this one, or None: embed it."""
        reference = self._reference
        if reference is None or self._learning > 0:
            return None
        age_ns = look.end_ns - reference.end_ns
        if not 0 <= age_ns < self._refresh_ns or look.coverage < reference.coverage:
            return None
        self.change = self._measure.change(reference.seen, look.seen)
        # NaN is within nothing.
        same = all(self.change[name] <= level for name, level in self._levels.items())
        return reference.seq if same else None

    def refer(self, look: Look) -> None:
        """This window is going to be embedded: later ones are compared with it."""
        if self._reference is None or look.seq > self._reference.seq:
            self._reference = look
            self._learning -= 1

    def forget(self, seq: int) -> None:
        """This window has no vector after all."""
        if self._reference is not None and self._reference.seq == seq:
            self._reference = None


def bare(window: Window) -> Window:
    """The window without its data, for where another's vector stands for it."""
    return replace(window, data=np.zeros(0, np.float32), times_ns=None)
