"""The run's time on another host: a small exchange of stamps beside the bus.

A client sends bursts of probes and keeps the one that was back soonest, as NTP (RFC 5905) and the
Lab Streaming Layer do: the truth lies within half of its round trip, however unlike the two ways
were. `HostOffset` makes a line of what the bursts tell; `RunTime` asks, and stamps what this host's
sensors give.

A probe is `BST1` and a number of 8 bytes; the answer adds when it was received and when it was
answered, the run's time in ns, 8 bytes each, all little-endian. Whatever else comes is not answered
here and not believed there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import random
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import zmq

from bindstream.bus import connect, make_client
from bindstream.clocks.host import Clock
from bindstream.clocks.offset import Exchange, HostOffset, Offset
from bindstream.errors import BusError
from bindstream.keys import client_keys
from bindstream.records import Sample
from bindstream.responder import Responder

PROBES = 8
"""Probes of a burst, as LSL sends."""
APART_S = 0.015
EVERY_S = 4.0
HASTE_S = 0.5
"""How far bursts lie apart as long as there are few."""
FEW = 4
ANSWER_MOST_S = 0.128
"""A probe that took longer tells nothing worth having (LSL drops it as well)."""
SILENT_S = 30.0
"""A run that has not answered for so long is worth a word."""
UNKNOWN_NS = 60 * 10**9
"""How far apart two hosts' clocks may be that nobody compared and that nothing keeps on UTC."""
MESSAGE_MOST = 1024
"""Bytes a message may have; those of CURVE's handshake are larger than probes."""
_PROBE = struct.Struct("<4sQ")
_ANSWER = struct.Struct("<4sQqq")
_MAGIC = b"BST1"
_POLL_MS = 200


class TimeServer(Responder):
    """Answers probes with `now_ns`, in a thread of its own that does nothing else: an answer takes
    tens of microseconds, whatever the run is busy with.

    Raises:
        BusError: the address is open to the network without keys, or cannot be bound.
    """

    def __init__(
        self, address: str, now_ns: Callable[[], int], keys_folder: Path | None = None
    ) -> None:
        self._now_ns = now_ns
        super().__init__(
            "time",
            address,
            self._stamped,
            keys_folder,
            message_most=MESSAGE_MOST,
            waiting_most=4 * PROBES,
        )

    def _stamped(self, frames: list[bytes]) -> list[bytes] | None:
        received_ns = self._now_ns()
        if len(frames) != 1 or len(frames[0]) != _PROBE.size:
            return None
        magic, number = _PROBE.unpack(frames[0])
        if magic != _MAGIC:
            return None
        return [_ANSWER.pack(_MAGIC, number, received_ns, self._now_ns())]


