"""An RTSP camera: H.264 frames that carry their own capture time as a barcode.

Run by the system's Python (gi is not to be had elsewhere):

    /usr/bin/python3 rtsp_server.py PORT [--fps 30] [--password WORD]

It prints the port when it serves, at rtsp://127.0.0.1:PORT/camera; a password is asked of the
user "user". The barcode is 64 columns over the top 32 rows, the most significant bit of the UTC
microseconds first, white for 1; below it everything is grey.
"""

from __future__ import annotations

import argparse
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

WIDTH, HEIGHT, BITS, ROWS = 640, 480, 64, 32
COLUMN = WIDTH // BITS
BELOW = bytes([110]) * (WIDTH * (HEIGHT - ROWS)) + bytes([128]) * (WIDTH * HEIGHT // 2)
LAUNCH = (
    "( appsrc name=frames is-live=true do-timestamp=true format=time block=false "
    f"caps=video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate={{fps}}/1 "
    "! x264enc tune=zerolatency speed-preset=ultrafast key-int-max={fps} bitrate=4000 "
    "! rtph264pay name=pay0 pt=96 config-interval=1 )"
)


def frame() -> bytes:
    """One I420 frame captured now."""
    now_us = time.time_ns() // 1000
    bits = f"{now_us:0{BITS}b}"
    row = b"".join((b"\xeb" if bit == "1" else b"\x10") * COLUMN for bit in bits)
    return row * ROWS + BELOW


class Camera(GstRtspServer.RTSPMediaFactory):
    def __init__(self, fps: int) -> None:
        super().__init__()
        self._fps = fps
        self.set_launch(LAUNCH.format(fps=fps))
        self.set_shared(True)

    def configure(self, media: GstRtspServer.RTSPMedia) -> None:
        source = media.get_element().get_child_by_name("frames")

        def push() -> bool:
            buffer = Gst.Buffer.new_wrapped(frame())
            return source.emit("push-buffer", buffer) == Gst.FlowReturn.OK

        GLib.timeout_add(round(1000 / self._fps), push)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument("--password", default="")
    options = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(options.port))
    factory = Camera(options.fps)
    factory.connect("media-configure", lambda camera, media: camera.configure(media))
    if options.password:
        auth = GstRtspServer.RTSPAuth()
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "user")
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic("user", options.password), token)
        server.set_auth(auth)
        factory.add_role_from_structure(
            Gst.Structure.from_string(
                "user, media.factory.access=(boolean)true, media.factory.construct=(boolean)true"
            )[0]
        )
    server.get_mount_points().add_factory("/camera", factory)
    if not server.attach(None):
        raise SystemExit(f"port {options.port} is taken")
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
