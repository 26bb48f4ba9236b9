"""What the sources of frames share: a feed of frames, its rate, and making Samples of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from bindstream.errors import SourceError
from bindstream.records import Sample
from bindstream.sources import SourceContext

WAIT_S = 0.5
"""A read that has nothing returns about this soon, so that a reader can be stopped."""
SILENCE_S = 4.0
"""A network feed that says nothing for this long is lost."""


@dataclass(frozen=True)
class Frame:
    """One picture as the feed gives it. Times in UTC ns."""

    data: NDArray[Any]
    capture_ns: int
    receive_ns: int
    uncertainty_ns: int = 0
    gap: str = ""


class Feed(Protocol):
    """Where frames come from; what `bindstream.sources.Source` says of open, read, close holds."""

    recorded: bool
    skipped: int  # pictures that came but could not be decoded

    def open(self) -> None: ...

    def read(self) -> Frame | None:
        """The next frame, None when there was none within about 0.5 s."""

    def close(self) -> None: ...


class FrameSource:
    """A `Source` of single frames: a feed, and how its pictures become readings of the modality.

    A frame that was captured no later than the one before is left out: clocks that are corrected
    by a little must not shuffle a stream. One that comes with a gap is taken as it is.
    """

    def __init__(
        self,
        context: SourceContext,
        feed: Feed,
        readings: Callable[[NDArray[Any]], NDArray[Any]],
    ) -> None:
        self.recorded = feed.recorded
        self._context = context
        self._feed = feed
        self._readings = readings
        self._last_ns = 0

    def open(self) -> None:
        self._feed.open()

    def read(self) -> list[Sample]:
        frame = self._feed.read()
        if frame is None or (frame.capture_ns <= self._last_ns and not frame.gap):
            return []
        self._last_ns = frame.capture_ns
        return [
            Sample(
                stream=self._context.stream,
                modality=self._context.modality,
                data=self._readings(frame.data),
                start_ns=frame.capture_ns,
                end_ns=frame.capture_ns,
                receive_ns=frame.receive_ns,
                uncertainty_ns=frame.uncertainty_ns,
                clock=self._context.clock.id,
                gap=frame.gap,
            )
        ]

    def close(self) -> None:
        self._feed.close()

    def notes(self) -> dict[str, int]:
        """Counts for the stream's health: pictures that could not be decoded."""
        return {"undecodable": self._feed.skipped}


class RateCap:
    """Lets at most `fps` frames a second through (all, if None), evenly, by capture time."""

    def __init__(self, fps: float | None) -> None:
        self._millihertz = None if fps is None else round(fps * 1000)
        self._slot = -1

    def lets(self, capture_ns: int) -> bool:
        if self._millihertz is None:
            return True
        slot = capture_ns * self._millihertz // 10**12
        if slot == self._slot:
            return False
        self._slot = slot
        return True


def lost(context: SourceContext, what: str, fix: str) -> SourceError:
    """A SourceError that names the context's stream."""
    return SourceError(what, where=f"stream {context.stream!r}", fix=fix)
