"""Video through FFmpeg (PyAV): files as recordings, network streams live."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from bindstream.clocks.sender import Placed, SenderClock
from bindstream.errors import MissingPackageError, SourceError
from bindstream.sources import EndOfStream, SourceContext
from bindstream.sources.addresses import redacted
from bindstream.sources.frames import SILENCE_S, WAIT_S, Frame, RateCap, lost
from bindstream.sources.options import PlaybackOptions
from bindstream.sources.playback import Playback

OPEN_S = 3.0
PRFT = struct.Struct("<q")
"""AVProducerReferenceTime begins with the wall clock, int64 microseconds (libavcodec/defs.h)."""

Picture = Callable[[Any], NDArray[Any]]
"""Makes an array of an av.VideoFrame."""

log = structlog.get_logger(__name__)


def rgb_picture(short_side: int | None) -> Picture:
    """Frames as (H, W, 3) uint8 RGB, upright, scaled down to `short_side` pixels if larger."""

    def picture(frame: Any) -> NDArray[Any]:
        width, height = fitted(frame.width, frame.height, short_side)
        rgb = frame.to_ndarray(format="rgb24", width=width, height=height)
        turns = round(getattr(frame, "rotation", 0) / 90)
        return np.ascontiguousarray(np.rot90(rgb, turns)) if turns else np.asarray(rgb)

    return picture


def fitted(width: int, height: int, short_side: int | None) -> tuple[int, int]:
    """`width` and `height` in pixels after scaling the shorter one down to `short_side`."""
    if short_side is None or min(width, height) <= short_side:
        return width, height
    scale = short_side / min(width, height)
    return max(round(width * scale), 1), max(round(height * scale), 1)


class VideoFile:
    """A feed that plays a video file; each frame was captured at its own time stamp.

    Packets that cannot be decoded are counted in `skipped` and marked as a gap.
    """

    recorded = True

    def __init__(
        self, context: SourceContext, path: Path, options: PlaybackOptions, picture: Picture
    ) -> None:
        self.skipped = 0
        self._context = context
        self._path = path.expanduser()
        self._loop = options.loop
        self._playback = Playback(context, options.speed)
        self._picture = picture
        self._container: Any = None
        self._waiting: tuple[float, Any] | None = None
        self._round_s = 0.0  # where this round of the file begins
        self._end_s = 0.0  # where the next one will
        self._gap = ""

    def open(self) -> None:
        if not self._path.is_file():
            raise lost(self._context, f"there is no file {self._path}.", "Correct `file`.")
        self._container = open_container(self._context, str(self._path), str(self._path))
        self._frames = self._times_and_frames()
        self._waiting = next(self._frames, None)
        if self._waiting is None:
            raise lost(
                self._context,
                f"no frame of {self._path} can be decoded.",
                "Check that the file is whole and is a video.",
            )

    def read(self) -> Frame | None:
        if self._waiting is None:
            self._waiting = next(self._frames, None)
        if self._waiting is None:
            self._end_of_round()
            return None
        t_s, frame = self._waiting
        if not self._playback.wait_until_due(t_s, at_most_s=WAIT_S):
            return None
        self._waiting = None
        gap, self._gap = self._gap, ""
        now_ns = self._context.clock.now_ns()
        return Frame(self._picture(frame), self._playback.capture_ns(t_s), now_ns, gap=gap)

    def close(self) -> None:
        self._playback.stop()
        _close(self._container)
        self._container = None

    def _end_of_round(self) -> None:
        if not self._loop:
            raise EndOfStream
        self._container.seek(0)
        self._round_s = self._end_s
        self._frames = self._times_and_frames()

    def _times_and_frames(self) -> Iterator[tuple[float, Any]]:
        """Frames of one round with their times in seconds into the recording."""
        stream = self._container.streams.video[0]
        period_s = 1 / float(stream.average_rate or stream.guessed_rate or 25)
        first: float | None = None
        for packet in packets(self._context, self._container, stream, str(self._path)):
            for frame in self._decoded(packet):
                time_s = frame.time if frame.time is not None else self._end_s - self._round_s
                first = time_s if first is None else first
                t_s = self._round_s + time_s - first
                self._end_s = t_s + period_s
                yield t_s, frame

    def _decoded(self, packet: Any) -> list[Any]:
        frames, error = decoded(packet)
        if error:
            self.skipped += 1
            self._gap = self._gap or f"a packet of {self._path.name} cannot be decoded"
            if self.skipped == 1:
                log.warning("packet skipped", stream=self._context.stream, file=str(self._path))
        return frames


class VideoStream:
    """A live feed of a network video stream (RTSP, or NUT over TCP).

    Capture times come from the sender's reports where it sends any (RTSP: from about 2 s after
    opening), else from the stream's own time stamps, laid on the arrival times. A silent sender
    raises SourceError after `SILENCE_S`; until then `read` may block.
    """

    recorded = False

    def __init__(
        self,
        context: SourceContext,
        url: str,
        picture: Picture,
        *,
        fps: float | None = None,
        av_options: dict[str, str] | None = None,
    ) -> None:
        self.skipped = 0
        self._context = context
        self._url = url
        self._shown = redacted(url)
        self._picture = picture
        self._rate = RateCap(fps)
        self._av_options = av_options or {}
        self._container: Any = None
        self._packets: Iterator[Any] = iter(())
        self._frames: list[tuple[Any, int]] = []
        self._relative = SenderClock()
        self._reported = SenderClock()
        self._reports = 0
        self._zero_ns: int | None = None  # the sender's UTC at time stamp 0, from its reports

    def open(self) -> None:
        # FFmpeg's parser keeps an RTSP stream's last frame back, and gives it out when a read
        # times out for the first time: only the second time-out in a row is an error.
        timeouts = 2 if self._url.startswith("rtsp") else 1
        self._container = open_container(
            self._context,
            self._url,
            self._shown,
            options={
                "fflags": "nobuffer",
                "flags": "low_delay",
                "fpsprobesize": "0",
                **self._av_options,
            },
            timeout=(OPEN_S, SILENCE_S / timeouts),
        )
        stream = self._container.streams.video[0]
        self._packets = packets(self._context, self._container, stream, self._shown)

    def read(self) -> Frame | None:
        until_s = time.monotonic() + WAIT_S
        while time.monotonic() < until_s:
            if not self._frames:
                self._receive()
            while self._frames:
                frame, arrival_ns = self._frames.pop(0)
                placed = self._place(frame, arrival_ns)
                if placed.gap or self._rate.lets(placed.capture_ns):
                    return Frame(
                        self._picture(frame),
                        placed.capture_ns,
                        arrival_ns,
                        placed.uncertainty_ns,
                        placed.gap,
                    )
        return None

    def close(self) -> None:
        _close(self._container)
        self._container = None

    def _receive(self) -> None:
        packet = next(self._packets, None)
        arrival_ns = self._context.clock.now_ns()
        if packet is None or packet.dts is None:
            raise lost(
                self._context,
                f"{self._shown} ended the stream.",
                "Check the sender; it is tried again.",
            )
        if packet.has_sidedata("prft") and packet.pts is not None:
            self._reports += 1
            if self._reports > 1:  # the first is put on the frame before its own
                (wall_us,) = PRFT.unpack_from(bytes(packet.get_sidedata("prft")))
                self._zero_ns = wall_us * 1000 - round(packet.pts * packet.time_base * 10**9)
        frames, error = decoded(packet)
        self.skipped += error
        self._frames = [(frame, arrival_ns) for frame in frames]

    def _place(self, frame: Any, arrival_ns: int) -> Placed:
        if frame.pts is None:
            return Placed(arrival_ns, round(SILENCE_S * 1e9))
        stamp_ns = round(frame.pts * frame.time_base * 10**9)
        if self._zero_ns is not None:
            return self._reported.place(self._zero_ns + stamp_ns, arrival_ns)
        return self._relative.place(stamp_ns, arrival_ns)


def open_container(
    context: SourceContext,
    address: str,
    shown: str,
    *,
    options: dict[str, str] | None = None,
    timeout: tuple[float, float] | None = None,
) -> Any:
    """An av container that holds video; `shown` is how errors name it. Blocks up to `timeout`."""
    try:
        import av
    except ImportError as error:
        raise MissingPackageError(
            f"video needs PyAV ({error}).", fix="pip install 'bindstream[camera]'"
        ) from None
    began_s = time.monotonic()
    try:
        container = av.open(address, options=options or {}, timeout=timeout)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        # After a time-out FFmpeg names whatever it made of the half it had.
        late = timeout is not None and time.monotonic() - began_s >= timeout[0]
        reason = "no answer in time" if late else _reason(error)
        raise lost(
            context, f"{shown} cannot be opened ({reason}).", "Check that it is there."
        ) from None
    if not container.streams.video:
        container.close()
        raise lost(
            context,
            f"{shown} holds no video.",
            "Give a video file, or the address of a video stream.",
        )
    return container


def packets(context: SourceContext, container: Any, stream: Any, shown: str) -> Iterator[Any]:
    """The stream's packets; SourceError when they stop coming."""
    import av

    try:
        yield from container.demux(stream)
    except (av.error.FFmpegError, OSError) as error:
        raise _broken(context, shown, error) from None


def decoded(packet: Any) -> tuple[list[Any], bool]:
    """The frames in a packet, and whether it could not be decoded."""
    import av

    try:
        return packet.decode(), False
    except av.error.FFmpegError:
        return [], True


def _broken(context: SourceContext, shown: str, error: Exception) -> SourceError:
    return lost(context, f"{shown} broke off ({_reason(error)}).", "Check the sender or the file.")


def _reason(error: Exception) -> str:
    """FFmpeg's words without the address, which may hold a password."""
    if type(error).__name__ == "ExitError":  # how FFmpeg says that the time-out struck
        return "no answer in time"
    return getattr(error, "strerror", None) or type(error).__name__


def _close(container: Any) -> None:
    if container is not None:
        container.close()
