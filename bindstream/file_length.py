"""How long a recording is, without playing it."""

from __future__ import annotations

from pathlib import Path

from bindstream.config.schema import StreamConfig
from bindstream.modalities import MODALITIES


def windows_in(stream: StreamConfig, file: Path) -> int | None:
    """About how many windows of a stream a recording holds, by what its head says; None where that
    says nothing (motion logs, folders of pictures) or cannot be read. Blocks for the disk."""
    length_s = _sound_s(file) if stream.modality == "audio" else _film_s(file)
    if length_s is None or not 0 < length_s < 1e9:
        return None
    usual = MODALITIES[stream.modality]
    window_s, hop_s = stream.window_s or usual.window_s, stream.hop_s or usual.hop_s
    return max(int((length_s - window_s) / hop_s) + 1, 0) or None


def _sound_s(file: Path) -> float | None:
    try:
        import soundfile

        return float(soundfile.info(file).duration)
    except (ImportError, OSError, RuntimeError):  # the player says what is wrong with it
        return None


def _film_s(file: Path) -> float | None:
    try:
        import av
        import av.error
    except ImportError:
        return None
    try:
        with av.open(file) as film:
            return None if film.duration is None else film.duration / 1e6
    except (av.error.FFmpegError, OSError, ValueError):
        return None
