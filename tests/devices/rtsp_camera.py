"""Starts, freezes and kills the RTSP camera of `rtsp_server.py`."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.system import require

SERVER = Path(__file__).with_name("rtsp_server.py")
SYSTEM_PYTHON = "/usr/bin/python3"
PACKAGES = (
    "gir1.2-gst-rtsp-server-1.0 (with python3-gi, gstreamer1.0-plugins-base, "
    "gstreamer1.0-plugins-good and gstreamer1.0-plugins-ugly)"
)
PROBE = """
import gi
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
assert all(Gst.ElementFactory.find(n) for n in ("appsrc", "x264enc", "rtph264pay"))
"""


@cache
def _present() -> bool:
    if not Path(SYSTEM_PYTHON).exists():
        return False
    return subprocess.run([SYSTEM_PYTHON, "-c", PROBE], capture_output=True).returncode == 0


class RtspCamera:
    """A camera process; started again it serves on the same port."""

    def __init__(self, password: str = "") -> None:
        require(PACKAGES, _present())
        self._password = password
        self._port = "0"
        self._process: Any = None
        self.start()

    @property
    def url(self) -> str:
        user = f"user:{self._password}@" if self._password else ""
        return f"rtsp://{user}127.0.0.1:{self._port}/camera"

    def start(self) -> None:
        command = [SYSTEM_PYTHON, str(SERVER), self._port]
        if self._password:
            command += ["--password", self._password]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._port = self._process.stdout.readline().strip()
        assert self._port.isdigit(), "the RTSP server did not start"

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)
        self._process.stdout.close()


@contextlib.contextmanager
def rtsp_camera(password: str = "") -> Iterator[RtspCamera]:
    camera = RtspCamera(password)
    try:
        yield camera
    finally:
        camera.kill()


def captured_ns(rgb: NDArray[np.uint8]) -> int:
    """The UTC nanoseconds drawn into a frame, whatever its size; see `rtsp_server.py`."""
    height, width = rgb.shape[:2]
    row = rgb[height // 60 : height // 20].mean(axis=(0, 2))
    bits = [row[round((column + 0.5) * width / 64)] > 128 for column in range(64)]
    return int("".join("1" if bit else "0" for bit in bits), 2) * 1000
