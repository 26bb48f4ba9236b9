"""The bus on real sockets: who gets what, who gets nothing, and what survives a restart."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from bindstream.bus import (
    BACKLOG,
    MESSAGE_MOST,
    Broker,
    Publisher,
    Subscriber,
    is_loopback,
    make_client,
    subscribe,
)
from bindstream.errors import BusError
from bindstream.keys import ClientKeys, client_keys, make_keys
from bindstream.records import Alert, Embedding
from bindstream.wire import encode_embedding

ANY = "tcp://127.0.0.1:0"
LONG_S = 10.0
EMBEDDING = Embedding("door", "vision", 0, 0, 1, np.eye(1, 16, dtype=np.float32)[0], "m1")
ALERT = Alert(
    "q/door/0", "q", "a dog", "started", "door", "vision", 0, 1, 0, 6.0, 0.3, 5, 3, (6.0,), "m1"
)


@pytest.fixture
def broker() -> Iterator[Broker]:
    broker = Broker(ANY, ANY)
    yield broker
    broker.close()


@pytest.fixture
def publisher(broker: Broker) -> Iterator[Publisher]:
    publisher = Publisher(broker.inbound)
    yield publisher
    publisher.close()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bus") / "keys"
    make_keys(folder, ["tablet"])
    return folder


def numbered(seq: int, stream: str = "door") -> Embedding:
    return dataclasses.replace(EMBEDDING, stream=stream, seq=seq, start_ns=seq, end_ns=seq + 2)


def until_heard(send: Callable[[], object], subscriber: Subscriber) -> Embedding | Alert:
    """Send again and again until something arrives: connections take their time to stand."""
    until_s = time.monotonic() + LONG_S
    while time.monotonic() < until_s:
        send()
        if (record := subscriber.receive(0.05)) is not None:
            return record
    pytest.fail(f"nothing arrived within {LONG_S} s")


def drained(subscriber: Subscriber, last: int) -> list[int]:
    """The numbers that arrive, up to the one numbered `last`."""
    seqs: list[int] = []
    while not seqs or seqs[-1] != last:
        record = subscriber.receive(LONG_S)
        assert isinstance(record, Embedding)
        seqs.append(record.seq)
    return seqs


def test_subscribers_get_what_they_asked_for_and_nothing_else(
    broker: Broker, publisher: Publisher
) -> None:
    def send() -> None:
        publisher.publish(EMBEDDING)
        publisher.publish(dataclasses.replace(EMBEDDING, modality="audio", stream="mic"))
        publisher.publish(ALERT)

    with (
        Subscriber(broker.address) as everything,
        Subscriber(broker.address, ["emb.audio."]) as sounds,
        Subscriber(broker.address, ["alert."]) as alerts,
    ):
        for subscriber in (everything, sounds, alerts):
            until_heard(send, subscriber)
        send()
        heard = [until_heard(send, everything) for _ in range(6)]
        assert {type(r) for r in heard} == {Embedding, Alert}
        assert {until_heard(send, sounds).modality for _ in range(3)} == {"audio"}
        assert {type(until_heard(send, alerts)) for _ in range(3)} == {Alert}
        assert everything.refused == 0


def test_subscribe_yields_records_as_they_come(broker: Broker, publisher: Publisher) -> None:
    heard: list[Embedding | Alert] = []

    def take() -> None:
        for record in subscribe(broker.address, ["alert."]):
            heard.append(record)
            if len(heard) == 3:
                return

    taker = threading.Thread(target=take, daemon=True)
    taker.start()
    until_s = time.monotonic() + LONG_S
    while taker.is_alive() and time.monotonic() < until_s:
        publisher.publish(EMBEDDING)
        publisher.publish(ALERT)
        taker.join(0.02)
    assert heard == [ALERT] * 3


def test_receive_returns_none_after_its_time(broker: Broker) -> None:
    with Subscriber(broker.address) as subscriber:
        begun = time.monotonic()
        assert subscriber.receive(0.1) is None
        assert 0.05 < time.monotonic() - begun < 2


def test_windows_that_never_arrive_are_counted_and_disorder_is_not(
    broker: Broker, publisher: Publisher
) -> None:
    with Subscriber(broker.address) as subscriber:
        until_heard(lambda: publisher.publish(numbered(0, "probe")), subscriber)
        for seq in (0, 1, 4, 4, 5, 7, 6, 8):  # one of which is sent again
            publisher.publish(numbered(seq))
        for seq in (5, 6, 9):
            publisher.publish(numbered(seq, "mic"))
        publisher.publish(numbered(9))
        drained(subscriber, 9)
        drained(subscriber, 9)
        assert subscriber.missed["door"] == 2
        assert subscriber.missed["mic"] == 2


def test_a_stream_that_numbers_anew_is_followed_from_there(
    broker: Broker, publisher: Publisher
) -> None:
    with Subscriber(broker.address) as subscriber:
        until_heard(lambda: publisher.publish(numbered(0, "probe")), subscriber)
        publisher.publish(numbered(500))
        for seq in (0, 1, 3):  # the next run, later by the clock
            publisher.publish(dataclasses.replace(numbered(seq), start_ns=10_000 + seq))
        drained(subscriber, 3)
        assert subscriber.missed["door"] == 1


def test_what_is_no_message_of_ours_is_counted_and_said_and_the_rest_goes_on(
    broker: Broker, publisher: Publisher
) -> None:
    stranger = zmq.Context.instance().socket(zmq.PUB)
    stranger.linger = 0
    stranger.connect(broker.inbound)
    good = encode_embedding(EMBEDDING)
    with Subscriber(broker.address) as subscriber:
        until_heard(lambda: publisher.publish(EMBEDDING), subscriber)
        until_s = time.monotonic() + LONG_S
        while subscriber.refused < 4 and time.monotonic() < until_s:
            stranger.send_multipart([b"emb.vision.door", b"\xc1\xc1", b""])
            stranger.send_multipart([b"nonsense"])
            stranger.send_multipart([*good, b"and more"])
            stranger.send_multipart([b""])
            subscriber.receive(0.02)
        assert subscriber.refused >= 4
        assert subscriber.refusal
        assert isinstance(until_heard(lambda: publisher.publish(ALERT), subscriber), Alert)
    stranger.close()


def test_a_flood_of_nonsense_does_not_keep_receive_from_returning(broker: Broker) -> None:
    stranger = zmq.Context.instance().socket(zmq.PUB)
    stranger.linger = 0
    stranger.connect(broker.inbound)
    with Subscriber(broker.address) as subscriber:
        until_s = time.monotonic() + LONG_S
        while not subscriber.refused and time.monotonic() < until_s:
            stranger.send(b"nonsense")
            subscriber.receive(0.02)
        goal = subscriber.refused + BACKLOG // 2
        for _ in range(BACKLOG // 2):
            stranger.send(b"nonsense")
        while subscriber.refused < goal and time.monotonic() < until_s:
            before = subscriber.refused
            assert subscriber.receive(0) is None
            assert subscriber.refused - before <= 1
        assert subscriber.refused == goal
    stranger.close()


def test_a_frame_over_the_bound_ends_its_connection_and_nobody_elses(
    broker: Broker, publisher: Publisher
) -> None:
    stranger = zmq.Context.instance().socket(zmq.PUB)
    stranger.linger = 0
    monitor = stranger.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    stranger.connect(broker.inbound)
    with Subscriber(broker.address) as subscriber:
        until_heard(lambda: publisher.publish(EMBEDDING), subscriber)
        until_s = time.monotonic() + LONG_S
        while not monitor.poll(50) and time.monotonic() < until_s:
            stranger.send(b"emb." + bytes(MESSAGE_MOST))
        assert monitor.poll(0)
        assert isinstance(until_heard(lambda: publisher.publish(ALERT), subscriber), Alert)
        assert subscriber.refused == 0
    stranger.disable_monitor()
    monitor.close()
    stranger.close()


def test_publishing_never_waits_for_a_subscriber_that_does_not_read(
    broker: Broker, publisher: Publisher
) -> None:
    vector = np.full(4096, 1 / 64, np.float32)  # large, so that no buffer on the way holds all
    large = dataclasses.replace(EMBEDDING, vector=vector)
    with Subscriber(broker.address) as subscriber:
        until_heard(lambda: publisher.publish(numbered(0, "probe")), subscriber)
        many = 6 * BACKLOG
        slowest = 0.0
        for seq in range(many):
            begun = time.monotonic()
            publisher.publish(dataclasses.replace(large, seq=seq, start_ns=seq))
            slowest = max(slowest, time.monotonic() - begun)
        assert slowest < 1
        got = 0
        while isinstance(record := subscriber.receive(0.3), Embedding):
            got += record.stream == "door"
            last = record.seq
        assert BACKLOG <= got < many
        assert subscriber.missed["door"] == last + 1 - got


def test_a_broker_restarted_on_its_ports_is_found_again_by_everyone() -> None:
    broker = Broker(ANY, ANY)
    publisher = Publisher(broker.inbound)
    with Subscriber(broker.address) as subscriber:
        until_heard(lambda: publisher.publish(EMBEDDING), subscriber)
        broker.close()
        while subscriber.receive(0) is not None:
            pass
        again = Broker(broker.address, broker.inbound)
        assert (again.address, again.inbound) == (broker.address, broker.inbound)
        assert until_heard(lambda: publisher.publish(ALERT), subscriber) == ALERT
        publisher.close()
        again.close()


def test_a_port_in_use_is_named(broker: Broker) -> None:
    with pytest.raises(BusError, match=f"cannot bind {broker.address}.*another port"):
        Broker(broker.address, ANY)
    with pytest.raises(BusError, match=broker.inbound):
        Broker(ANY, broker.inbound)


@pytest.mark.parametrize("address", ["nonsense", "tcp://127.0.0.1", "http://127.0.0.1:1", ""])
def test_what_is_no_address_is_named(address: str) -> None:
    with pytest.raises(BusError, match=r"cannot connect to.*tcp://127"):
        Subscriber(address)
    with pytest.raises(BusError, match="cannot connect to"):
        Publisher(address)


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("tcp://127.0.0.1:5560", True),
        ("tcp://127.8.9.10:5560", True),
        ("tcp://localhost:5560", True),
        ("tcp://[::1]:5560", True),
        ("ipc:///run/bus", True),
        ("tcp://0.0.0.0:5560", False),
        ("tcp://*:5560", False),
        ("tcp://[::]:5560", False),
        ("tcp://eth0:5560", False),
        ("tcp://192.168.1.4:5560", False),
        ("tcp://127.0.0.1.example.org:5560", False),
        ("tcp://127.0.0.1@0.0.0.0:5560", False),
        ("tcp://[::1:5560", False),
        ("", False),
    ],
)
def test_loopback_is_what_only_this_host_can_reach(address: str, loopback: bool) -> None:
    assert is_loopback(address) is loopback


@pytest.mark.parametrize("address", ["tcp://0.0.0.0:0", "tcp://*:0"])
def test_a_bus_open_to_the_network_without_keys_is_refused(address: str) -> None:
    with pytest.raises(BusError, match=r"without keys.*bindstream keys"):
        Broker(address, ANY)
    with pytest.raises(BusError, match="without keys"):
        Broker(ANY, address)


def test_a_bus_with_keys_may_be_open_to_the_network(keys: Path) -> None:
    broker = Broker("tcp://0.0.0.0:0", ANY, keys)
    publisher = Publisher(broker.inbound, keys)
    port = broker.address.rpartition(":")[2]
    with Subscriber(f"tcp://127.0.0.1:{port}", keys=client_keys(keys, "tablet")) as subscriber:
        until_heard(lambda: publisher.publish(EMBEDDING), subscriber)
    publisher.close()
    broker.close()


def strangers(keys: Path) -> dict[str, ClientKeys | None]:
    """Clients that must not get in."""
    tablet = client_keys(keys, "tablet")
    public, secret = zmq.curve_keypair()
    other_server, _ = zmq.curve_keypair()
    return {
        "unknown": ClientKeys(tablet.server, public, secret),
        "mistaken": ClientKeys(other_server, tablet.public, tablet.secret),
        "keyless": None,
    }


REFUSED = (
    zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_DISCONNECTED
)


@pytest.fixture
def locked(keys: Path) -> Iterator[Broker]:
    broker = Broker(ANY, ANY, keys)
    yield broker
    broker.close()


@pytest.mark.parametrize("who", ["unknown", "mistaken", "keyless"])
def test_a_client_without_an_allowed_key_hears_nothing(
    locked: Broker, keys: Path, who: str
) -> None:
    socket = zmq.Context.instance().socket(zmq.SUB)
    make_client(socket, strangers(keys)[who])
    monitor = socket.get_monitor_socket(REFUSED | zmq.EVENT_HANDSHAKE_SUCCEEDED)
    socket.subscribe(b"")
    socket.connect(locked.address)
    publisher = Publisher(locked.inbound, keys)
    with Subscriber(locked.address, keys=client_keys(keys, "tablet")) as known:
        assert monitor.poll(round(LONG_S * 1000))
        event = recv_monitor_message(monitor)["event"]
        assert event & REFUSED
        for _ in range(5):
            until_heard(lambda: publisher.publish(EMBEDDING), known)
        assert not socket.poll(50)
    publisher.close()
    socket.disable_monitor()
    monitor.close()
    socket.close()


@pytest.mark.parametrize("who", ["unknown", "mistaken", "keyless"])
def test_a_client_without_an_allowed_key_cannot_publish(
    locked: Broker, keys: Path, who: str
) -> None:
    socket = zmq.Context.instance().socket(zmq.PUB)
    make_client(socket, strangers(keys)[who])
    monitor = socket.get_monitor_socket(REFUSED | zmq.EVENT_HANDSHAKE_SUCCEEDED)
    socket.connect(locked.inbound)
    publisher = Publisher(locked.inbound, keys)
    with Subscriber(locked.address, keys=client_keys(keys, "tablet")) as known:

        def send() -> None:
            socket.send_multipart(encode_embedding(numbered(0, "intruder")))
            publisher.publish(EMBEDDING)

        assert monitor.poll(round(LONG_S * 1000))
        assert recv_monitor_message(monitor)["event"] & REFUSED
        heard = [until_heard(send, known) for _ in range(5)]
    assert {record.stream for record in heard} == {"door"}
    publisher.close()
    socket.disable_monitor()
    monitor.close()
    socket.close()


def test_a_client_taken_off_the_list_is_locked_out_at_the_next_start(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    make_keys(keys, ["tablet"])
    tablet = client_keys(keys, "tablet")
    (keys / "clients/tablet.key").unlink()
    broker = Broker(ANY, ANY, keys)
    publisher = Publisher(broker.inbound, keys)
    with (
        Subscriber(broker.address, keys=client_keys(keys)) as own,
        Subscriber(broker.address, keys=tablet) as former,
    ):
        for _ in range(5):
            until_heard(lambda: publisher.publish(EMBEDDING), own)
        assert former.receive(0.1) is None
    publisher.close()
    broker.close()
