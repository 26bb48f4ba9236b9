"""What is in a recording, in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from bindstream.recording.reading import Recording


@dataclass
class StreamSummary:
    """One stream; times are of capture on the run's clock, UTC ns.

    `rate_hz` is of Samples: pictures, or pieces of sound and motion; `readings` counts single
    values of sound and rows of motion. `lost` are those that were not recorded or cannot be read.
    `data_bytes` are its messages before compression; `shape` is
    its first Sample's.
    """

    modality: str
    start_ns: int
    end_ns: int
    samples: int
    gaps: int
    lost: int
    readings: int = 0
    shape: tuple[int, ...] = ()
    codecs: list[str] = field(default_factory=list)
    data_bytes: int = 0
    vectors: int = 0

    @property
    def duration_s(self) -> float:
        return max(self.end_ns - self.start_ns, 0) / 1e9

    @property
    def rate_hz(self) -> float:
        return self.samples / self.duration_s if self.duration_s else 0.0


@dataclass(frozen=True)
class Summary:
    """A whole recording; `accounts` are by stream, as they stood last, from the run's beginning on:
    of a part, too. `alerts` are announcements, of which `alerts_begun` are of beginnings.
    `being_written` are the names of files that a recorder had not closed yet.
    """

    path: str
    files: int
    disk_bytes: int
    start_ns: int
    end_ns: int
    facts: Mapping[str, str]
    streams: Mapping[str, StreamSummary]
    alerts: int
    accounts: Mapping[str, Mapping[str, Any]]
    damage: tuple[str, ...]
    being_written: tuple[str, ...] = ()
    alerts_begun: int = 0

    def plain(self) -> dict[str, Any]:
        """As JSON says it; the configuration is left out."""
        said: dict[str, Any] = msgspec.to_builtins(self)
        said["facts"].pop("config", None)
        for name, stream in self.streams.items():
            said["streams"][name] |= {"duration_s": stream.duration_s, "rate_hz": stream.rate_hz}
        return said


def summarise(recording: Recording, told: Callable[[int], None] | None = None) -> Summary:
    """Reads all of it, about 200 MB a second.

    Args:
        told: is given the bytes of each chunk that was read.
    """
    streams = {
        name: StreamSummary(
            each.modality, each.start_ns, each.end_ns, each.samples, each.gaps, each.lost
        )
        for name, each in recording.streams.items()
    }
    read, states = Counter[str](), Counter[str]()
    for tag, message in recording.messages(told):
        stream = streams.get(tag.stream)
        if tag.role == "alert":
            states[_state(message.data)] += 1
        if stream is None:
            continue
        stream.vectors += tag.role == "vector"
        if tag.role in ("data", "sample"):
            stream.data_bytes += len(message.data)
        if tag.role == "sample":
            read[tag.stream] += 1
            _see(stream, message.data)
    for name, stream in streams.items():
        stream.lost += max(stream.samples - read[name], 0)  # in chunks that are damaged
        stream.samples = read[name]
    return Summary(
        path=str(recording.path),
        files=len(recording.files),
        disk_bytes=recording.disk_bytes,
        start_ns=recording.start_ns,
        end_ns=recording.end_ns,
        facts=dict(recording.facts),
        streams=streams,
        alerts=states.total(),
        alerts_begun=states["started"],
        accounts=recording.accounts(),
        damage=tuple(recording.damage),
        being_written=tuple(path.name for path in recording.being_written),
    )


class _Announced(msgspec.Struct):
    state: str = ""


def _state(said: bytes) -> str:
    """Whether an announcement is of a beginning or an end; "" if it cannot be read."""
    try:
        return msgspec.json.decode(said, type=_Announced).state
    except msgspec.MsgspecError:
        return ""


class _About(msgspec.Struct):
    codec: str = ""
    shape: tuple[int, ...] = ()


def _see(stream: StreamSummary, said: bytes) -> None:
    try:
        about = msgspec.json.decode(said, type=_About)
    except msgspec.MsgspecError:
        return  # which is said where it is read
    if about.codec not in stream.codecs:
        stream.codecs.append(about.codec)
    stream.shape = stream.shape or about.shape
    if stream.modality in ("audio", "imu"):
        stream.readings += about.shape[0] if about.shape else 0
