"""What travels over ZeroMQ, as bytes and back. Hostile bytes raise `BusError`, nothing else.

An embedding is three frames: topic `emb.<modality>.<stream>`, a msgpack map (the header), and the
vector, raw little-endian. An alert is two: topic `alert.<query>` and a msgpack map. Schemas grow by
addition: a reader ignores keys it does not know; `v` rises only when old readers would go wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

import msgspec
import numpy as np

from bindstream.errors import BusError
from bindstream.records import Alert, Embedding, ModalityName

_T = TypeVar("_T")

VERSION = 1
HEADER_MOST = 64 * 1024
"""Bytes a header or an alert may have."""
DIM_MOST = 16384
NAME_MOST = 256
"""Characters the name of a stream or the fingerprint of a model may have."""
_INT64 = range(-(2**63), 2**63)
_DTYPES: dict[str, np.dtype[Any]] = {"f4": np.dtype("<f4"), "f2": np.dtype("<f2")}


class Header(msgspec.Struct, frozen=True):
    """Header of an embedding; times in UTC ns, see `bindstream.records.Embedding`."""

    v: int
    stream: Annotated[str, msgspec.Meta(max_length=NAME_MOST)]
    modality: ModalityName
    seq: int
    start_ns: int
    end_ns: int
    model: Annotated[str, msgspec.Meta(max_length=NAME_MOST)]
    dim: int
    dtype: str
    coverage: float = 1.0
    uncertainty_ns: int = 0
    clock: str = ""
    readings: dict[str, float] = {}
    stages: dict[str, int] = {}
    same_as: int | None = None
    offset_ns: int = 0


_header_decoder = msgspec.msgpack.Decoder(Header)
_map_decoder = msgspec.msgpack.Decoder(dict[str, Any])


def embedding_topic(modality: str, stream: str) -> str:
    return f"emb.{modality}.{stream}"


def encode_embedding(e: Embedding) -> list[bytes]:
    header = Header(
        v=VERSION,
        stream=e.stream,
        modality=e.modality,
        seq=e.seq,
        start_ns=e.start_ns,
        end_ns=e.end_ns,
        model=e.model,
        dim=len(e.vector),
        dtype="f4",
        coverage=e.coverage,
        uncertainty_ns=e.uncertainty_ns,
        clock=e.clock,
        readings=dict(e.readings),
        stages=dict(e.stages),
        same_as=e.same_as,
        offset_ns=e.offset_ns,
    )
    topic = embedding_topic(e.modality, e.stream).encode()
    return [topic, msgspec.msgpack.encode(header), e.vector.astype("<f4").tobytes()]


def decode_embedding(frames: Sequence[bytes]) -> Embedding:
    """The embedding in three frames.

    Raises:
        BusError: it is not one, names what is wrong.
    """
    if len(frames) != 3:
        raise BusError(f"an embedding has 3 frames, not {len(frames)}.")
    header = _decode(_header_decoder, frames[1])
    _check_version(header.v)
    for number in (header.seq, header.same_as or 0, header.uncertainty_ns, *header.stages.values()):
        if number not in _INT64:
            raise BusError(f"{number} is no number of 64 bits.")
    if not 0 <= header.coverage <= 1.001:  # NaN fails too; shares are rounded
        raise BusError(f"coverage {header.coverage!r} is no share.")
    for time_ns in (header.start_ns, header.end_ns):
        if time_ns not in _INT64 or time_ns + header.offset_ns not in _INT64:
            raise BusError(f"{time_ns} ns, {header.offset_ns} ns off, is beyond all time.")
    dtype = _DTYPES.get(header.dtype)
    if dtype is None:
        raise BusError(f"dtype {header.dtype!r} is none of {', '.join(_DTYPES)}.")
    if not 0 < header.dim <= DIM_MOST or len(frames[2]) != header.dim * dtype.itemsize:
        raise BusError(f"{len(frames[2])} bytes are no vector of {header.dim} × {header.dtype}.")
    vector = np.frombuffer(frames[2], dtype).astype(np.float32)
    norm = float(np.linalg.norm(vector.astype(np.float64)))  # large ones overflow float32
    if not 0.9 < norm < 1.1:  # NaN fails too
        raise BusError(f"a vector of length {norm:.3g} is not of unit length.")
    return Embedding(
        stream=header.stream,
        modality=header.modality,
        seq=header.seq,
        start_ns=header.start_ns,
        end_ns=header.end_ns,
        vector=vector,
        model=header.model,
        coverage=header.coverage,
        uncertainty_ns=header.uncertainty_ns,
        clock=header.clock,
        readings=header.readings,
        stages=header.stages,
        same_as=header.same_as,
        offset_ns=header.offset_ns,
    )


def encode_alert(alert: Alert) -> list[bytes]:
    message = {"v": VERSION, **msgspec.to_builtins(alert)}
    return [f"alert.{alert.query}".encode(), msgspec.msgpack.encode(message)]


def decode_alert(frames: Sequence[bytes]) -> Alert:
    """The alert in two frames.

    Raises:
        BusError: it is not one, names what is wrong.
    """
    if len(frames) != 2:
        raise BusError(f"an alert has 2 frames, not {len(frames)}.")
    message = _decode(_map_decoder, frames[1])
    _check_version(message.get("v"))
    try:
        alert = msgspec.convert(message, Alert)
    except msgspec.ValidationError as error:
        raise BusError(f"this is not an alert of ours: {error}.") from None
    parts = (time_ns for part in alert.parts for time_ns in (part.start_ns, part.end_ns))
    for time_ns in (alert.start_ns, alert.end_ns, alert.peak_ns, *alert.stages.values(), *parts):
        if time_ns not in _INT64:
            raise BusError(f"{time_ns} ns is beyond all time.")
    return alert


def decode(frames: Sequence[bytes]) -> Embedding | Alert:
    """Whatever these frames hold, by their topic.

    Raises:
        BusError: neither an embedding nor an alert.
    """
    topic = bytes(frames[0]) if frames else b""
    if topic.startswith(b"emb."):
        return decode_embedding(frames)
    if topic.startswith(b"alert."):
        return decode_alert(frames)
    raise BusError(f"topic {topic[:40]!r} is neither emb.* nor alert.*.")


def _check_version(version: object) -> None:
    if version != VERSION:
        raise BusError(f"wire version {version!r} is not {VERSION}.", fix="Update bindstream.")


def _decode(decoder: msgspec.msgpack.Decoder[_T], data: bytes) -> _T:
    if len(data) > HEADER_MOST:
        raise BusError(f"a header of {len(data)} bytes is over {HEADER_MOST}.")
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        raise BusError(f"this is not a message of ours: {error}.") from None
