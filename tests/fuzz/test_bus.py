"""The broker before peers that mean no good: it goes on, and what they cost has a bound."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import numpy as np
import pytest

from bindstream.bus import MESSAGE_MOST, TOPIC_MOST, Broker, Publisher, Subscriber
from bindstream.control import ask
from bindstream.errors import BusError
from bindstream.records import Embedding
from tests.fuzz.peers import (
    GREETING,
    MORE,
    Served,
    dial,
    frame,
    hail,
    hung_up,
    ready,
    request,
    send,
    served,
)

ANY = "tcp://127.0.0.1:*"
MIB = 1 << 20


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served() as server:
        still_serves(server)
        yield server
        still_serves(server)


def vector(stream: str, seq: int = 0, model: str = "m") -> Embedding:
    return Embedding(stream, "audio", seq, seq, seq + 1, np.float32([0, 1]), model)


def still_serves(server: Served) -> None:
    """A vector finds its way through, and a question is answered."""
    publisher = Publisher(server.inbound)
    with Subscriber(server.address, ["emb."], streams=["door"]) as subscriber:
        for seq in range(200):  # until both are connected
            publisher.publish(vector("door", seq))
            if subscriber.receive(0.1) is not None:
                break
        else:
            pytest.fail("nothing arrives any more")
    publisher.close()
    assert ask(server.control, {"op": "x"}, timeout_s=30) == {"asked": {"op": "x"}}
    assert server.process.poll() is None


def everywhere(server: Served) -> list[tuple[str, bytes]]:
    return [(server.inbound, b"PUB"), (server.address, b"SUB"), (server.control, b"REQ")]


SMALL_TALK = [
    b"GET / HTTP/1.1\r\nHost: here\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    GREETING[:20],
    GREETING,
    GREETING[:12] + b"CURVE".ljust(20, b"\0") + bytes(32),
    b"\xff" * 200,
    bytes(200),
    b"\x01\x00",
    GREETING + ready(b"WHAT"),
    GREETING + ready(b"x" * 5000),
    GREETING + frame(b"", 4, claims=2**63),
    GREETING + frame(b"\x05READY\xff\xff\xff\xff\xff", 4),
]


def test_other_protocols_and_half_handshakes_end_nothing(server: Served) -> None:
    lines = []
    for address, _ in everywhere(server):
        for said in SMALL_TALK:
            line = dial(address)
            send(line, said)
            lines.append(line)
    still_serves(server)
    for line in lines:
        line.close()
    still_serves(server)


def test_random_frames_end_nothing_and_leave_no_memory_taken(server: Served) -> None:
    rng = random.Random(5)
    before = server.settled_rss()
    for address, kind in everywhere(server):
        for _ in range(60):
            line = hail(address, kind)
            for _ in range(rng.randint(1, 20)):
                body = rng.randbytes(rng.choice((0, 1, 3, 30, 255, 256, 3000)))
                claims = rng.choice((None, None, None, 2**20, 2**32, 2**63, 2**64 - 1))
                if not send(line, frame(body, rng.randint(0, 7), claims)):
                    break
            line.close()
    still_serves(server)
    assert server.settled_rss() - before < 32 * MIB


@pytest.mark.parametrize("which", range(3))
def test_a_frame_that_says_it_is_too_long_is_not_waited_for(server: Served, which: int) -> None:
    address, kind = everywhere(server)[which]
    before = server.settled_rss()
    for claims in (MESSAGE_MOST + 1, 2**32, 2**63 - 1, 2**64 - 1):
        line = hail(address, kind)
        send(line, frame(b"x" * 100, claims=claims))
        assert hung_up(line)
        line.close()
    assert server.settled_rss() - before < 8 * MIB
    still_serves(server)


def test_a_topic_as_long_as_a_book_ends_its_connection_alone(server: Served) -> None:
    """ZeroMQ follows a topic by recursion when it lets go of it: 200 kB were a crash."""
    line = hail(server.address, b"SUB")
    send(line, frame(b"\x01" + b"x" * 200_000))
    assert hung_up(line)
    line.close()
    still_serves(server)


def test_a_topic_that_is_too_long_is_refused_where_it_is_asked_for(server: Served) -> None:
    with pytest.raises(BusError, match="too long"):
        Subscriber(server.address, ["x" * TOPIC_MOST])
    Subscriber(server.address, ["x" * (TOPIC_MOST - 1)]).close()
    still_serves(server)


def test_very_many_topics_cost_little_and_nothing_after(server: Served) -> None:
    before = server.settled_rss()
    for _ in range(3):  # what one took is there for the next
        line = hail(server.address, b"SUB")
        for _ in range(100):
            topics = (b"\x01emb.audio." + os.urandom(10).hex().encode() for _ in range(1000))
            assert send(line, b"".join(map(frame, topics)))
        still_serves(server)
        line.close()
    assert server.settled_rss() - before < 256 * MIB


def test_what_a_subscriber_sends_reaches_nobody(server: Served) -> None:
    line = hail(server.address, b"SUB")
    with Subscriber(server.address) as listening:
        while listening.receive(0.3) is not None:
            pass  # of earlier tests
        send(line, frame(b"\x01emb.") + frame(b"emb.audio.door", MORE) + frame(b"x"))
        assert listening.receive(0.3) is None
        assert listening.refused == 0
    line.close()


def test_thousands_of_connections_leave_room_for_everyone(server: Served) -> None:
    before = server.settled_rss()
    lines = [dial(address) for _ in range(700) for address, _ in everywhere(server)]
    still_serves(server)
    assert server.rss() - before < 64 * MIB
    for line in lines:
        line.close()
    still_serves(server)


def test_a_client_that_never_reads_its_answers_is_not_collected_for(server: Served) -> None:
    before = server.settled_rss()
    line = hail(server.control, b"REQ")
    line.settimeout(1)
    body = b"\x81\xa1a\xc5\xff\xff" + bytes(65535)
    for _ in range(2000):  # 125 MiB
        if not send(line, request(body)):
            break
    assert server.rss() - before < 64 * MIB
    line.close()
    still_serves(server)


def test_a_subscriber_follows_no_more_streams_than_it_can_hold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bindstream.bus.STREAMS_MOST", 20)
    broker = Broker(ANY, ANY)
    publisher = Publisher(broker.inbound)
    with Subscriber(broker.address) as subscriber:
        for seq in range(100):
            publisher.publish(vector("door", seq))
            if subscriber.receive(0.1) is not None:
                break
        for i in range(60):
            publisher.publish(vector(f"forged-{i}"))
        publisher.publish(vector("door", 1000))
        names = set()
        while (record := subscriber.receive(2)) is not None and "door" not in names:
            assert isinstance(record, Embedding)
            if record.seq == 1000:
                break
            names.add(record.stream)
        assert len(names - {"door"}) == 19
        assert subscriber.refused == 41
        assert "too many" in subscriber.refusal
        assert len(subscriber.missed) <= 20
    publisher.close()
    broker.close()


def test_vectors_of_streams_that_a_run_does_not_have_are_refused_and_counted() -> None:
    broker = Broker(ANY, ANY)
    publisher = Publisher(broker.inbound)
    with Subscriber(broker.address, streams=["door"]) as subscriber:
        for seq in range(100):
            publisher.publish(vector("forged", seq))
            publisher.publish(vector("door", seq))
            record = subscriber.receive(0.1)
            if record is not None:
                break
        assert isinstance(record, Embedding)
        assert record.stream == "door"
        assert subscriber.refused >= 1
        assert "'forged'" in subscriber.refusal
    publisher.close()
    broker.close()
