"""Files to model inputs: all of a file as windows, or the views the published code averages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from bindstream.clocks.host import Clock
from bindstream.errors import ConfigError, DataError
from bindstream.features import features_for
from bindstream.features.views import video_frames, views
from bindstream.features.vision import clip_crops
from bindstream.features.whole import model_inputs
from bindstream.modalities import MODALITIES
from bindstream.records import ModalityName, Window
from bindstream.sources import EndOfStream, Source, SourceContext
from bindstream.sources.camera import PICTURES
from bindstream.sources.options import SourceOptions
from bindstream.sources.raw16 import PICTURES_16
from bindstream.sources.registry import KINDS, open_source
from bindstream.sources.video import decoded, open_container, packets, rgb_picture
from bindstream.windows import Windower

Inputs = NDArray[np.float32]

SOUNDS = (
    ".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".m4a", ".aac",
)  # fmt: skip
VIDEOS = (".mp4", ".m4v", ".mkv", ".webm", ".mov", ".avi", ".mpg", ".mpeg")
"""Suffixes of files that hold sound alone, and of those that hold pictures too."""

_KIND_OF: dict[ModalityName, str] = {
    "vision": "camera",
    "audio": "microphone",
    "thermal": "thermal",
    "depth": "depth",
}
"""Which kind of source reads a modality's files, where its name is not the modality's own."""

_LIVE = {
    *("device", "url", "file", "folder", "gstreamer", "port", "serial"),
    *("baud", "format", "setup", "fourcc", "transport", "loop", "speed", "lateness_s"),
}
"""Options that say where readings come from, and how they come from there."""

START_NS = 3600 * 10**9
"""When recordings are taken to begin: any whole second after 1970 would do."""


def file_inputs(modality: ModalityName, file: Path) -> Iterator[Inputs]:
    """Model inputs of a file's windows, one by one.

    Sounds and pictures are taken whole (see `features.whole`); videos, 16-bit videos and motion
    logs are played through the same source, windows and features as live sensors.

    Raises:
        BindstreamError: the file cannot be read, or holds no window that can be used.
    """
    _check_there(file)
    suffix = file.suffix.lower()
    if modality == "audio" or (modality == "vision" and suffix in PICTURES):
        yield from model_inputs(modality, file)
    elif modality in ("thermal", "depth") and suffix in PICTURES_16:
        yield from model_inputs(modality, first_frame(modality, file))
    else:
        yield from _played(modality, file)


def file_views(modality: ModalityName, file: Path) -> Iterator[Inputs]:
    """Model inputs whose vectors' mean stands for the whole file, one by one.

    As ImageBind's published code looks at files: 3 clips of a sound, 5 clips in 3 crops of a video,
    a picture as it is (see `features.views`). Of thermal, depth and IMU files, for which there is
    no published code, the windows that `file_inputs` gives.

    Raises:
        BindstreamError: the file cannot be read, or is too short.
    """
    _check_there(file)
    if modality == "audio" or (modality == "vision" and file.suffix.lower() in PICTURES):
        yield from views(modality, file)
    elif modality == "vision":
        for frames in _video_clips(file):
            yield from clip_crops(frames)
    else:
        yield from file_inputs(modality, file)


def _check_there(file: Path) -> None:
    if file.is_dir():
        raise DataError("it is a folder.", where=str(file), fix=f"Give its files: {file}/*")
    if not file.is_file():
        raise DataError("there is no such file.", where=str(file))


def _context(modality: ModalityName, file: Path) -> SourceContext:
    return SourceContext(file.name, modality, Clock.read(), START_NS)


def open_recording(modality: ModalityName, file: Path) -> Source:
    """The source of a recording, opened, at any pace; its first reading comes at `START_NS`.

    Raises:
        BindstreamError: it cannot be read.
    """
    source = open_source(recording_options(modality, file), _context(modality, file))
    source.open()
    return source


def recording_options(
    modality: ModalityName, file: Path, live: SourceOptions | None = None
) -> SourceOptions:
    """Options of the source that plays a recording at any pace.

    Args:
        live: of a sensor that gave it: how it counts, which way is up and the like are taken over.

    Raises:
        ConfigError: such a sensor's recordings cannot be played so.
    """
    kind = _KIND_OF.get(modality, modality)
    known = KINDS[kind].options
    said = {} if type(live) is not known else live.model_dump(exclude_unset=True)
    kept = {key: value for key, value in said.items() if key not in _LIVE}
    try:
        return known.model_validate({**kept, "kind": kind, "file": file, "speed": "max"})
    except ValidationError as error:
        what = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(f"it cannot be played: {what}.", where=str(file)) from None


def first_frame(modality: ModalityName, file: Path) -> NDArray[Any]:
    """The first frame of a recording, or the picture itself, as its source gives it.

    Raises:
        BindstreamError: it cannot be read, or holds none.
    """
    source = open_recording(modality, file)
    try:
        while not (samples := source.read()):
            pass
        return samples[0].data
    except EndOfStream:
        raise DataError("the file holds no picture.", where=str(file)) from None
    finally:
        source.close()


def _played(modality: ModalityName, file: Path) -> Iterator[Inputs]:
    source = open_recording(modality, file)
    windower = Windower(file.name, modality)
    features = features_for(modality, file.name)
    why = f"it is shorter than a window ({MODALITIES[modality].window_s:g} s)"
    used = 0
    try:
        for window in _windows(source, windower):
            window = features.push(window)
            if window.void:
                why = window.void
                continue
            used += 1
            yield window.data
    finally:
        source.close()
    if not used:
        raise DataError(f"no window can be used: {why}.", where=str(file))


def _windows(source: Source, windower: Windower) -> Iterator[Window]:
    try:
        while True:
            for sample in source.read():
                yield from windower.push(sample)
    except EndOfStream:
        yield from windower.flush()


def _video_clips(file: Path) -> list[NDArray[np.uint8]]:
    """The (2, H, W, 3) first and last frame of each clip of a video file, unscaled."""
    context = _context("vision", file)
    with open_container(context, str(file), str(file)) as container:
        stream = container.streams.video[0]
        rate_hz = float(stream.average_rate or stream.guessed_rate or 25)
        count = sum(bool(packet.size) for packet in packets(context, container, stream, str(file)))
    while True:
        clips = video_frames(count, rate_hz)
        taken, there = _frames(context, file, {place for clip in clips for place in clip})
        if there == count:
            return [np.stack([taken[first], taken[last]]) for first, last in clips]
        count = there  # packets need not be frames: some hold none, some cannot be decoded


def _frames(
    context: SourceContext, file: Path, places: set[int]
) -> tuple[dict[int, NDArray[np.uint8]], int]:
    """The frames at `places` by place, and how many frames the file has."""
    picture = rgb_picture(None)
    taken: dict[int, NDArray[np.uint8]] = {}
    count = 0
    with open_container(context, str(file), str(file)) as container:
        for packet in packets(context, container, container.streams.video[0], str(file)):
            for frame in decoded(packet)[0]:
                if count in places:
                    taken[count] = picture(frame)
                count += 1
    return taken, count
