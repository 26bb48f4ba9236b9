"""Folders of pictures played as a recording, one picture a frame period."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from bindstream.errors import MissingPackageError
from bindstream.sources import EndOfStream, SourceContext
from bindstream.sources.frames import WAIT_S, Frame, lost
from bindstream.sources.options import PlaybackOptions
from bindstream.sources.playback import Playback

FOLDER_FPS = 10.0
"""How fast a folder is played where the configuration does not say."""

PIXELS_MOST = 1 << 26
"""Pixels of a picture, 8192 squared: a file of a kilobyte may say that it has more, and takes
gigabytes to find out."""
# OpenCV reads it when it is imported first; whoever set it knows better.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(PIXELS_MOST))

log = structlog.get_logger(__name__)


def natural_order(paths: Iterable[Path]) -> list[Path]:
    """Sorted as people number files: frame2 before frame10."""

    def key(path: Path) -> list[tuple[int, str]]:
        parts = re.split(r"(\d+)", path.name)
        return [(int(p), "") if p.isdigit() else (-1, p.lower()) for p in parts if p]

    return sorted(paths, key=lambda p: (key(p), p.name))


class PictureFolder:
    """A feed that shows a folder's pictures in natural order; picture n was captured at n / fps.

    Args:
        decode: makes an array of a picture file's bytes, None if it cannot.
        suffixes: the file name endings to take, lower case with the dot.

    A picture that cannot be read is counted in `skipped`, said once, and marked as a gap; the
    pictures after it keep their times.
    """

    recorded = True

    def __init__(
        self,
        context: SourceContext,
        folder: Path,
        fps: float,
        options: PlaybackOptions,
        decode: Callable[[NDArray[np.uint8]], NDArray[Any] | None],
        suffixes: tuple[str, ...],
    ) -> None:
        self.skipped = 0
        self._context = context
        self._folder = folder.expanduser()
        self._fps = fps
        self._loop = options.loop
        self._playback = Playback(context, options.speed)
        self._decode = decode
        self._suffixes = suffixes
        self._paths: list[Path] = []
        self._shown = 0
        self._gap = ""
        self._readable = False
        self._said: set[Path] = set()

    def open(self) -> None:
        require_cv2()
        try:
            self._paths = natural_order(
                p for p in self._folder.iterdir() if p.suffix.lower() in self._suffixes
            )
        except OSError as error:
            raise lost(
                self._context,
                f"the folder {self._folder} cannot be read ({error.strerror}).",
                "Check `folder` and its permissions.",
            ) from None
        if not self._paths:
            raise lost(
                self._context,
                f"the folder {self._folder} holds no pictures ({', '.join(self._suffixes)}).",
                "Put pictures there or correct `folder`.",
            )
        self._shown = 0

    def read(self) -> Frame | None:
        if self._shown and self._shown % len(self._paths) == 0:
            self._end_of_round()
        t_s = self._shown / self._fps
        if not self._playback.wait_until_due(t_s, at_most_s=WAIT_S):
            return None
        path = self._paths[self._shown % len(self._paths)]
        self._shown += 1
        data = self._read(path)
        if data is None:
            self._skip(path)
            return None
        self._readable = True
        gap, self._gap = self._gap, ""
        return Frame(data, self._playback.capture_ns(t_s), self._context.clock.now_ns(), gap=gap)

    def close(self) -> None:
        self._playback.stop()

    def _read(self, path: Path) -> NDArray[Any] | None:
        try:
            content = np.frombuffer(path.read_bytes(), np.uint8)
        except OSError:
            return None
        return self._decode(content) if len(content) else None

    def _skip(self, path: Path) -> None:
        self.skipped += 1
        self._gap = f"{path.name} cannot be read"
        if path not in self._said:
            self._said.add(path)
            log.warning("picture skipped", stream=self._context.stream, picture=str(path))

    def _end_of_round(self) -> None:
        if not self._readable:
            raise lost(
                self._context,
                f"none of the {len(self._paths)} pictures in {self._folder} can be read.",
                "Check that they are whole and of the kind their names say.",
            )
        if not self._loop:
            raise EndOfStream


def decode_rgb(content: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """(H, W, 3) uint8 RGB of a picture file's bytes, upright; None if it is not a picture."""
    import cv2

    bgr = _decoded(content, cv2.IMREAD_COLOR)
    return None if bgr is None else np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))


def decode_as_is(content: NDArray[np.uint8]) -> NDArray[Any] | None:
    """The picture's own values, depth and channels kept; None if it is not a picture."""
    import cv2

    picture = _decoded(content, cv2.IMREAD_UNCHANGED)
    return None if picture is None else np.asarray(picture)


def _decoded(content: NDArray[np.uint8], flags: int) -> Any:
    import cv2

    try:
        return cv2.imdecode(content, flags)
    except cv2.error:  # larger than `PIXELS_MOST`, or what else it asserts
        return None


def require_cv2() -> None:
    """MissingPackageError, naming the extra, where OpenCV is not installed."""
    try:
        import cv2  # noqa: F401
    except ImportError as error:
        raise MissingPackageError(
            f"pictures need OpenCV ({error}).", fix="pip install 'bindstream[camera]'"
        ) from None
