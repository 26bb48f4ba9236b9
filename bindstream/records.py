"""The five records that travel: Sample, Window, Embedding, Score, Alert.

All are frozen. Times are UTC nanoseconds of *capture* (see `bindstream.clocks`) unless the name
says otherwise; `receive_ns` is when the host got the data and is never mixed with capture times.
`stages` maps a stage's name to the nanosecond, on the run's clock, at which the stage was done with
the item.

`clock` names the clock that stamped a record: that of the host its sensor hangs on. `offset_ns` is
what has to be added to its times to be on the run's clock (0 on the run's own host; measured by
`bindstream.clocks.exchange` elsewhere); `on_run_clock` does that, and whoever compares streams
compares what came out of it. `uncertainty_ns` is how far the times may lie from the truth on the
run's clock: delays of the sensor that cannot be told, and on another host the doubt of the offset,
added up, since either may be all one-sided. How far the run's own clock may lie from UTC is the
same for every stream and is not in it: that is `Clock.uncertainty_ns`, to be added where true time
of day is asked for.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

ModalityName = Literal["vision", "audio", "thermal", "depth", "imu", "text"]
Stages = Mapping[str, int]
Readings = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Sample:
    """What a source read at one go: one frame, or a run of consecutive readings.

    `data` by modality: vision (H, W, 3) uint8 RGB; audio (n,) float32 in [-1, 1] at 16 kHz;
    thermal (H, W) float32 °C; depth (H, W) float32 metres (0 or NaN = no reading);
    imu (n, 6) float32, accelerometer xyz in m/s² with gravity then gyroscope xyz in rad/s.

    `start_ns` is the capture time of the first reading, `end_ns` the end of the last one
    (for a frame both are the capture time). `times_ns` holds one capture time a reading for
    imu, (n,) int64; None elsewhere: evenly spaced from `start_ns` to `end_ns`.
    `gap` says why readings are missing right before this sample ("" = none are).
    """

    stream: str
    modality: ModalityName
    data: NDArray[Any]
    start_ns: int
    end_ns: int
    receive_ns: int
    uncertainty_ns: int = 0
    clock: str = "host"
    times_ns: NDArray[np.int64] | None = None
    gap: str = ""
    offset_ns: int = 0


@dataclass(frozen=True, slots=True)
class Window:
    """One interval [start_ns, end_ns) of a stream, cut in event time.

    As cut, `data` holds the raw readings (see `bindstream.windows`); after the features stage it
    holds the model input of the modality (see `bindstream.modalities`). `coverage` is the share of
    the interval that was really observed, `gaps` the intervals that were not. `void` says why a
    window must not be embedded ("" = it may). `readings` are physical values that an embedding
    would lose, such as `max_c`, in the unit of the name's suffix. `same_as` is the number of an
    earlier window whose vector may stand for this one (see `bindstream.gate`), None if this one is
    to be embedded; `data` is then still raw.
    """

    stream: str
    modality: ModalityName
    seq: int
    start_ns: int
    end_ns: int
    data: NDArray[Any]
    coverage: float
    uncertainty_ns: int = 0
    clock: str = "host"
    gaps: tuple[tuple[int, int], ...] = ()
    times_ns: NDArray[np.int64] | None = None
    void: str = ""
    readings: Readings = field(default_factory=dict)
    stages: Stages = field(default_factory=dict)
    same_as: int | None = None
    offset_ns: int = 0


@dataclass(frozen=True, slots=True)
class Embedding:
    """A window's place in the joint space: `vector` is (dim,) float32 of unit length.

    `model` is the fingerprint of weights and preprocessing; vectors of different fingerprints are
    never compared. `same_as` is the number of the window that the vector was computed of, where
    that is an earlier one because hardly anything had changed; None where it is this one.
    """

    stream: str
    modality: ModalityName
    seq: int
    start_ns: int
    end_ns: int
    vector: NDArray[np.float32]
    model: str
    coverage: float = 1.0
    uncertainty_ns: int = 0
    clock: str = "host"
    readings: Readings = field(default_factory=dict)
    stages: Stages = field(default_factory=dict)
    same_as: int | None = None
    offset_ns: int = 0


_Stamped = TypeVar("_Stamped", Sample, Embedding)


def on_run_clock(record: _Stamped) -> _Stamped:
    """The record with its times on the run's clock; the very same one where they are already."""
    by_ns = record.offset_ns
    if not by_ns:
        return record
    start_ns, end_ns = record.start_ns + by_ns, record.end_ns + by_ns
    if isinstance(record, Embedding):
        return dataclasses.replace(record, start_ns=start_ns, end_ns=end_ns, offset_ns=0)
    return dataclasses.replace(
        record,
        start_ns=start_ns,
        end_ns=end_ns,
        receive_ns=record.receive_ns + by_ns,
        times_ns=None if record.times_ns is None else record.times_ns + by_ns,
        offset_ns=0,
    )


@dataclass(frozen=True, slots=True)
class Part:
    """What one window added to a rule over several queries: `log_odds` in nats (see
    `bindstream.combine.odds`)."""

    query: str
    stream: str
    modality: ModalityName
    start_ns: int
    end_ns: int
    log_odds: float


@dataclass(frozen=True, slots=True)
class Score:
    """How well one window answers one query.

    `cosine` is the raw cosine to the query in [-1, 1]; `value` the cosine less its contrast with
    negatives and background; `share` in [0, 1] how likely the query is among itself and its
    contrast (1 without any); `z` the value in robust standard deviations above this stream's own
    background (NaN while that background is still being learned). `per_hour` is how many events
    an hour of that background reach so high (NaN while unknown, infinite for what it often does).
    `parts` says what the score of a rule over several queries was made of.
    """

    query: str
    stream: str
    modality: ModalityName
    seq: int
    start_ns: int
    end_ns: int
    cosine: float
    value: float
    z: float
    share: float = 1.0
    per_hour: float = math.nan
    readings: Readings = field(default_factory=dict)
    stages: Stages = field(default_factory=dict)
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Alert:
    """An event that answers a query: announced when it starts, and again when it has ended.

    Both announcements share `id`. `start_ns` and `end_ns` bound the windows that answered
    (`end_ns` grows until state is "ended"); `peak_*` describe the window of the highest z; `on`
    and `off` are the levels of `z` that were in force; `scores` holds the z of each window, oldest
    first; `promise` says what is promised of false alarms at that level. `nearest` are the texts
    that the query was held against, nearest to the peak first, with their cosines; `shows` what the
    sensor shows there in the words that the model and the queries have, with their shares (see
    `bindstream.explaining`). `evidence` is the folder with what the sensor gave, on the stream's
    host ("" if none is kept).

    An alert of a rule has the rule's id as its `query`, and `measure` says what its `peak_z`, `on`,
    `off` and `scores` are instead of z: "log_odds" (nats; `parts` are the windows that it is made
    of, `stream` is that of the one which was
    strongest when it began), a reading such as "max_c", or "silent_s".
    """

    id: str
    query: str
    text: str
    state: Literal["started", "ended"]
    stream: str
    modality: ModalityName
    start_ns: int
    end_ns: int
    peak_ns: int
    peak_z: float
    peak_cosine: float
    on: float
    off: float
    scores: tuple[float, ...]
    model: str
    peak_share: float = 1.0
    promise: str = ""
    readings: Readings = field(default_factory=dict)
    stages: Stages = field(default_factory=dict)
    nearest: tuple[tuple[str, float], ...] = ()
    shows: tuple[tuple[str, float], ...] = ()
    evidence: str = ""
    measure: str = "z"
    parts: tuple[Part, ...] = ()
