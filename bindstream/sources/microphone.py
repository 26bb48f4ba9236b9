"""Sound: a live input through PortAudio, or a recorded file; mono float32 at 16 kHz."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from bindstream.clocks.device import DeviceClock
from bindstream.errors import SourceError
from bindstream.records import ModalityName, Sample
from bindstream.sources import EndOfStream, SourceContext
from bindstream.sources.frames import WAIT_S, lost
from bindstream.sources.options import PlaybackOptions
from bindstream.sources.playback import Playback
from bindstream.sources.sound_capture import BLOCK_S, SoundCapture
from bindstream.sources.sound_file import SoundFile
from bindstream.sources.sound_pieces import RATE_HZ, Piece, SoundPieces
from bindstream.sources.sound_ring import Block

LATENESS_S = 0.25
"""A piece is 0.1 s long, a block 0.02 s, and the resampler keeps some 0.03 s back."""
LATE_S = 2.5 * BLOCK_S
"""Blocks wander by one; two that are missing show."""
LEAST_UNCERTAINTY_NS = 10_000_000
"""What drivers do not tell of their buffers, about."""
POLL_S = 0.01


class MicrophoneOptions(PlaybackOptions):
    """A live input, the system's default unless `device` says another; or a file."""

    modality: ClassVar[ModalityName] = "audio"

    kind: Literal["microphone"]
    device: int | str | None = Field(
        default=None, description="part of an input's name, or its index; default input if left out"
    )
    file: Path | None = Field(default=None, description="WAV, FLAC or OGG, played as a recording")
    channel: int | None = Field(
        default=None, ge=0, lt=64, description="one channel, from 0; the mean of the first two"
    )
    gain: float = Field(
        default=1.0, gt=0, le=1000, allow_inf_nan=False, description="times the amplitude"
    )

    @model_validator(mode="before")
    @classmethod
    def _live_lateness(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("lateness_s") is not None:
            return values
        live = values.get("file") is None
        return {**values, "lateness_s": LATENESS_S} if live else values

    @model_validator(mode="after")
    def _one_origin(self) -> MicrophoneOptions:
        if self.device is not None and self.file is not None:
            raise ValueError("give device or file, not both")
        return self


def microphone_source(
    options: MicrophoneOptions, context: SourceContext
) -> LiveSound | RecordedSound:
    """Samples of 0.1 s: (1600,) float32 in [-1, 1] at 16 kHz; shorter before a gap and at the end.

    Without a gap each begins exactly where the one before ended.
    """
    if options.file is None:
        return LiveSound(context, options)
    return RecordedSound(context, options, options.file)


class _Mono:
    """Channels to one, with gain; counts what does not fit and what is not there."""

    def __init__(self, channel: int | None, gain: float) -> None:
        self.clipped = 0
        self.zeros = 0  # samples since the last that was not zero
        self._channel = channel
        self._gain = np.float32(gain)

    def mixed(self, data: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, channels) to (n,), which may go beyond [-1, 1]; what is not finite becomes 0."""
        mono = data[:, :2].mean(axis=1) if self._channel is None else data[:, self._channel]
        mono = np.nan_to_num(mono * self._gain, posinf=0.0, neginf=0.0)
        over = np.abs(mono) > 1
        self.clipped += int(over.sum())
        heard = np.flatnonzero(mono)
        self.zeros = len(mono) - 1 - int(heard[-1]) if len(heard) else self.zeros + len(mono)
        return np.asarray(mono, np.float32)


class LiveSound:
    """An input. A block's time comes from the count of samples, laid on the host's time along the
    lower envelope of the blocks' arrivals (`bindstream.clocks.device`)."""

    recorded = False

    def __init__(self, context: SourceContext, options: MicrophoneOptions) -> None:
        self._context = context
        self._capture = SoundCapture(context, options.device, options.channel)
        self._mono = _Mono(options.channel, options.gain)
        self._overflows = 0
        self._lost: SourceError | None = None

    def open(self) -> None:
        self._capture.open()
        rate_hz = self._capture.rate_hz
        self._clock: DeviceClock[Block] = DeviceClock(
            tick_ns=1e9 / rate_hz, window_s=60, late_s=LATE_S, settle_s=0.3
        )
        self._pieces = SoundPieces(rate_hz)
        self._block_end: tuple[int, int] | None = None  # sample count and host ns
        self._lost = None

    def read(self) -> list[Sample]:
        """The next samples; blocks for at most about 0.5 s.

        Raises:
            SourceError: the input is gone, or hangs.
        """
        if self._lost is not None:
            raise self._lost
        until_s = time.monotonic() + WAIT_S
        pieces: list[Piece] = []
        while not pieces and time.monotonic() < until_s:
            try:
                blocks = self._capture.read()
            except SourceError as error:
                pieces = [*self._settle(self._clock.flush()), *self._pieces.flush()]
                if not pieces:
                    raise
                self._lost = error  # once what came before it has been handed out
                break
            for block in blocks:
                pieces += self._take(block)
            if not pieces:
                time.sleep(POLL_S)
        return [self._sample(piece) for piece in pieces]

    def close(self) -> None:
        self._capture.close()

    def notes(self) -> dict[str, int]:
        rate_hz = self._capture.rate_hz or RATE_HZ
        return _notes(self._mono, rate_hz, {"overflows": self._overflows})

    def _take(self, block: Block) -> Iterator[Piece]:
        if block.lost:
            self._overflows += 1
            yield from self._settle(self._clock.restart("sound was lost to an overflow"))
        arrival_ns = self._context.clock.from_monotonic_ns(block.arrival_ns)
        yield from self._settle(self._clock.place(block.end, arrival_ns, block))

    def _settle(self, placed: list[Any]) -> Iterator[Piece]:
        for item in placed:
            size = len(item.item.data)
            before = self._block_end
            if before is None or item.gap or before[0] != item.tick - size:
                start_ns = item.host_ns - round(size * 1e9 / self._capture.rate_hz)
            else:
                start_ns = before[1]
            self._block_end = item.tick, item.host_ns
            mono = self._mono.mixed(item.item.data)
            yield from self._pieces.push(mono, start_ns, item.host_ns, item.gap)

    def _sample(self, piece: Piece) -> Sample:
        uncertainty_ns = max(self._clock.uncertainty_ns, LEAST_UNCERTAINTY_NS)
        return _sample(self._context, piece, uncertainty_ns)


class RecordedSound:
    """A file. The first sample was captured at the run's beginning."""

    recorded = True

    def __init__(self, context: SourceContext, options: MicrophoneOptions, path: Path) -> None:
        self._context = context
        self._options = options
        self._file = SoundFile(context, path)
        self._mono = _Mono(options.channel, options.gain)
        self._playback = Playback(context, options.speed)
        self._waiting: list[Piece] = []
        self._ended: Exception | None = None

    def open(self) -> None:
        self._file.open()
        channel = self._options.channel
        if channel is not None and channel >= self._file.channels:
            raise lost(
                self._context,
                f"{self._options.file} has no channel {channel}.",
                f"Choose from 0 to {self._file.channels - 1}.",
            )
        self._pieces = SoundPieces(self._file.rate_hz)
        self._taken = 0

    def read(self) -> list[Sample]:
        """The next sample, when it is due.

        Raises:
            EndOfStream: the recording is over.
            SourceError: it breaks off.
        """
        while not self._waiting:
            if self._ended is not None:
                raise self._ended
            self._waiting = self._more()
        piece = self._waiting[0]
        if not self._playback.wait_until_due(self._seconds(piece.end_ns), at_most_s=WAIT_S):
            return []
        return [_sample(self._context, self._waiting.pop(0), 0)]

    def close(self) -> None:
        self._playback.stop()
        self._file.close()

    def notes(self) -> dict[str, int]:
        return _notes(self._mono, self._file.rate_hz or RATE_HZ, {})

    def _seconds(self, capture_ns: int) -> float:
        return (capture_ns - self._playback.capture_ns(0)) / 1e9

    def _more(self) -> list[Piece]:
        try:
            data = self._file.read()
        except EndOfStream as end:
            if self._options.loop:
                self._file.rewind()
                return []
            self._ended = end
            return self._pieces.flush()
        except SourceError as error:  # after what is there
            self._ended = error
            return self._pieces.flush()
        start_s = self._taken / self._file.rate_hz
        self._taken += len(data)
        end_s = self._taken / self._file.rate_hz
        begin_ns, end_ns = self._playback.capture_ns(start_s), self._playback.capture_ns(end_s)
        return self._pieces.push(self._mono.mixed(data), begin_ns, end_ns)


def _sample(context: SourceContext, piece: Piece, uncertainty_ns: int) -> Sample:
    return Sample(
        stream=context.stream,
        modality=context.modality,
        data=piece.data,
        start_ns=piece.start_ns,
        end_ns=piece.end_ns,
        receive_ns=context.clock.now_ns(),
        uncertainty_ns=uncertainty_ns,
        clock=context.clock.id,
        gap=piece.gap,
    )


def _notes(mono: _Mono, rate_hz: int, others: dict[str, int]) -> dict[str, int]:
    """ "overflows" (sound lost before it got here), "clipped" samples, "silent s" (how long there
    has been nothing but zeros: muted, or unplugged)."""
    counts = {**others, "clipped": mono.clipped, "silent s": mono.zeros // rate_hz}
    return {name: count for name, count in counts.items() if count}