class RunTime:
    """The run's time on this host, kept up in a thread of its own. Nothing of it blocks or raises
    but the constructor.

    Args:
        address: of the run's `TimeServer`.
        here: this host's clock.
        run: the run's, which says how far it may be off UTC.

    Until the run has first answered, both are taken to be as right as they say of themselves.

    Raises:
        BusError: this is no address, or the keys are not there.
    """

    def __init__(
        self, address: str, here: Clock, run: Clock, keys_folder: Path | None = None
    ) -> None:
        self.here, self.address = here, address
        own_ns, run_ns = here.uncertainty_ns, run.uncertainty_ns
        unknown_ns = UNKNOWN_NS if own_ns is None or run_ns is None else own_ns + run_ns
        self._offset = HostOffset(unknown_ns)
        self._parted = 0
        self._stamped_unknown = False
        self._lock = threading.Lock()
        self._first = threading.Event()
        self._stopping = threading.Event()
        self._begun_s = time.monotonic()
        self._heard_s: float | None = None
        self._keys = client_keys(keys_folder) if keys_folder else None
        self._socket = self._connected()
        self._thread = threading.Thread(target=self._run, name="run time", daemon=True)
        self._thread.start()

    def now_ns(self) -> int:
        """The run's time, UTC ns."""
        return self.here.now_ns() + self.offset().offset_ns

    def offset(self) -> Offset:
        """What to add to this host's time now, and how far that may be wrong."""
        with self._lock:
            return self._offset.at(self.here.now_ns())

    def await_first(self, timeout_s: float) -> bool:
        """Wait for the run's first answers; whether they came."""
        return self._first.wait(timeout_s)

    def stamp(self, sample: Sample) -> Sample:
        """The sample as it stands to the run's clock. Where the two hosts' clocks parted (one of
        them slept), or were compared for the first time, the next sample says so as a gap."""
        offset = self.offset()
        gap = sample.gap
        with self._lock:
            if self._offset.parted > self._parted:
                self._parted, gap = self._offset.parted, gap or self._offset.parting
            elif self._offset.known and self._stamped_unknown:
                gap = gap or "how far this host's clock is off the run's was not known until now"
            self._stamped_unknown = not self._offset.known
        return dataclasses.replace(
            sample,
            offset_ns=offset.offset_ns,
            uncertainty_ns=sample.uncertainty_ns + offset.uncertainty_ns,
            gap=gap,
        )

    @property
    def trouble(self) -> str:
        """What is wrong with it ("" = nothing)."""
        heard_s = self._begun_s if self._heard_s is None else self._heard_s
        silent_s = time.monotonic() - heard_s
        if silent_s < SILENT_S:
            return ""
        said = "since it began" if self._heard_s is None else f"for {silent_s:.0f} s"
        off_s = self.offset().uncertainty_ns / 1e9
        return (
            f"the run's clock at {self.address} has not answered {said}: times of this host may be "
            f"{off_s:.3g} s off; set bus.time to an address that it can reach, with bus.keys"
        )

    def close(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=2)

    def _connected(self) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        make_client(socket, self._keys)
        socket.setsockopt(zmq.MAXMSGSIZE, MESSAGE_MOST)
        socket.setsockopt(zmq.SNDHWM, 4 * PROBES)
        connect(socket, self.address)
        return socket

    def _run(self) -> None:
        bursts = 0
        while not self._stopping.is_set():
            best = self._burst()
            if best is None:
                # ZeroMQ does not come back to a peer that once sent what it may not.
                self._socket.close(linger=0)
                with contextlib.suppress(BusError, zmq.ZMQError):  # no socket now: the next time
                    self._socket = self._connected()
            else:
                bursts += 1
                self._heard_s = time.monotonic()
                with self._lock:
                    self._offset.push(best)
                self._first.set()
            self._stopping.wait(HASTE_S if bursts < FEW else EVERY_S)
        self._socket.close(linger=0)

    def _burst(self) -> Exchange | None:
        """The probe of a burst that was back soonest; None if none was in time."""
        back: list[Exchange] = []
        for _ in range(PROBES):
            if self._stopping.is_set():
                break
            with contextlib.suppress(zmq.ZMQError):
                if (exchange := self._probe()) is not None:
                    back.append(exchange)
            self._stopping.wait(APART_S)
        return min(back, key=lambda exchange: exchange.round_trip_ns, default=None)

    def _probe(self) -> Exchange | None:
        number = random.getrandbits(64)  # so that no earlier answer, and none made up, is taken
        sent_ns = self.here.now_ns()
        self._socket.send(_PROBE.pack(_MAGIC, number), zmq.NOBLOCK)
        until_ns = sent_ns + round(ANSWER_MOST_S * 1e9)
        while (left_ns := until_ns - self.here.now_ns()) > 0:
            if not self._socket.poll(min(left_ns // 10**6 + 1, _POLL_MS)):
                continue
            frames = self._socket.recv_multipart(zmq.NOBLOCK)
            back_ns = self.here.now_ns()
            if len(frames) != 1 or len(frames[0]) != _ANSWER.size:
                continue
            magic, told, received_ns, answered_ns = _ANSWER.unpack(frames[0])
            if magic == _MAGIC and told == number:
                made = Exchange.of(sent_ns, received_ns, answered_ns, back_ns)
                return made if made and made.round_trip_ns <= ANSWER_MOST_S * 1e9 else None
        return None
