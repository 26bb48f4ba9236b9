"""The bus: ZeroMQ PUB/SUB with one broker, so that subscribers need one address.

Publishers connect to `inbound`, subscribers to `address`. Both are on loopback unless CURVE keys
are given; without keys, binding to anything another host could reach is refused.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

import zmq
from zmq.auth.thread import ThreadAuthenticator

from bindstream.errors import BusError
from bindstream.keys import ClientKeys, ServerKeys, client_keys, server_keys
from bindstream.records import Alert, Embedding
from bindstream.wire import HEADER_MOST, decode, encode_alert, encode_embedding

MESSAGE_MOST = 4 * HEADER_MOST
"""Bytes a frame on the bus may have; longer ones end the connection they came by."""
TOPIC_MOST = 1024
"""Bytes a topic that is subscribed to may have. ZeroMQ keeps topics in a tree a level a byte and
walks it by recursion: one of 200 kB overflows the stack of whoever forwards it."""
BACKLOG = 1000
"""Messages held for a slow subscriber before it loses the newest (seen as a hole in `seq`)."""
STREAMS_MOST = 10_000
"""Streams that one subscriber follows: it remembers of each what came last."""


def is_loopback(address: str) -> bool:
    """True for `ipc://`, `inproc://` and addresses that only this host can reach."""
    try:
        parts = urlsplit(address)
        if parts.scheme in ("ipc", "inproc"):
            return True
        host = parts.hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # neither an address nor "localhost": a name, * or an interface
        return False


def refuse_open_door(address: str, keys: object) -> None:
    """Raises BusError where `address` reaches beyond this host and there are no keys."""
    if keys is None and not is_loopback(address):
        raise BusError(
            f"binding {address} without keys would let anyone on the network in.",
            where="bus",
            fix="Make keys (`bindstream keys keys/`) and set `bus.keys: keys/`, or use 127.0.0.1.",
        )


def serve_curve(context: zmq.Context[zmq.Socket[bytes]], keys: ServerKeys) -> ThreadAuthenticator:
    """Start letting in only the clients whose keys are known; once a context."""
    authenticator = ThreadAuthenticator(context)
    authenticator.start()
    authenticator.configure_curve(domain="*", location=str(keys.clients))
    return authenticator


def make_server(socket: zmq.Socket[bytes], keys: ServerKeys | None) -> None:
    if keys is not None:
        socket.curve_publickey, socket.curve_secretkey = keys.public, keys.secret
        socket.curve_server = True


def make_client(socket: zmq.Socket[bytes], keys: ClientKeys | None) -> None:
    socket.linger = 0
    if keys is not None:
        socket.curve_serverkey = keys.server
        socket.curve_publickey, socket.curve_secretkey = keys.public, keys.secret


def bind(socket: zmq.Socket[bytes], address: str) -> str:
    """Bind and return the address really bound (a port of 0 or * is chosen by the system)."""
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        raise BusError(
            f"cannot bind {address}: {error}.",
            where="bus",
            fix="Is another run using it? Stop that one or choose another port.",
        ) from None
    return str(socket.getsockopt_string(zmq.LAST_ENDPOINT)).rstrip("\0")


def connect(socket: zmq.Socket[bytes], address: str) -> None:
    """Connect; whoever is there or not, this returns at once.

    Raises:
        BusError: this is no address.
    """
    try:
        socket.connect(address)
    except zmq.ZMQError as error:
        socket.close(linger=0)
        raise BusError(
            f"cannot connect to {address!r}: {error.strerror}.",
            where="bus",
            fix="Give an address like tcp://127.0.0.1:5560.",
        ) from None


class Broker:
    """Takes messages in at `inbound` and hands them out at `address`, in a thread of its own.

    Publishers send it everything, asked for or not: what subscribers ask for goes no further than
    here, and nothing that they send reaches anyone.
    """

    def __init__(self, address: str, inbound: str, keys_folder: Path | None = None) -> None:
        keys = server_keys(keys_folder) if keys_folder else None
        refuse_open_door(address, keys)
        refuse_open_door(inbound, keys)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._authenticator = serve_curve(self._context, keys) if keys else None
        front, back = self._context.socket(zmq.SUB), self._context.socket(zmq.PUB)
        front.subscribe("")
        try:
            for socket in (front, back):
                make_server(socket, keys)
                socket.linger = 0
            front.maxmsgsize, back.maxmsgsize = MESSAGE_MOST, TOPIC_MOST
            front.rcvhwm = back.sndhwm = BACKLOG
            self.inbound = bind(front, inbound)
            self.address = bind(back, address)
        except BaseException:
            front.close()
            back.close()
            self._end()
            raise
        self._thread = threading.Thread(
            target=self._forward, args=(front, back), name="broker", daemon=True
        )
        self._thread.start()

    def _forward(self, front: zmq.Socket[bytes], back: zmq.Socket[bytes]) -> None:
        try:
            zmq.proxy(front, back)
        except zmq.ZMQError:
            pass  # the context was terminated: that is how `close` ends it
        finally:
            front.close()
            back.close()

    def _end(self) -> None:
        if self._authenticator is not None:
            self._authenticator.stop()
        self._context.term()

    def close(self) -> None:
        self._end()
        self._thread.join(timeout=2)


class Publisher:
    """Publishes embeddings and alerts. Never blocks; one thread may use it at a time."""

    def __init__(self, inbound: str, keys_folder: Path | None = None) -> None:
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUB)
        make_client(self._socket, client_keys(keys_folder) if keys_folder else None)
        self._socket.setsockopt(zmq.SNDHWM, BACKLOG)
        connect(self._socket, inbound)

    def publish(self, record: Embedding | Alert) -> None:
        frames = encode_embedding(record) if isinstance(record, Embedding) else encode_alert(record)
        self._socket.send_multipart(frames)

    def close(self) -> None:
        self._socket.close(linger=500)


class Subscriber:
    """Receives embeddings and alerts.

    Args:
        address: the bus's `address`.
        topics: prefixes to subscribe to; "" is everything, "emb.audio." all sounds' vectors,
            "alert." all alerts; at most `TOPIC_MOST` bytes each.
        keys: for a bus with keys.
        streams: if given, vectors of other streams are refused.

    Raises:
        BusError: the address is none, or a topic is too long.

    `missed` counts, per stream, windows that never arrived although later ones did (dropped before
    the bus or lost on the way); `refused` counts messages that could not be read, `refusal` says
    what was wrong with the last of them.
    """

    def __init__(
        self,
        address: str,
        topics: Iterable[str] = ("",),
        keys: ClientKeys | None = None,
        streams: Collection[str] | None = None,
    ) -> None:
        self._streams = streams
        self.missed: Counter[str] = Counter()
        self.refused = 0
        self.refusal = ""
        self._last: dict[str, tuple[int, int]] = {}  # seq and start_ns of the newest window
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
        make_client(self._socket, keys)
        self._socket.setsockopt(zmq.RCVHWM, BACKLOG)
        self._socket.setsockopt(zmq.MAXMSGSIZE, MESSAGE_MOST)
        for topic in topics:
            if len(topic.encode()) >= TOPIC_MOST:
                self._socket.close()
                raise BusError(f"a topic of {len(topic)} letters is too long.", where=topic[:40])
            self._socket.subscribe(topic)
        connect(self._socket, address)

    def receive(self, timeout_s: float) -> Embedding | Alert | None:
        """The next record, or None after `timeout_s` seconds without one."""
        until_s = time.monotonic() + timeout_s
        while self._socket.poll(max(0, round((until_s - time.monotonic()) * 1000))):
            try:
                record = decode(self._socket.recv_multipart())
                if isinstance(record, Embedding):
                    self._check_stream(record.stream)
            except BusError as error:
                self.refused += 1
                self.refusal = str(error)
                if time.monotonic() >= until_s:
                    return None  # a flood of these must not keep the caller
                continue
            if isinstance(record, Embedding):
                self._count(record)
            return record
        return None

    def _check_stream(self, name: str) -> None:
        if self._streams is not None and name not in self._streams:
            raise BusError(f"there is no stream {name!r} in this run.")
        if name not in self._last and len(self._last) >= STREAMS_MOST:
            raise BusError(f"more than {STREAMS_MOST} streams: {name!r} is one too many.")

    def _count(self, record: Embedding) -> None:
        name, seq, start_ns = record.stream, record.seq, record.start_ns
        last_seq, last_ns = self._last.get(name, (seq - 1, start_ns - 1))
        if (seq, start_ns) == (last_seq, last_ns):
            return  # sent again for one whose worker died: it never was missed
        if seq <= last_seq and start_ns <= last_ns:  # two workers finished out of order
            self.missed[name] = max(self.missed[name] - 1, 0)
            return
        # A lower number that is later all the same is a new run, which numbers anew.
        self.missed[name] += max(seq - last_seq - 1, 0)
        self._last[name] = seq, start_ns

    def close(self) -> None:
        self._socket.close(linger=0)

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def subscribe(
    address: str = "tcp://127.0.0.1:5560",
    topics: Iterable[str] = ("",),
    keys: ClientKeys | None = None,
) -> Iterator[Embedding | Alert]:
    """Embeddings and alerts of a running pipeline, for ever. Blocks between them.

    >>> for record in subscribe(topics=["alert."]):
    ...     print(record)

    Args: as of `Subscriber`, which also counts what was missed.
    """
    with Subscriber(address, topics, keys) as subscriber:
        while True:
            record = subscriber.receive(1.0)
            if record is not None:
                yield record
