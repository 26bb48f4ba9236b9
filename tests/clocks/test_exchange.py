"""The exchange of stamps on real sockets: clocks that are off, hostile peers, keys, silence."""

from __future__ import annotations

import errno
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import zmq

from bindstream.clocks import exchange
from bindstream.clocks.exchange import UNKNOWN_NS, RunTime, TimeServer
from bindstream.clocks.host import Clock
from bindstream.errors import BusError
from bindstream.keys import make_keys
from bindstream.records import Sample, on_run_clock

ANY = "tcp://127.0.0.1:0"
S, MS = 1_000_000_000, 1_000_000
LONG_S = 20.0
HERE = Clock.read()


@dataclass
class Elsewhere:
    """The clock of a host that is off by `ahead_ns` and fast by `ppm`."""

    ahead_ns: int
    ppm: float = 0.0
    begun_ns: int = HERE.now_ns()

    def ahead_at(self, now_ns: int) -> int:
        return self.ahead_ns + round((now_ns - self.begun_ns) * self.ppm * 1e-6)

    def now_ns(self) -> int:
        now_ns = HERE.now_ns()
        return now_ns + self.ahead_at(now_ns)


@pytest.fixture
def far() -> Elsewhere:
    return Elsewhere(3_700 * MS, 80)


@pytest.fixture
def server(far: Elsewhere) -> Iterator[TimeServer]:
    server = TimeServer(ANY, far.now_ns)
    yield server
    server.close()


@contextmanager
def met(address: str, keys: Path | None = None, wait_s: float = LONG_S) -> Iterator[RunTime]:
    run = RunTime(address, HERE, HERE, keys)
    try:
        assert run.await_first(wait_s)
        yield run
    finally:
        run.close()


def until(true: Callable[[], object]) -> None:
    end_s = time.monotonic() + LONG_S
    while not true():
        assert time.monotonic() < end_s
        time.sleep(0.02)


def sound() -> Sample:
    now_ns = HERE.now_ns()
    return Sample("mic", "audio", np.zeros(160, np.float32), now_ns - 10 * MS, now_ns, now_ns, MS)


class Jittery:
    """A way between two hosts that holds every message for a while, for one client."""

    def __init__(self, address: str, seed: int) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._front = self._context.socket(zmq.ROUTER)
        self._back = self._context.socket(zmq.DEALER)
        self._front.linger = self._back.linger = 0
        port = self._front.bind_to_random_port("tcp://127.0.0.1")
        self.address = f"tcp://127.0.0.1:{port}"
        self._back.connect(address)
        self._rng = np.random.default_rng(seed)
        self._thread = threading.Thread(target=self._relay, daemon=True)
        self._thread.start()

    def _relay(self) -> None:
        try:
            while True:
                who, probe = self._front.recv_multipart()
                time.sleep(self._rng.exponential(0.002))
                self._back.send(probe)
                answer = self._back.recv()
                time.sleep(self._rng.exponential(0.006))
                self._front.send_multipart([who, answer])
        except zmq.ZMQError:
            self._front.close()
            self._back.close()

    def close(self) -> None:
        self._context.term()
        self._thread.join(timeout=2)


def test_a_host_that_is_off_is_met_over_a_way_that_jitters(
    server: TimeServer, far: Elsewhere
) -> None:
    way = Jittery(server.address, 1)
    with met(way.address) as run:
        until(lambda: len(run._offset._kept) >= 3)
        now_ns = HERE.now_ns()
        got = run.offset()
        assert abs(got.offset_ns - far.ahead_at(now_ns)) <= got.uncertainty_ns
        assert got.uncertainty_ns < 20 * MS
        assert abs(run.now_ns() - far.now_ns()) < 20 * MS
        assert run.trouble == ""
    way.close()


def test_what_sensors_give_is_stamped_and_lies_on_the_runs_clock(
    server: TimeServer, far: Elsewhere
) -> None:
    with met(server.address) as run:
        sample = run.stamp(sound())
        assert MS < sample.uncertainty_ns < 20 * MS
        laid = on_run_clock(sample)
        assert abs(laid.end_ns - far.now_ns()) < 50 * MS
        assert (laid.gap, laid.clock) == ("", sample.clock)


def test_a_host_that_slept_says_so_with_the_next_sample(
    server: TimeServer, far: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "EVERY_S", 0.1)
    with met(server.address) as run:
        run.stamp(sound())
        far.ahead_ns += 90 * S
        until(lambda: run._offset.parted)
        assert "parted by 90.0" in run.stamp(sound()).gap
        assert run.stamp(sound()).gap == ""
        assert abs(run.now_ns() - far.now_ns()) < 20 * MS


def test_a_stream_that_began_before_the_run_answered_is_cut_when_it_does(far: Elsewhere) -> None:
    gone = TimeServer(ANY, far.now_ns)
    gone.close()
    run = RunTime(gone.address, HERE, HERE)
    before = run.stamp(sound())
    assert (before.offset_ns, before.gap) == (0, "")
    server = TimeServer(gone.address, far.now_ns)
    assert run.await_first(LONG_S)
    assert "not known until now" in run.stamp(sound()).gap
    assert run.stamp(sound()).gap == ""
    run.close()
    server.close()


