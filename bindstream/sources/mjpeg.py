"""Motion JPEG over HTTP, as web cameras and microcontrollers serve it."""

from __future__ import annotations

import http.client
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import numpy as np
from numpy.typing import NDArray

from bindstream.clocks.sender import UNKNOWN_DELAY_NS, Placed, SenderClock
from bindstream.errors import SourceError
from bindstream.sources import SourceContext
from bindstream.sources.addresses import redacted
from bindstream.sources.frames import SILENCE_S, WAIT_S, Frame, RateCap, lost
from bindstream.sources.pictures import require_cv2

STAMP_HEADER = "x-timestamp"
"""Seconds with a fraction: mjpg-streamer, uStreamer and the ESP32 camera server send it."""
MOST_BYTES = 32 * 1024 * 1024
HEADERS_MOST = 100
"""A part longer than this is no picture: the boundary was missed."""


class MjpegStream:
    """A live feed of an HTTP multipart stream of JPEG pictures.

    Capture times come from the server's X-Timestamp where it sends one, else from the arrival.
    User and password in the address are used for basic or digest authentication. A silent server
    raises SourceError after `SILENCE_S`; until then `read` may block.
    """

    recorded = False

    def __init__(
        self,
        context: SourceContext,
        url: str,
        decode: Callable[[NDArray[np.uint8]], NDArray[Any] | None],
        *,
        fps: float | None = None,
    ) -> None:
        self.skipped = 0
        self._context = context
        self._url = url
        self._shown = redacted(url)
        self._decode = decode
        self._rate = RateCap(fps)
        self._response: Any = None
        self._boundary = b""
        self._buffer = bytearray()
        self._clock = SenderClock()
        self._gap = ""

    def open(self) -> None:
        require_cv2()
        try:
            self._response = _opener(self._url).open(_bare(self._url), timeout=SILENCE_S)
        except urllib.error.HTTPError as error:
            with error:
                fix = "Check user and password." if error.code in (401, 403) else "Check the path."
                raise self._lost(f"answers {error.code} {error.reason}", fix) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._lost(f"cannot be opened ({_reason(error)})") from None
        kind = self._response.headers.get_content_type()
        boundary = self._response.headers.get_param("boundary")
        if not kind.startswith("multipart/") or not isinstance(boundary, str):
            raise self._lost(
                f"sends {kind}, not a multipart stream of pictures",
                "Give the address of the camera's MJPEG stream.",
            )
        # Some cameras write the leading dashes into the header's boundary, some do not.
        self._boundary = b"--" + boundary.strip('"').lstrip("-").encode()

    def read(self) -> Frame | None:
        until_s = time.monotonic() + WAIT_S
        while time.monotonic() < until_s:
            headers, content = self._part()
            arrival_ns = self._context.clock.now_ns()
            placed = self._place(headers, arrival_ns)
            if not placed.gap and not self._rate.lets(placed.capture_ns):
                continue
            picture = self._decode(np.frombuffer(content, np.uint8)) if content else None
            if picture is None:
                self.skipped += 1
                self._gap = f"{self._shown} sent a broken picture"
                continue
            gap, self._gap = placed.gap or self._gap, ""
            return Frame(picture, placed.capture_ns, arrival_ns, placed.uncertainty_ns, gap)
        return None

    def close(self) -> None:
        if self._response is not None:
            self._response.close()

    def _place(self, headers: dict[str, str], arrival_ns: int) -> Placed:
        try:
            stamp_ns = round(float(headers[STAMP_HEADER]) * 1e9)
        except (KeyError, ValueError, OverflowError):
            return Placed(arrival_ns, UNKNOWN_DELAY_NS)
        return self._clock.place(stamp_ns, arrival_ns)

    def _part(self) -> tuple[dict[str, str], bytes]:
        """The next part's headers (names in lower case) and content."""
        until_s = time.monotonic() + SILENCE_S
        self._take_until(self._boundary, until_s)
        self._take_until(b"\n", until_s)  # the rest of the boundary's line
        headers: dict[str, str] = {}
        while line := self._take_until(b"\n", until_s).strip():
            if len(headers) >= HEADERS_MOST:
                raise self._lost("sends headers without end")
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        length = headers.get("content-length", "")
        if not re.fullmatch("[0-9]{1,12}", length):
            content = self._take_until(self._boundary, until_s)
            self._buffer[:0] = self._boundary  # the next part begins with it
            return headers, content.rstrip(b"\r\n")
        if int(length) > MOST_BYTES:
            raise self._lost(f"announces a picture of {length} bytes")
        while len(self._buffer) < int(length):
            self._fill(until_s)
        content = bytes(self._buffer[: int(length)])
        del self._buffer[: int(length)]
        return headers, content

    def _take_until(self, mark: bytes, until_s: float) -> bytes:
        """What comes before `mark`, which is taken away too."""
        searched = 0
        while (at := self._buffer.find(mark, searched)) < 0:
            searched = max(len(self._buffer) - len(mark), 0)
            if len(self._buffer) > MOST_BYTES:
                raise self._lost("sends no boundary between pictures")
            self._fill(until_s)
        taken = bytes(self._buffer[:at])
        del self._buffer[: at + len(mark)]
        return taken

    def _fill(self, until_s: float) -> None:
        try:
            more = self._response.read1(65536)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._lost(f"broke off ({_reason(error)})") from None
        if not more:
            raise self._lost("ended the stream")
        if time.monotonic() > until_s:
            raise self._lost(f"sent no whole picture in {SILENCE_S:.0f} s")
        self._buffer += more

    def _lost(self, what: str, fix: str = "Check the camera; it is tried again.") -> SourceError:
        return lost(self._context, f"{self._shown} {what}.", fix)


def _bare(url: str) -> str:
    """`url` without user and password, which go into the Authorization header."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _opener(url: str) -> urllib.request.OpenerDirector:
    parts = urlsplit(url)
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    if parts.username is not None:
        user, password = unquote(parts.username), unquote(parts.password or "")
        passwords.add_password(None, _bare(url), user, password)
    return urllib.request.build_opener(
        urllib.request.ProxyHandler({}),  # cameras are on the local network
        urllib.request.HTTPBasicAuthHandler(passwords),
        urllib.request.HTTPDigestAuthHandler(passwords),
    )


def _reason(error: Exception) -> str:
    inner = getattr(error, "reason", error)
    if isinstance(inner, (TimeoutError, socket.timeout)):
        return "no answer in time"
    return getattr(inner, "strerror", None) or type(inner).__name__
