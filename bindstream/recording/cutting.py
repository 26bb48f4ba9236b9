"""A part of a recording as one file of its own, with the very same Samples."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import msgspec

from bindstream.errors import RecordingError
from bindstream.recording.channels import Key, result_channels, sensor_channels
from bindstream.recording.chunks import numbers
from bindstream.recording.mcap_file import Message
from bindstream.recording.reading import Recording
from bindstream.recording.segment import Segment
from bindstream.recording.series import Total

CHUNK_BYTES = 2 * 2**20
CHUNK_NS = 10**9
"""A chunk ends when it holds so much, before compression, or so much time."""
FOR_EVER_NS = 1 << 64
"""No log time is as late."""


class _Piece(NamedTuple):
    """What is to stay together: messages with their channels, by the log time of the last."""

    log_ns: int
    messages: list[tuple[Key, Message]]
    about: dict[str, object]


def cut(
    recording: Recording,
    out: Path,
    from_ns: int | None = None,
    until_ns: int | None = None,
    streams: Collection[str] | None = None,
    told: Callable[[int], None] | None = None,
) -> dict[str, Total]:
    """Write what begins in a span to a new file; what of a damaged recording cannot be read is left
    out. Returns what the file holds of each stream.

    Args:
        out: the file; folders on the way to it that are not there are made.
        from_ns, until_ns: log times, UTC ns: from the first, before the second.
        streams: all if None. Alerts are of no one stream, and always in it.
        told: is given the log time that has been reached, now and then.

    Raises:
        RecordingError: there is no such stream, nothing in that span, or no room for it.
    """
    names = list(recording.streams) if streams is None else list(dict.fromkeys(streams))
    for name in names:
        recording.samples(name)  # which says what streams there are
    chosen = {name: recording.streams[name].modality for name in names}
    totals: dict[str, Total] = {}
    facts = {**recording.facts, "cut_of": recording.path.name}
    written = 0
    try:
        if not out.parent.exists():
            out.parent.mkdir(parents=True, exist_ok=True)
        segment = Segment(out, [*sensor_channels(chosen), *result_channels(chosen)], facts)
    except FileExistsError:
        raise RecordingError(
            "it is there already.", where=str(out), fix="Choose another name, or remove it."
        ) from None
    except OSError as error:
        raise RecordingError(f"it cannot be made: {error.strerror}.", where=str(out)) from None
    try:
        for piece in _pieces(recording, names, from_ns, until_ns):
            if not written:
                begun_ns = piece.log_ns
            for key, message in piece.messages:
                segment.add(key, message.log_ns, message.publish_ns, message.data)
            written += 1
            if piece.about:
                totals.setdefault(piece.messages[-1][0][1], Total()).add_said(piece.about)
            if segment.waiting_bytes >= CHUNK_BYTES or piece.log_ns - begun_ns >= CHUNK_NS:
                segment.flush()
                begun_ns = piece.log_ns
                if told is not None:
                    told(piece.log_ns)
        said = {name: msgspec.json.encode(asdict(total)).decode() for name, total in totals.items()}
        segment.close(said)
    except BaseException as error:  # Ctrl-C, too, leaves no half of it
        segment.abandon()
        out.unlink(missing_ok=True)
        if isinstance(error, OSError):
            why = error.strerror or error
            raise RecordingError(f"it cannot be written: {why}.", where=str(out)) from None
        raise
    if not written:
        out.unlink()
        raise RecordingError("there is nothing in that part of it.", where=str(recording.path))
    return totals


def _pieces(
    recording: Recording, names: Collection[str], from_ns: int | None, until_ns: int | None
) -> Iterator[_Piece]:
    """Everything wanted, by time; each channel's own in the order in which it was recorded."""
    roles = [(role, name) for name in names for role in ("sample", "vector", "accounts")]
    roles += [("alert", ""), ("log", "")]
    begin = 0 if from_ns is None else from_ns
    end = FOR_EVER_NS if until_ns is None else until_ns
    series = [_of(recording, role, name, begin, end) for role, name in roles]
    for piece in heapq.merge(*series, key=lambda piece: piece.log_ns):
        if begin <= piece.log_ns < end:
            yield piece


def _of(recording: Recording, role: str, stream: str, begin: int, end: int) -> Iterator[_Piece]:
    """The messages of a role in chunks that have any of the span; others are not read."""
    chunks = recording.chunks
    for file, place in chunks.places(role, stream):
        if place.end_ns < begin or place.start_ns >= end:
            continue
        if role == "sample":
            for part in chunks.parts(file, place, stream):
                data: list[tuple[Key, Message]] = [(("data", stream), m) for m in part.data]
                both = [*data, (("sample", stream), part.said)]
                yield _Piece(part.said.log_ns, both, part.about)
            continue
        messages = chunks.messages(file, place)
        wanted = numbers(file, role, stream)
        for message in messages:
            if message.channel in wanted:
                yield _Piece(message.log_ns, [((role, stream), message)], {})  # type: ignore[list-item]
