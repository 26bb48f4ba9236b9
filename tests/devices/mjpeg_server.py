"""A web camera: motion JPEG over HTTP on loopback, which can freeze, fail and come back."""

from __future__ import annotations

import base64
import contextlib
import http.server
import socket
import threading
import time
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray


class MjpegServer:
    """Serves pictures numbered from 0 by their grey level (number modulo 256).

    Args:
        stamp: makes the X-Timestamp (seconds) of UTC seconds, None to send none.
        length: whether parts say their Content-Length.
        password: asked of the user "user" by basic authentication, if not empty.

    Setting `frozen` makes it fall silent with connections open; `spoil` makes pictures broken.
    `captured` holds the UTC ns of each picture sent, by number. `shown`, (H, W, 3) uint8 RGB, is
    sent in place of the grey ones once it is set.
    """

    def __init__(
        self,
        *,
        fps: float = 30.0,
        stamp: Callable[[float], float] | None = None,
        length: bool = True,
        password: str = "",
        boundary: str = "frame",
    ) -> None:
        self.fps, self.stamp, self.length, self.password = fps, stamp, length, password
        self.boundary = boundary
        self.frozen = threading.Event()
        self.spoil = threading.Event()
        self.captured: list[int] = []
        self.shown: NDArray[np.uint8] | None = None
        self._stopped = threading.Event()
        self._connections: list[socket.socket] = []
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/stream"

    def start(self) -> None:
        """Listen, on the port of the time before if there was one."""
        self._stopped = threading.Event()
        handler = type("Handler", (_Handler,), {"camera": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Go away: refuse new connections and break those that are open."""
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._connections.clear()

    def __enter__(self) -> MjpegServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Handler(http.server.BaseHTTPRequestHandler):
    camera: MjpegServer

    def do_GET(self) -> None:
        camera = self.camera
        camera._connections.append(self.connection)
        expected = "Basic " + base64.b64encode(f"user:{camera.password}".encode()).decode()
        if camera.password and self.headers.get("Authorization") != expected:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.end_headers()
        elif self.path == "/picture":
            self.send_response(200)
            self.send_header("Content-Type", "image/jpeg")
            self.end_headers()
        elif self.path != "/stream":
            self.send_error(404)
        else:
            self.send_response(200)
            kind = f"multipart/x-mixed-replace; boundary={camera.boundary}"
            self.send_header("Content-Type", kind)
            self.end_headers()
            with contextlib.suppress(OSError):  # the client, or the test, hung up
                self._stream(camera._stopped)

    def _stream(self, stopped: threading.Event) -> None:
        camera = self.camera
        mark = b"--" + camera.boundary.lstrip("-").encode()
        self.wfile.write(mark)
        while not stopped.wait(1 / camera.fps):
            if camera.frozen.is_set():
                continue
            number, now_ns = len(camera.captured), time.time_ns()
            camera.captured.append(now_ns)
            picture = np.full((48, 64, 3), number % 256, np.uint8)
            if camera.shown is not None:
                picture = camera.shown[..., ::-1]
            content = cv2.imencode(".jpg", picture)[1].tobytes()
            content = content[:40] if camera.spoil.is_set() else content
            head = b"\r\nContent-Type: image/jpeg\r\n"
            if camera.length:
                head += b"Content-Length: %d\r\n" % len(content)
            if camera.stamp is not None:
                head += f"X-Timestamp: {camera.stamp(now_ns / 1e9):.6f}\r\n".encode()
            self.wfile.write(head + b"\r\n" + content + b"\r\n" + mark)

    def log_message(self, format: str, *args: object) -> None:
        pass
