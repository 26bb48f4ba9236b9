"""Sources: one file a device family, each turning what the device sends into Samples.

A driver opens, reads and closes; it neither retries nor waits between tries. `Reader` (in
`reader.py`) does that for every driver alike. Modules here are imported without their device
libraries (cv2, av, sounddevice, serial): drivers import those in `open`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bindstream.clocks.host import Clock
from bindstream.records import ModalityName, Sample


@dataclass(frozen=True)
class SourceContext:
    """What a driver is told beside its own options.

    `start_ns` is the run's nominal beginning (UTC ns): a recording's first reading is given this
    capture time, so that recordings started together stay aligned. Readings captured before
    `resume_ns` were taken in by an earlier process of the same run; a source that can skip them
    cheaply should.
    """

    stream: str
    modality: ModalityName
    clock: Clock
    start_ns: int
    resume_ns: int = 0


class EndOfStream(Exception):
    """A recording has been played to its end."""


class Source(Protocol):
    """A device or a recording. Not thread-safe: one reader thread drives it.

    `recorded` is True where time comes from a file: such a source may run ahead of the clock and
    must not be dropped from, a live one must never wait.
    """

    recorded: bool

    def open(self) -> None:
        """Open the device. Blocks for at most about 5 s.

        Raises:
            SourceError: it is not there or does not answer; trying again may help.
            MissingPackageError: a library is missing; trying again will not help.
        """

    def read(self) -> list[Sample]:
        """The next samples in capture order; [] when none came within about 0.5 s.

        Raises:
            SourceError: the device was lost; the reader closes and opens again.
            EndOfStream: the recording is over.
        """

    def close(self) -> None:
        """Let go of the device; safe to call twice, never raises."""
