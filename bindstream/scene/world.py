"""The simulated house: one script, five sensors, rendered on demand and always the same."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bindstream.scene.heat import Heat
from bindstream.scene.motion import Motion
from bindstream.scene.pictures import Pictures
from bindstream.scene.script import Script
from bindstream.scene.sounds import Sounds
from bindstream.scene.space import Space


class Renderer:
    """What each sensor of the house perceives of a script.

    Everything follows from `script` and `seed`; however a stretch is cut into calls, the same
    readings come out. A sensor's part of the house is built when it is first asked for (up to
    about 0.2 s). Not thread-safe.

    Args:
        script: what happens.
        seed: of the house, its sensors and the looks of the events; the script's own if left out.
    """

    def __init__(self, script: Script, seed: int | None = None) -> None:
        self.script = script
        self.seed = script.seed if seed is None else seed

    def sound(self, t0_s: float, n: int) -> NDArray[np.float32]:
        """(n,) float32 in [-1, 1] at 16 kHz, from the sample nearest to `t0_s`."""
        return self._sounds.render(round(t0_s * 16000), n)

    def picture(self, t_s: float) -> NDArray[np.uint8]:
        """(240, 320, 3) uint8 RGB."""
        return self._pictures.render(t_s)

    def heat(self, t_s: float) -> NDArray[np.float32]:
        """(120, 160) float32 °C."""
        return self._heat.render(t_s)

    def depth(self, t_s: float) -> NDArray[np.float32]:
        """(120, 160) float32 metres; 0 where there is no reading."""
        return self._space.render(t_s)

    def motion(self, times_s: NDArray[np.float64]) -> NDArray[np.float32]:
        """(n, 6) float32 for `times_s` (n,): accelerometer m/s² with gravity, gyroscope rad/s."""
        return self._motion.render(times_s)

    @cached_property
    def _sounds(self) -> Sounds:
        return Sounds(self.script.of("audio"), self.seed)

    @cached_property
    def _pictures(self) -> Pictures:
        return Pictures(self.script.of("vision"), self.seed)

    @cached_property
    def _heat(self) -> Heat:
        return Heat(self.script.of("thermal"), self.seed)

    @cached_property
    def _space(self) -> Space:
        return Space(self.script.of("depth"), self.seed)

    @cached_property
    def _motion(self) -> Motion:
        return Motion(self.script.of("imu"), self.seed)
