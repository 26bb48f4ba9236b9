"""Vectors, alerts and accounts as messages and back."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from bindstream.accounts import Accounts
from bindstream.recording.samples import plain, stated
from bindstream.recording.schemas import message_class
from bindstream.records import Alert, Embedding


def encode_embedding(embedding: Embedding) -> bytes:
    """A vector as JSON: little-endian float32 in base64, so that its numbers stay exact."""
    numbers = np.ascontiguousarray(embedding.vector, "<f4").tobytes()
    said = {
        field.name: plain(getattr(embedding, field.name))
        for field in dataclasses.fields(embedding)
        if field.name != "vector"
    }
    return msgspec.json.encode({**said, "vector": base64.b64encode(numbers).decode()})


def decode_embedding(data: bytes) -> Embedding:
    """The vector in a message.

    Raises:
        Exception: it is none (of whichever kind the decoders give).
    """
    said = msgspec.json.decode(data)
    vector = np.frombuffer(base64.b64decode(said["vector"]), "<f4").astype(np.float32)
    return Embedding(vector=vector, **stated(Embedding, said, ("vector",)))


def encode_alert(alert: Alert) -> bytes:
    return msgspec.json.encode(plain(alert))


def decode_alert(data: bytes) -> Alert:
    """The alert in a message.

    Raises:
        Exception: it is none (of whichever kind the decoders give).
    """
    return Alert(**stated(Alert, msgspec.json.decode(data)))


def log_of(alert: Alert, log_ns: int) -> bytes:
    """An alert as a line of a log: a warning when it starts, information when it has ended."""
    kind = message_class("foxglove.Log")
    began = alert.state == "started"
    message = kind(
        level=kind.WARNING if began else kind.INFO,
        message=f"{alert.text} {'' if began else 'ended '}"
        f"({alert.stream}, {alert.measure} {alert.peak_z:.1f})",
        name=alert.query,
    )
    message.timestamp.FromNanoseconds(log_ns)
    return bytes(message.SerializeToString())


def encode_accounts(accounts: Accounts) -> bytes:
    """Accounts with what is pending, which follows from the rest."""
    return msgspec.json.encode(plain(accounts.plain()))


def decode_accounts(data: bytes) -> Mapping[str, Any]:
    """Accounts as plain data; numbers only, and what was dropped by its reason.

    Raises:
        Exception: they are none (of whichever kind the decoders give).
    """
    return msgspec.json.decode(data, type=dict[str, int | float | dict[str, int]])


def happened_ns(alert: Alert) -> int:
    """When what an alert tells of happened, as a log files it: its start, or its end, UTC ns."""
    at_ns = alert.start_ns if alert.state == "started" else alert.end_ns
    return max(at_ns, 0)
