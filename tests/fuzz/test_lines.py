"""What sensors send: any bytes in any pieces, without end, in bounded memory."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from bindstream.clocks.host import Clock
from bindstream.errors import SourceError
from bindstream.sources import SourceContext
from bindstream.sources.imu_columns import ColumnsOptions
from bindstream.sources.imu_text import TextParser
from bindstream.sources.mjpeg import HEADERS_MOST, MjpegStream
from bindstream.sources.witmotion import WitMotionParser

MIB = 1 << 20
HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"


@pytest.mark.parametrize(
    "chunk",
    [
        *(
            b"x" * 65536,
            b'{"ax": [' * 8192,
            b"U" * 65536,
            b"UQ" * 30000,
            b"$" * 65536,
            b"\0" * 9999,
        ),
        *(b"1," * 30000, b"a:" * 30000, b"ax=1 " * 13000, b" " * 65536, b"\xff" * 65536),
    ],
    ids=range(11),
)
@pytest.mark.parametrize("kind", ["text", "witmotion"])
def test_a_line_that_never_ends_takes_no_memory(kind: str, chunk: bytes) -> None:
    parser = TextParser(ColumnsOptions()) if kind == "text" else WitMotionParser()
    tracemalloc.start()
    for _ in range(4 if kind == "witmotion" else 30):  # which looks at each byte
        assert parser.push(chunk) == []
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < MIB
    assert peak < 8 * MIB


def fed(content: bytes, cuts: Callable[[], int]) -> list[tuple[int, ...]]:
    """The pictures' bytes of what a server sends in pieces, until it ends."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        line, _ = server.accept()
        with line:
            line.recv(4096)
            at = 0
            try:
                while at < len(content):
                    size = cuts()
                    line.sendall(content[at : at + size])
                    at += size
            except OSError:
                return  # the reader had enough

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    clock = Clock.read()
    got: list[tuple[int, ...]] = []

    def decode(picture: np.ndarray) -> np.ndarray:
        got.append(tuple(picture.tolist()))
        return np.zeros((1, 1, 3), np.uint8)

    url = f"http://127.0.0.1:{server.getsockname()[1]}/"
    stream = MjpegStream(SourceContext("door", "vision", clock, 0), url, decode)
    try:
        stream.open()
        while True:
            stream.read()
    except SourceError:
        return got
    finally:
        stream.close()
        server.close()
        thread.join(5)


def feed(rng: random.Random) -> bytes:
    parts = []
    for _ in range(rng.randint(1, 12)):
        body = rng.randbytes(rng.randint(0, 300))
        length = rng.choice((len(body), len(body), len(body), "²", "9" * 5000, "-1", "x", "", 5))
        stamp = rng.choice(("1.5", "nan", "inf", "-1e300", "1e300", "x", "1795000000.25"))
        parts.append(
            rng.choice(
                (
                    f"--frame\r\nContent-Length: {length}\r\nX-Timestamp: {stamp}\r\n\r\n".encode(
                        "latin-1"
                    )
                    + body
                    + b"\r\n",
                    b"--frame\n\n" + body,
                    b"--frame",
                    b"\r\n\r\n",
                    rng.randbytes(40),
                )
            )
        )
    return HEAD + b"".join(parts)


@pytest.mark.parametrize("seed", range(12))
def test_a_feed_of_pictures_is_the_same_however_it_is_cut(seed: int) -> None:
    content = feed(random.Random(seed))
    whole = fed(content, lambda: len(content))
    rng = random.Random(seed)
    assert fed(content, lambda: rng.choice((1, 2, 7, 60))) == whole


def test_headers_without_end_are_not_collected() -> None:
    lines = b"".join(b"name-%d: value\r\n" % i for i in range(200_000))
    tracemalloc.start()
    assert fed(HEAD + b"--frame\r\n" + lines, lambda: 65536) == []
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * MIB
    assert HEADERS_MOST < 1000


def test_a_picture_that_says_it_has_a_billion_pixels_is_not_unpacked() -> None:
    pytest.importorskip("cv2")
    code = """
import re
from pathlib import Path
import bindstream.sources.pictures as pictures
import cv2, numpy as np
jpeg = bytearray(cv2.imencode(".jpg", np.zeros((64, 64, 3), np.uint8))[1].tobytes())
assert pictures.decode_rgb(np.frombuffer(bytes(jpeg), np.uint8)).shape == (64, 64, 3)
at = jpeg.index(b"\\xff\\xc0")
jpeg[at + 5 : at + 9] = (30000).to_bytes(2, "big") * 2
forged = np.frombuffer(bytes(jpeg), np.uint8)
assert pictures.decode_rgb(forged) is None
assert pictures.decode_as_is(forged) is None
# Not getrusage: that goes on from the process which started this one.
[most_kib] = re.findall(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())
assert int(most_kib) < 600 * 1024
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=90)
    assert ran.returncode == 0, ran.stderr
