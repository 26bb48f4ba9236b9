"""Control: every question gets an answer, whatever was asked, and nobody waits for ever."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq

from bindstream.bus import make_client
from bindstream.control import Answer, ControlServer, Request, ask
from bindstream.errors import BusError, ConfigError
from bindstream.keys import ClientKeys, client_keys, make_keys

ANY = "tcp://127.0.0.1:0"


def handle(request: Request) -> Answer:
    match request.get("op"):
        case "echo":
            return {"said": request["words"]}
        case "refuse":
            raise ConfigError("there is no stream 'attic'.", fix="Choose door.")
        case "fail":
            return {"share": 1 / int(request["zero"])}
        case "path":
            raise ConfigError("there is no " + os.fsdecode(b"caf\xe9.wav"))
        case "object":
            return {"value": object()}
        case op:
            raise ConfigError(f"there is no operation {op!r}.")


@pytest.fixture
def server() -> Iterator[ControlServer]:
    server = ControlServer(ANY, handle)
    yield server
    server.close()


def still_answers(server: ControlServer) -> None:
    assert ask(server.address, {"op": "echo", "words": ["a", 1]}) == {"said": ["a", 1]}


def test_an_answer_comes_back(server: ControlServer) -> None:
    still_answers(server)


def test_a_refusal_comes_back_as_an_error_with_the_way_out(server: ControlServer) -> None:
    with pytest.raises(BusError, match=r"no stream 'attic'\. Choose door\."):
        ask(server.address, {"op": "refuse"})
    still_answers(server)


@pytest.mark.parametrize(
    ("request_", "names"),
    [
        ({"op": "fail", "zero": 0}, "ZeroDivisionError"),
        ({"op": "fail"}, "zero"),
        ({"op": "fail", "zero": "none"}, "ValueError"),
        ({"op": "object"}, "object"),
        ({"op": "path"}, "caf"),
        ({}, "None"),
    ],
)
def test_a_request_that_fails_is_answered_and_ends_nothing(
    server: ControlServer, request_: dict[str, Any], names: str
) -> None:
    with pytest.raises(BusError, match=names):
        ask(server.address, request_)
    still_answers(server)


@pytest.mark.parametrize(
    "frames",
    [
        [b""],
        [b"\xc1\xff\x00"],
        [msgspec.msgpack.encode([1, 2])],
        [msgspec.msgpack.encode({1: 2})],
        [b"\x81\xa1a" + b"\x91" * 50_000],
        [b"\xdf\xff\xff\xff\xff"],
        [b"\x81\xa1\xff\x01", b"more", b"frames"],
    ],
    ids=["empty", "garbage", "list", "no names", "deep", "enormous", "not text"],
)
def test_requests_that_cannot_be_read_are_answered_and_end_nothing(
    server: ControlServer, frames: list[bytes]
) -> None:
    socket = zmq.Context.instance().socket(zmq.REQ)
    socket.linger = 0
    socket.connect(server.address)
    socket.send_multipart(frames)
    assert socket.poll(5000)
    assert "cannot be read" in msgspec.msgpack.decode(socket.recv())["error"]
    socket.close()
    still_answers(server)


def test_a_client_that_leaves_before_its_answer_ends_nothing(server: ControlServer) -> None:
    for _ in range(5):
        socket = zmq.Context.instance().socket(zmq.DEALER)
        socket.connect(server.address)
        socket.send_multipart([b"", msgspec.msgpack.encode({"op": "echo", "words": "x"})])
        socket.close(linger=100)
    still_answers(server)


def test_requests_are_answered_one_at_a_time_from_many_clients() -> None:
    inside = threading.Lock()

    def alone(request: Request) -> Answer:
        assert inside.acquire(blocking=False)
        try:
            return {"n": request["n"]}
        finally:
            inside.release()

    server = ControlServer(ANY, alone)
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append(ask(server.address, {"n": n})["n"]))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    server.close()
    assert sorted(answers) == list(range(8))


def test_silence_is_told_in_time_with_the_address_and_what_to_check() -> None:
    silent = zmq.Context.instance().socket(zmq.REP)
    silent.linger = 0
    port = silent.bind_to_random_port("tcp://127.0.0.1")
    begun = time.monotonic()
    with pytest.raises(BusError, match=rf"127\.0\.0\.1:{port}.*within 0\.2 s.*bindstream run"):
        ask(f"tcp://127.0.0.1:{port}", {"op": "echo"}, timeout_s=0.2)
    assert time.monotonic() - begun < 2
    silent.close()


def test_where_nothing_listens_nobody_is_waited_for() -> None:
    with socket.socket() as taken:  # bound but not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(BusError, match=rf"127\.0\.0\.1:{port}: nothing listens.*run"):
            ask(f"tcp://127.0.0.1:{port}", {"op": "echo"}, timeout_s=600)


def test_an_answer_that_is_not_ours_is_refused() -> None:
    foreign = zmq.Context.instance().socket(zmq.REP)
    foreign.linger = 0
    port = foreign.bind_to_random_port("tcp://127.0.0.1")
    threading.Thread(
        target=lambda: (foreign.recv(), foreign.send(b"HTTP/1.1")), daemon=True
    ).start()
    with pytest.raises(BusError, match=r"no bindstream.*bus\.control"):
        ask(f"tcp://127.0.0.1:{port}", {"op": "echo"}, timeout_s=5)
    foreign.close()


def test_what_is_no_address_is_named() -> None:
    with pytest.raises(BusError, match="cannot connect to 'nonsense'"):
        ask("nonsense", {"op": "echo"})


def test_a_closed_server_gives_its_port_back(server: ControlServer) -> None:
    with pytest.raises(BusError, match="cannot bind"):
        ControlServer(server.address, handle)
    server.close()
    again = ControlServer(server.address, handle)
    still_answers(again)
    again.close()


def test_control_open_to_the_network_without_keys_is_refused() -> None:
    with pytest.raises(BusError, match="without keys"):
        ControlServer("tcp://0.0.0.0:0", handle)


def test_with_keys_only_known_clients_are_answered(tmp_path: Path) -> None:
    make_keys(tmp_path / "keys", ["tablet"])
    tablet = client_keys(tmp_path / "keys", "tablet")
    asked: list[str] = []

    def note(request: Request) -> Answer:
        asked.append(request["who"])
        return {}

    server = ControlServer(ANY, note, tmp_path / "keys")
    unknown = ClientKeys(tablet.server, *zmq.curve_keypair())
    socket = zmq.Context.instance().socket(zmq.REQ)
    make_client(socket, unknown)
    monitor = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_AUTH)
    socket.connect(server.address)
    socket.send(msgspec.msgpack.encode({"who": "unknown"}))
    assert monitor.poll(5000)
    ask(server.address, {"who": "tablet"}, keys=tablet)
    ask(server.address, {"who": "own"}, keys=client_keys(tmp_path / "keys"))
    with pytest.raises(BusError, match="these keys"):
        ask(server.address, {"who": "keyless"}, timeout_s=0.2)
    assert asked == ["tablet", "own"]
    socket.disable_monitor()
    monitor.close()
    socket.close()
    server.close()
