"""The channels of a recording: which topics each stream has, and of which schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from bindstream.recording.samples import SCHEMAS
from bindstream.records import ModalityName

Role = Literal["data", "sample", "vector", "accounts", "alert", "log"]
"""data: a Sample's readings for others to show. sample: the rest of it. log: alerts as lines."""
Key = tuple[Role, str]
"""A channel's role and stream ("" for what is of no one stream)."""


class Channel(NamedTuple):
    """One channel; `modality` is that of its stream ("" without one)."""

    role: Role
    stream: str
    modality: str
    topic: str
    schema: str

    @property
    def key(self) -> Key:
        return self.role, self.stream


def sensor_channels(streams: Mapping[str, ModalityName]) -> list[Channel]:
    """Those that hold what sensors gave."""
    return [
        channel
        for stream, modality in streams.items()
        for channel in (
            Channel("data", stream, modality, f"/{stream}", SCHEMAS[modality]),
            Channel("sample", stream, modality, f"/{stream}/sample", "bindstream.Sample"),
        )
    ]


def result_channels(streams: Mapping[str, ModalityName]) -> list[Channel]:
    """Those that hold what was made of it: vectors, accounts and alerts."""
    of_streams = [
        channel
        for stream, modality in streams.items()
        for channel in (
            Channel("vector", stream, modality, f"/{stream}/vector", "bindstream.Embedding"),
            Channel("accounts", stream, modality, f"/{stream}/accounts", "bindstream.Accounts"),
        )
    ]
    # No stream's own topics can be these: they have one name less, or another last one.
    return [
        *of_streams,
        Channel("alert", "", "", "/bindstream/alerts", "bindstream.Alert"),
        Channel("log", "", "", "/bindstream/log", "foxglove.Log"),
    ]