HOSTILE = [
    b"",
    b"BST1",
    b"x" * 60,
    struct.pack("<4sQ", b"BST2", 1),
    struct.pack("<4sQqq", b"BST1", 1, 2, 3),
    os.urandom(12),
]


def test_no_bytes_stop_the_server_or_are_answered(server: TimeServer, far: Elsewhere) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    stranger = context.socket(zmq.DEALER)
    flooder = context.socket(zmq.DEALER)
    for socket in (stranger, flooder):
        socket.linger = 0
        socket.connect(server.address)
    for body in HOSTILE:
        stranger.send(body)
    stranger.send_multipart([b"a", b"b", b"c"])
    stranger.send(b"x" * 100_000)  # which ends the connection
    for _ in range(2000):  # asks, and never listens
        with suppress(zmq.Again):
            flooder.send(struct.pack("<4sQ", b"BST1", 1), zmq.NOBLOCK)
    with met(server.address) as run:
        assert abs(run.now_ns() - far.now_ns()) < 20 * MS
    stranger.close()
    flooder.close()
    context.term()


@pytest.mark.parametrize(
    "answer",
    [
        lambda number: b"",
        lambda number: b"x" * 28,
        lambda number: struct.pack("<4sQqq", b"BST1", number ^ 1, 0, 0),
        lambda number: struct.pack("<4sQqq", b"BST1", number, 2**62, -(2**62)),
        lambda number: struct.pack("<4sQqq", b"BST1", number, 2**62, 2**62 + 1),
        lambda number: b"y" * 10_000,
    ],
)
def test_a_server_that_lies_or_is_broken_is_not_believed(
    answer: Callable[[int], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "ANSWER_MOST_S", 0.05)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    liar = context.socket(zmq.ROUTER)
    liar.linger = 0
    address = f"tcp://127.0.0.1:{liar.bind_to_random_port('tcp://127.0.0.1')}"
    run = RunTime(address, Clock(HERE.offset_ns, HERE.id, None), HERE)
    for _ in range(3):
        assert liar.poll(5000)
        who, probe = liar.recv_multipart()
        liar.send_multipart([who, answer(struct.unpack("<4sQ", probe)[1])])
    assert not run.await_first(0.1)
    assert run.offset().offset_ns == 0
    assert run.offset().uncertainty_ns == UNKNOWN_NS
    run.close()
    liar.close()
    context.term()


def test_a_run_that_does_not_answer_is_said_and_nothing_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exchange, "SILENT_S", 0.2)
    kept = Clock(HERE.offset_ns, HERE.id, 2 * MS)
    run = RunTime("tcp://127.0.0.1:1", kept, kept)
    assert run.trouble == ""
    assert run.stamp(sound()).uncertainty_ns == 4 * MS + MS, "both are kept on UTC"
    until(lambda: "has not answered since it began" in run.trouble)
    assert "bus.time" in run.trouble
    run.close()


def test_a_host_that_has_no_socket_left_for_a_while_asks_on(
    server: TimeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected, tries = RunTime._connected, [0]

    def refuse(run: RunTime) -> zmq.Socket[bytes]:
        tries[0] += 1
        if tries[0] in (2, 3):  # the first is the constructor's
            raise zmq.ZMQError(errno.EMFILE)
        return connected(run)

    monkeypatch.setattr(RunTime, "_connected", refuse)
    monkeypatch.setattr(exchange, "HASTE_S", 0.01)
    probe, lost = RunTime._probe, [exchange.PROBES]

    def deaf(run: RunTime) -> exchange.Exchange | None:
        lost[0] -= 1
        return None if lost[0] >= 0 else probe(run)

    monkeypatch.setattr(RunTime, "_probe", deaf)
    with met(server.address) as run:
        assert run.await_first(LONG_S)
    assert tries[0] == 4


def test_an_answer_is_quick_while_the_process_is_busy(server: TimeServer) -> None:
    busy, stop = [], threading.Event()

    def compute() -> None:
        while not stop.is_set():
            busy.append(sum(range(2000)))

    thread = threading.Thread(target=compute)
    thread.start()
    with met(server.address) as run:
        assert run.offset().uncertainty_ns < 100 * MS
    stop.set()
    thread.join()
    assert busy


def test_with_keys_only_those_who_have_them_are_answered(tmp_path: Path, far: Elsewhere) -> None:
    keys = tmp_path / "keys"
    make_keys(keys, [])
    server = TimeServer("tcp://0.0.0.0:0", far.now_ns, keys)
    address = server.address.replace("0.0.0.0", "127.0.0.1")
    stranger = RunTime(address, HERE, HERE)
    with met(address, keys) as run:
        assert abs(run.now_ns() - far.now_ns()) < 20 * MS
    assert not stranger.await_first(0)
    stranger.close()
    server.close()


def test_an_open_door_without_keys_is_refused() -> None:
    with pytest.raises(BusError, match="without keys"):
        TimeServer("tcp://0.0.0.0:0", HERE.now_ns)


def test_a_server_that_is_closed_can_be_had_again(far: Elsewhere) -> None:
    first = TimeServer(ANY, far.now_ns)
    first.close()
    again = TimeServer(first.address, far.now_ns)
    assert again.address == first.address
    again.close()
