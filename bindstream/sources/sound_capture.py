"""Live sound through PortAudio: finding inputs, opening, noticing when one is gone, closing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import structlog

from bindstream.errors import MissingPackageError, SourceError
from bindstream.sources import SourceContext
from bindstream.sources.frames import lost
from bindstream.sources.sound_ring import Block, SoundRing

BLOCK_S = 0.02
RING_S = 5.0
FIRST_S = 2.0
"""An input that was opened sends its first block within so long."""
SILENCE_S = 1.2
"""An input that sends no block for so long hangs; PortAudio itself does not say so."""
CLOSE_S = 1.0
"""Closing an input that hangs may take for ever: it is left to a thread after so long."""
LOCK_S = 3.0
OTHER_RATES_HZ = (48000, 44100, 16000)

log = structlog.get_logger(__name__)

_portaudio = threading.Lock()  # PortAudio opens and closes for one thread at a time
_open: set[int] = set()  # streams that are open, or hang in closing, by id


class SoundCapture:
    """One input, opened at its own rate.

    Args:
        device: part of its name, or its index; None: the system's default.
        channel: one channel, from 0; None opens the first two (or the only one).
    """

    def __init__(
        self, context: SourceContext, device: int | str | None, channel: int | None
    ) -> None:
        self._context = context
        self._device = device
        self._channel = channel
        self._stream: Any = None
        self._finished = threading.Event()
        self._ring = SoundRing(1, 1)
        self._heard_s = 0.0
        self.name = ""
        self.rate_hz = 0

    def open(self) -> None:
        """Blocks until the first sound is there.

        Raises:
            SourceError: there is no such input (names those there are), or it does not start.
            MissingPackageError: sounddevice or PortAudio is not installed.
        """
        sd = _sounddevice()
        if not _portaudio.acquire(timeout=LOCK_S):
            raise lost(self._context, "PortAudio hangs.", "Restart the sound server.")
        try:
            if not _open:  # what it knows of devices may be stale, and is only renewed so
                sd._terminate()
                sd._initialize()
            index, name, channels, rates = self._find(sd)
            self.name = name
            self._stream = self._start(sd, index, channels, rates)
            _open.add(id(self._stream))
        finally:
            _portaudio.release()
        until_s = time.monotonic() + FIRST_S
        while not self._ring.written:
            if time.monotonic() > until_s:
                raise self._lost(f"sends nothing for {FIRST_S:g} s")
            time.sleep(0.01)
        self._heard_s = time.monotonic()

    def read(self) -> list[Block]:
        """Blocks since the last call; [] when there are none. Does not block.

        Raises:
            SourceError: the input is gone, or hangs.
        """
        blocks = self._ring.read(self.rate_hz)
        if blocks:
            self._heard_s = time.monotonic()
        elif self._finished.is_set():
            raise self._lost("was closed by the sound system")
        elif time.monotonic() - self._heard_s > SILENCE_S:
            raise self._lost(f"sends nothing for {SILENCE_S:g} s")
        return blocks

    def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is None:
            return
        closing = threading.Thread(target=_close, args=(stream,), name="sound-close", daemon=True)
        closing.start()
        closing.join(CLOSE_S)
        if closing.is_alive():
            log.warning("an input hangs in closing", stream=self._context.stream, input=self.name)

    def _find(self, sd: Any) -> tuple[int, str, int, list[int]]:
        """The input's index, its name, how many channels to open and at which rates to try."""
        inputs = [
            (int(d["index"]), d) for d in sd.query_devices() if int(d["max_input_channels"]) > 0
        ]
        chosen = self._chosen(inputs, sd.default.device[0])
        if len(chosen) != 1:
            there = ", ".join(f"{i} {d['name']!r}" for i, d in chosen or inputs)
            wanted = "default input" if self._device is None else f"input {self._device!r}"
            what = f"there is no {wanted}." if not chosen else f"{wanted} is not the only one."
            fix = f"There are: {there}." if there else "There is no input at all: plug one in."
            raise lost(self._context, what, fix)
        index, device = chosen[0]
        most = int(device["max_input_channels"])
        if self._channel is not None and self._channel >= most:
            raise lost(
                self._context,
                f"input {device['name']!r} has no channel {self._channel}.",
                f"Choose from 0 to {most - 1}.",
            )
        channels = min(most, 2) if self._channel is None else self._channel + 1
        rates = [round(device["default_samplerate"]), *OTHER_RATES_HZ]
        return index, str(device["name"]), channels, list(dict.fromkeys(rates))

    def _chosen(self, inputs: list[tuple[int, Any]], default: int) -> list[tuple[int, Any]]:
        wanted = default if self._device is None else self._device
        if isinstance(wanted, int):
            return [(i, d) for i, d in inputs if i == wanted]
        by_name = [(i, d, str(d["name"]).casefold()) for i, d in inputs]
        exact = [(i, d) for i, d, name in by_name if name == wanted.casefold()]
        return exact or [(i, d) for i, d, name in by_name if wanted.casefold() in name]

    def _start(self, sd: Any, index: int, channels: int, rates: list[int]) -> Any:
        """The input, opened at the first of `rates` that it takes, and running."""
        error: Exception = ValueError("no rate")
        for rate_hz in rates:
            ring = SoundRing(round(RING_S * rate_hz), channels)
            finished = threading.Event()
            stream: Any = None
            try:
                stream = sd.InputStream(
                    device=index,
                    samplerate=rate_hz,
                    channels=channels,
                    dtype="float32",
                    blocksize=round(BLOCK_S * rate_hz),
                    latency="high",
                    callback=_callback(ring),
                    finished_callback=finished.set,
                )
                stream.start()
            except (sd.PortAudioError, ValueError) as refused:
                error = refused
                if stream is not None:
                    stream.close(ignore_errors=True)
                continue
            self._ring, self._finished, self.rate_hz = ring, finished, rate_hz
            return stream
        raise self._lost(f"cannot be opened ({error})")

    def _lost(self, what: str) -> SourceError:
        return lost(
            self._context, f"input {self.name!r} {what}.", "Check its plug and the sound server."
        )


def _callback(ring: SoundRing) -> Callable[..., None]:
    def callback(data: Any, _: int, times: Any, status: Any) -> None:
        ring.write(data, times.currentTime - times.inputBufferAdcTime, status.input_overflow)

    return callback


def _close(stream: Any) -> None:
    with _portaudio:
        try:
            stream.abort()
            stream.close()
        except Exception as error:  # it is gone one way or the other
            log.debug("closing failed", error=str(error))
        finally:
            _open.discard(id(stream))


def _sounddevice() -> Any:
    try:
        import sounddevice
    except ImportError as error:
        raise MissingPackageError(
            f"microphones need sounddevice ({error}).", fix="pip install 'bindstream[microphone]'"
        ) from None
    except OSError as error:  # the package is there, its library is not
        raise MissingPackageError(
            f"microphones need PortAudio ({error}).", fix="apt-get install libportaudio2"
        ) from None
    return sounddevice
