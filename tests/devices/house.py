"""The simulated house played into real device paths, so that what happened is known."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from bindstream.scene import Renderer, Script
from tests.devices.imu_bytes import witmotion
from tests.devices.mjpeg_server import MjpegServer
from tests.devices.nut_server import NutServer
from tests.devices.pulse import Pulse
from tests.devices.serial_line import SerialLine

IMU_HZ = 100
FRAME_HZ = 10


class House:
    """Plays a script: sound into PulseAudio, pictures over HTTP, heat over TCP, motion over a pty.

    `began_ns` is the UTC time at which the script began.
    """

    def __init__(self, script: Script, folder: Path, pulse: Pulse, line: SerialLine) -> None:
        self.script = script
        self._house = Renderer(script)
        length_s = script.length_s
        sound = self._house.sound(0, int(16000 * length_s))
        self._wav = folder / "house.wav"
        soundfile.write(self._wav, sound, 16000)
        motion = self._house.motion(np.arange(0, length_s, 1 / IMU_HZ))
        self._motion = witmotion(motion)
        self._pulse, self._line = pulse, line
        self.camera = MjpegServer(fps=FRAME_HZ, stamp=lambda s: s)
        self.thermal = NutServer(fps=9)
        self._show(0)
        self.began_ns = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._play, daemon=True)

    def begin(self) -> None:
        self.began_ns = time.time_ns()
        self._pulse.play(self._wav)
        self._line.feed(self._motion, IMU_HZ)
        self._thread.start()

    def _play(self) -> None:
        while not self._stop.wait(1 / FRAME_HZ):
            self._show((time.time_ns() - self.began_ns) / 1e9)

    def _show(self, t_s: float) -> None:
        self.camera.shown = self._house.picture(min(t_s, self.script.length_s - 0.1))
        self.thermal.shown = self._house.heat(min(t_s, self.script.length_s - 0.1))

    def close(self) -> None:
        self._stop.set()
        self.camera.stop()
        self.thermal.stop()


@contextlib.contextmanager
def house(script: Script, folder: Path, pulse: Pulse, line: SerialLine) -> Iterator[House]:
    playing = House(script, folder, pulse, line)
    try:
        yield playing
    finally:
        playing.close()
