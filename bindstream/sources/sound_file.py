"""Recorded sound: WAV, FLAC, OGG through libsndfile."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bindstream.errors import DataError, MissingPackageError, SourceError
from bindstream.features.audio import check_rate
from bindstream.sources import EndOfStream, SourceContext
from bindstream.sources.frames import lost

READ_S = 0.1
UNKNOWN_BYTES = 0x7FFF0000
"""Recorders that write to a pipe state more than this, for want of knowing."""
_WAV_DATA = re.compile(r"^data : (\d+) \(should be (\d+)\)", re.MULTILINE)


class SoundFile:
    """Reads one file, 0.1 s at a time."""

    def __init__(self, context: SourceContext, path: Path) -> None:
        self._context = context
        self._path = path.expanduser()
        self._file: Any = None
        self._read = 0
        self.rate_hz = 0
        self.channels = 0

    def open(self) -> None:
        """Read the header.

        Raises:
            SourceError: it is not there, is not sound, holds none, or states a rate that is none.
            MissingPackageError: soundfile is not installed.
        """
        soundfile = _soundfile()
        if not self._path.is_file():
            raise lost(self._context, f"there is no file {self._path}.", "Correct `file`.")
        try:
            self._file = soundfile.SoundFile(str(self._path))
        except (soundfile.LibsndfileError, OSError, TypeError) as error:
            raise self._refused(f"is not sound that can be read ({_words(error)})") from None
        self.rate_hz, self.channels = int(self._file.samplerate), int(self._file.channels)
        self._read = 0
        try:
            check_rate(self.rate_hz)
        except DataError as error:
            raise lost(self._context, f"{self._path}: {error.what}", error.fix) from None
        if not self._file.frames:
            raise self._refused("holds no sound")

    def read(self) -> NDArray[np.float32]:
        """The next (n, channels) float32.

        Raises:
            EndOfStream: that was all of it.
            SourceError: there should be more.
        """
        soundfile = _soundfile()
        try:
            block = self._file.read(round(READ_S * self.rate_hz), dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            at_s = self._read / self.rate_hz
            raise self._refused(f"breaks off at {at_s:.1f} s ({_words(error)})") from None
        self._read += len(block)
        if len(block):
            return np.asarray(block)
        if not self._read:
            raise self._refused("holds no sound")
        self._check_whole()
        raise EndOfStream

    def rewind(self) -> None:
        self._file.seek(0)
        self._read = 0

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None

    def _check_whole(self) -> None:
        """SourceError if the file says that it held more than there is."""
        missing = int(self._file.frames) - self._read
        told = _WAV_DATA.search(self._file.extra_info)
        if told and int(told[2]) < int(told[1]) < UNKNOWN_BYTES:
            share = (int(told[1]) - int(told[2])) / int(told[2])
            missing = round(share * self._read)
        if missing > 0:
            whole_s = (self._read + missing) / self.rate_hz
            raise self._refused(
                f"is truncated: {self._read / self.rate_hz:.1f} of {whole_s:.1f} s are there"
            )

    def _refused(self, what: str) -> SourceError:
        return lost(self._context, f"{self._path} {what}.", "Copy or convert it again.")


def _words(error: Exception) -> str:
    return str(getattr(error, "error_string", error)).strip().rstrip(".")


def _soundfile() -> Any:
    try:
        import soundfile
    except (ImportError, OSError) as error:
        raise MissingPackageError(
            f"sound files need soundfile ({error}).", fix="pip install 'bindstream[microphone]'"
        ) from None
    return soundfile
