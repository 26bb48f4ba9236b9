"""The wire: what is sent arrives as it was, and bytes of any other kind raise BusError alone."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindstream.errors import BusError
from bindstream.modalities import SENSORS
from bindstream.records import Alert, Embedding, Part
from bindstream.wire import (
    DIM_MOST,
    HEADER_MOST,
    VERSION,
    decode,
    decode_alert,
    decode_embedding,
    encode_alert,
    encode_embedding,
)

times = st.integers(0, 2**62)
names = st.text("az09_-", min_size=1, max_size=64)
numbers = st.floats(allow_nan=False)
readings = st.dictionaries(st.text(max_size=20), numbers, max_size=4)
stages = st.dictionaries(st.text(max_size=20), times, max_size=4)
phrases = st.lists(st.tuples(st.text(max_size=300), numbers), max_size=5).map(tuple)


def unit(dim: int, seed: int) -> np.ndarray:
    vector = np.random.default_rng(seed).standard_normal(dim)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


embeddings = st.builds(
    Embedding,
    stream=names,
    modality=st.sampled_from(SENSORS),
    seq=st.integers(0, 2**40),
    start_ns=times,
    end_ns=times,
    vector=st.builds(unit, st.sampled_from([1, 7, 256, 1024]), st.integers(0, 9)),
    model=st.text(max_size=70),
    coverage=st.floats(0, 1),
    uncertainty_ns=times,
    clock=st.text(max_size=40),
    readings=readings,
    stages=stages,
    same_as=st.none() | st.integers(0, 2**40),
    offset_ns=st.integers(-(2**40), 2**40),
)
alerts = st.builds(
    Alert,
    id=st.text(max_size=40),
    query=names,
    text=st.text(max_size=300),
    state=st.sampled_from(["started", "ended"]),
    stream=names,
    modality=st.sampled_from(SENSORS),
    start_ns=times,
    end_ns=times,
    peak_ns=times,
    peak_z=numbers,
    peak_cosine=numbers,
    on=numbers,
    off=numbers,
    scores=st.lists(numbers, max_size=120).map(tuple),
    model=st.text(max_size=70),
    readings=readings,
    stages=stages,
    nearest=phrases,
    shows=phrases,
    evidence=st.text(max_size=200),
)
EMBEDDING = Embedding("door", "vision", 7, 10, 20, unit(32, 0), "m1", readings={"max_c": 81.5})
ALERT = Alert(
    "q/door/10", "q", "a dog", "started", "door", "vision", 10, 20, 15, 6.5, 0.3, 5, 3, (6.5,), "m1"
)


@settings(max_examples=30, deadline=None)
@given(embeddings)
def test_an_embedding_arrives_as_it_was_sent(sent: Embedding) -> None:
    frames = encode_embedding(sent)
    assert frames[0] == f"emb.{sent.modality}.{sent.stream}".encode()
    got = decode(frames)
    assert isinstance(got, Embedding)
    np.testing.assert_array_equal(got.vector, sent.vector)
    assert got.vector.dtype == np.float32
    for name in set(Embedding.__dataclass_fields__) - {"vector"}:
        assert getattr(got, name) == getattr(sent, name), name


@settings(max_examples=30, deadline=None)
@given(alerts)
def test_an_alert_arrives_as_it_was_sent(sent: Alert) -> None:
    frames = encode_alert(sent)
    assert frames[0] == f"alert.{sent.query}".encode()
    assert decode(frames) == sent


def test_an_alert_of_a_rule_arrives_with_its_parts() -> None:
    part = Part("glass", "mic", "audio", 10, 20, 4.5)
    sent = dataclasses.replace(ALERT, measure="log_odds", parts=(part, part))
    assert decode_alert(encode_alert(sent)) == sent


def test_the_vector_is_little_endian_float32_whatever_the_host_computes_in() -> None:
    for kind in ("<f4", ">f4", "<f8", "<f2"):
        sent = Embedding("door", "vision", 0, 0, 1, np.asarray([0, 1], kind), "m")
        assert encode_embedding(sent)[2] == b"\0\0\0\0\0\0\x80\x3f"


def test_a_message_of_before_vectors_were_reused_is_read() -> None:
    assert decode_embedding(headed(same_as=None)).same_as is None
    assert "same_as" not in msgspec.msgpack.decode(headed(same_as=None)[1])


def test_a_message_of_before_hosts_were_compared_is_on_the_runs_clock() -> None:
    assert decode_embedding(headed(offset_ns=None)).offset_ns == 0


def test_half_precision_vectors_are_read() -> None:
    frames = headed(dtype="f2")
    frames[2] = EMBEDDING.vector.astype("<f2").tobytes()
    got = decode_embedding(frames)
    np.testing.assert_allclose(got.vector, EMBEDDING.vector, atol=1e-3)
    assert got.vector.dtype == np.float32


def headed(**changes: Any) -> list[bytes]:
    """The frames of an embedding whose header is changed; None takes a key away."""
    frames = encode_embedding(EMBEDDING)
    header = {**msgspec.msgpack.decode(frames[1]), **changes}
    kept = {key: value for key, value in header.items() if value is not None}
    return [frames[0], msgspec.msgpack.encode(kept), frames[2]]


def test_keys_of_a_later_version_are_ignored() -> None:
    got = decode_embedding(headed(colour="red", nested={"a": [1, 2]}))
    assert got.seq == EMBEDDING.seq
    frames = encode_alert(ALERT)
    later = {**msgspec.msgpack.decode(frames[1]), "colour": "red"}
    assert decode_alert([frames[0], msgspec.msgpack.encode(later)]) == ALERT


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"v": VERSION + 1}, "version 2"),
        ({"v": None}, "`v`"),
        ({"seq": None}, "`seq`"),
        ({"seq": "seven"}, "seq"),
        ({"modality": "smell"}, "smell"),
        ({"dim": 31}, "31"),
        ({"dim": 0}, "0"),
        ({"dim": -32}, "-32"),
        ({"dim": 2**63}, "9223372036854775808"),
        ({"dtype": "f8"}, "f8"),
        ({"readings": {"max_c": "hot"}}, "readings"),
        ({"start_ns": 1e300}, "start_ns"),
        ({"end_ns": 2**64 - 1}, "18446744073709551615"),
        ({"seq": 2**63}, "9223372036854775808"),
        ({"stages": {"cut": 2**63}}, "64 bits"),
        ({"coverage": float("nan")}, "nan"),
        ({"coverage": 7.0}, "7.0"),
        ({"stream": "x" * 300}, "256"),
        ({"model": "x" * 300}, "256"),
        ({"start_ns": 2**63}, "beyond all time"),
        ({"end_ns": 2**62, "offset_ns": 2**62}, "beyond all time"),
    ],
)
def test_a_header_that_is_wrong_is_refused_and_says_what_is_wrong(
    changes: dict[str, Any], names: str
) -> None:
    with pytest.raises(BusError, match=names):
        decode_embedding(headed(**changes))


@pytest.mark.parametrize(
    "vector",
    [np.full(32, np.nan), np.zeros(32), np.full(32, np.inf), np.full(32, 1e38), np.ones(32)],
    ids=["nan", "zero", "infinite", "overflowing", "long"],
)
@pytest.mark.filterwarnings("error")
def test_a_vector_that_is_not_of_unit_length_is_refused(vector: np.ndarray) -> None:
    frames = headed()
    frames[2] = vector.astype("<f4").tobytes()
    with pytest.raises(BusError, match="unit length"):
        decode_embedding(frames)


def test_a_vector_longer_than_any_model_makes_is_refused() -> None:
    dim = DIM_MOST + 1
    frames = headed(dim=dim)
    frames[2] = unit(dim, 0).tobytes()
    with pytest.raises(BusError, match=str(dim)):
        decode_embedding(frames)


def test_an_alert_of_another_version_or_with_a_part_missing_is_refused() -> None:
    topic, body = encode_alert(ALERT)
    message = msgspec.msgpack.decode(body)
    with pytest.raises(BusError, match="version 3"):
        decode_alert([topic, msgspec.msgpack.encode({**message, "v": 3})])
    del message["peak_z"]
    with pytest.raises(BusError, match="peak_z"):
        decode_alert([topic, msgspec.msgpack.encode(message)])
    with pytest.raises(BusError, match="beyond all time"):
        decode_alert([topic, msgspec.msgpack.encode({**message, "peak_z": 1, "end_ns": 2**63})])
    with pytest.raises(BusError, match="state"):
        decode_alert([topic, msgspec.msgpack.encode({**message, "peak_z": 1, "state": "maybe"})])


DEEP = b"\x81\xa1v" + b"\x91" * 60_000
LONG = msgspec.msgpack.encode({"v": VERSION, "padding": b"\0" * HEADER_MOST})
ENORMOUS = [  # containers that claim billions of items
    b"\x81\xa1v\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\x81\xa1v\xc6\xff\xff\xff\xff",
    b"\x81\xa1v\xdb\xff\xff\xff\xff",
]


@pytest.mark.parametrize("topic", [b"emb.vision.door", b"alert.q"])
@pytest.mark.parametrize("body", [DEEP, *ENORMOUS])
def test_bodies_made_to_exhaust_the_reader_are_refused_at_once(topic: bytes, body: bytes) -> None:
    frames = [topic, body, EMBEDDING.vector.tobytes()]
    with pytest.raises(BusError):
        decode(frames if topic.startswith(b"emb") else frames[:2])


@pytest.mark.parametrize("topic", [b"emb.vision.door", b"alert.q"])
def test_bodies_over_the_bound_are_not_even_read(topic: bytes) -> None:
    frames = [topic, LONG, EMBEDDING.vector.tobytes()]
    with pytest.raises(BusError, match=f"over {HEADER_MOST}"):
        decode(frames if topic.startswith(b"emb") else frames[:2])


def refused_or_whole(frames: list[bytes]) -> None:
    """Either BusError or a record that is fit to be used; anything else fails the test."""
    try:
        record = decode(frames)
    except BusError as error:
        if not str(error):
            pytest.fail("this error says nothing")
        return
    if isinstance(record, Embedding):
        assert math.isclose(float(np.linalg.norm(record.vector)), 1, abs_tol=0.11)
        assert record.modality in (*SENSORS, "text")
    else:
        assert record.state in ("started", "ended")


anything = st.one_of(st.binary(max_size=60), st.sampled_from([b"emb.", b"emb.a.b", b"alert.q"]))


@settings(max_examples=100, deadline=None)
@given(st.lists(anything, max_size=5))
def test_arbitrary_bytes_raise_nothing_but_bus_error(frames: list[bytes]) -> None:
    refused_or_whole(frames)


@settings(max_examples=150, deadline=None)
@given(
    st.booleans(),
    st.integers(0, 2),
    st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=3)), max_size=4),
    st.integers(0, 400),
)
def test_damaged_messages_raise_nothing_but_bus_error(
    is_alert: bool, which: int, edits: list[tuple[int, bytes]], cut: int
) -> None:
    frames = encode_alert(ALERT) if is_alert else encode_embedding(EMBEDDING)
    damaged = bytearray(frames[which % len(frames)])
    for at, put in edits:
        damaged[at % len(damaged) : at % len(damaged) + len(put)] = put
    frames[which % len(frames)] = bytes(damaged[: max(cut, 1)])
    refused_or_whole(frames)
