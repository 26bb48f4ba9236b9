"""Recordings that streams play: whether they hold what is asked of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bindstream.config.paths import resolved
from bindstream.config.places import Problem
from bindstream.config.schema import StreamConfig
from bindstream.errors import MissingPackageError, RecordingError
from bindstream.sources.recording import RecordingOptions, misfit

if TYPE_CHECKING:
    from bindstream.recording import Recording


def recording_problems(
    streams: Iterable[tuple[int, StreamConfig]], folder: Path
) -> Iterator[Problem]:
    """What keeps streams from playing the recordings that they name.

    One that is not there is a problem of its own. Each is opened once; of one that was closed the
    index is read, and nothing else.

    Args:
        streams: with their places in the configuration.
        folder: that of the file, from which a relative path starts.
    """
    opened: dict[Path, Recording | RecordingError | MissingPackageError] = {}
    for i, stream in streams:
        if not isinstance(stream.source, RecordingOptions):
            continue
        source = resolved(stream.source, folder)
        if not os.path.exists(source.path):
            continue
        if source.path not in opened:
            opened[source.path] = _opened(source.path)
        found = opened[source.path]
        where = ("streams", i, "source")
        if isinstance(found, MissingPackageError):
            yield where, found.what.rstrip("."), found.fix, "warning"
        elif isinstance(found, RecordingError):
            yield (*where, "path"), found.what.rstrip("."), found.fix, "error"
        else:
            yield from _of_stream(found, i, stream, source)


def _opened(path: Path) -> Recording | RecordingError | MissingPackageError:
    """A recording, let go of again, or why it is none."""
    from bindstream.recording import Recording

    try:
        with Recording(path) as recording:
            return recording
    except (RecordingError, MissingPackageError) as error:
        return error


def _of_stream(
    recording: Recording, i: int, stream: StreamConfig, source: RecordingOptions
) -> Iterator[Problem]:
    where = ("streams", i, "source")
    wrong = misfit(recording, source, stream.name, stream.modality)
    if wrong is not None:
        key = "path" if wrong.key == "stream" and source.stream is None else wrong.key
        place = ("streams", i, key) if key == "modality" else (*where, key)
        yield place, wrong.what, wrong.fix, "error"
        return
    name = source.stream or stream.name
    if not recording.streams[name].samples:
        others = [each.name for each in recording.streams.values() if each.samples]
        fix = f"Of these there are readings: {', '.join(others)}." if others else "Choose another."
        yield (*where, "path"), f"{source.path} holds no readings of {name!r}", fix, "error"
