"""A peer that speaks ZMTP 3.0 by hand, so that it can say what no library would."""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
MORE, LONG, COMMAND = 1, 2, 4


def frame(body: bytes, flags: int = 0, claims: int | None = None) -> bytes:
    """A frame of ZMTP; `claims` is how long it says it is."""
    size = len(body) if claims is None else claims
    if size > 255:
        return struct.pack(">BQ", flags | LONG, size) + body
    return bytes([flags, size]) + body


def ready(kind: bytes) -> bytes:
    """The end of the handshake of a socket of this type: SUB, PUB, REQ…"""
    said = b"\x05READY\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind
    return frame(said, COMMAND)


def request(body: bytes) -> bytes:
    """What a REQ socket sends: an empty frame before the body."""
    return frame(b"", MORE) + frame(body)


def dial(address: str) -> socket.socket:
    parts = urlsplit(address)
    assert parts.hostname is not None
    return socket.create_connection((parts.hostname, parts.port or 0), timeout=10)


def hail(address: str, kind: bytes) -> socket.socket:
    """A connection whose handshake is done."""
    line = dial(address)
    line.sendall(GREETING + ready(kind))
    got = b""
    while len(got) < 64 + 2:  # its greeting, and the head of its READY
        got += line.recv(4096)
    return line


def send(line: socket.socket, data: bytes) -> bool:
    """Whether all of it went; a connection that the other side ended is no error."""
    try:
        line.sendall(data)
    except OSError:
        return False
    return True


def hung_up(line: socket.socket) -> bool:
    """Whether the other side ends the connection within some seconds."""
    line.settimeout(10)
    try:
        while line.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


_SERVER = """
import sys
from bindstream.bus import Broker
from bindstream.control import ControlServer
broker = Broker("tcp://127.0.0.1:*", "tcp://127.0.0.1:*")
control = ControlServer("tcp://127.0.0.1:*", lambda asked: {"asked": asked})
print(broker.inbound, broker.address, control.address, flush=True)
sys.stdin.read()
control.close()
broker.close()
"""


@dataclass
class Served:
    """A process with a broker and a control server."""

    process: subprocess.Popen[str]
    inbound: str
    address: str
    control: str

    def rss(self) -> int:
        """Bytes of memory that it has."""
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * 4096

    def settled_rss(self) -> int:
        """The same once it no longer changes."""
        last, now = 0, self.rss()
        until_s = time.monotonic() + 10
        while last != now and time.monotonic() < until_s:
            time.sleep(0.2)
            last, now = now, self.rss()
        return now


@contextlib.contextmanager
def served() -> Iterator[Served]:
    """A broker and a control server in a process of their own, which has to end well."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield Served(process, *process.stdout.readline().split())
        process.communicate("", timeout=30)
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()
