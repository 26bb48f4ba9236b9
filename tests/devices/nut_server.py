"""A thermal camera on the network: raw 16-bit frames as NUT over TCP on loopback."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

HEIGHT, WIDTH = 122, 160
ROOM = 29515
"""22 °C in kelvin × 100."""


class NutServer:
    """Sends Lepton frames with telemetry rows to whoever connects, one connection after another.

    Every pixel is `ROOM`, but for the first four of row 0: the UTC ns of capture, little-endian.
    Time stamps are those of capture on a clock that starts with the connection. `frozen` makes it
    fall silent with the connection open. `shown`, (120, 160) °C, replaces `ROOM` once it is set.
    """

    def __init__(self, fps: float = 9.0) -> None:
        self.fps = fps
        self.frozen = threading.Event()
        self.shown: NDArray[np.float32] | None = None
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._stopped = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Go away: refuse new connections and break the one that is open."""
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def __enter__(self) -> NutServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _serve(self) -> None:
        while not self._stopped.is_set():
            with contextlib.suppress(OSError):  # the client hung up, or the test ended
                connection, _ = self._listener.accept()
                with connection:
                    self._stream(connection)

    def _stream(self, connection: socket.socket) -> None:
        class Pipe:
            def write(self, content: bytes) -> int:
                connection.sendall(content)
                return len(content)

        output = av.open(Pipe(), "w", format="nut", options={"flush_packets": "1"})
        stream = output.add_stream("rawvideo", rate=round(self.fps))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "gray16le"
        stream.codec_context.time_base = Fraction(1, 1_000_000)
        began_ns = time.time_ns()
        while not self._stopped.wait(1 / self.fps):
            if self.frozen.is_set():
                continue
            now_ns = time.time_ns()
            counts = np.full((HEIGHT, WIDTH), ROOM, np.uint16)
            if self.shown is not None:
                # Hotter than 382 °C is as much as a Lepton can say.
                kelvin_hundredths = np.round((self.shown + 273.15) * 100)
                counts[: len(self.shown)] = np.clip(kelvin_hundredths, 0, 65535)
            if self.shown is None:
                counts[0, :4] = np.frombuffer(now_ns.to_bytes(8, "little"), "<u2")
            frame = av.VideoFrame.from_ndarray(counts, format="gray16le")
            frame.pts, frame.time_base = (now_ns - began_ns) // 1000, Fraction(1, 1_000_000)
            output.mux(stream.encode(frame))
