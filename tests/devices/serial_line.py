"""A serial port without hardware: a pseudo-terminal behind a path that survives replugging."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
import tty
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

PATIENCE_S = 0.5
"""A reader that a busy machine holds up for so long loses nothing."""


class SerialLine:
    """`path` is what a driver opens; what is sent here is what it reads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._master = self._slave = -1
        self._feeding: list[threading.Thread] = []
        self._stop = threading.Event()
        self._changing = threading.Lock()
        self._unread = False
        self.plug()

    def plug(self) -> None:
        """Put a fresh port behind the path, as after plugging in again."""
        master, self._slave = os.openpty()
        tty.setraw(master)
        tty.setraw(self._slave)
        os.set_blocking(master, False)
        self._master = master
        fresh = self.path.with_name(f"{self.path.name}.new")
        fresh.symlink_to(os.ttyname(self._slave))
        os.replace(fresh, self.path)

    def unplug(self) -> None:
        """Hang the port up and take its path away."""
        self._hang_up()
        self.path.unlink(missing_ok=True)

    def send(self, data: bytes) -> None:
        """Put bytes on the line; they are lost if it is unplugged, or full because nobody reads."""
        until_s = time.monotonic() + (0 if self._unread else PATIENCE_S)
        while data:
            with self._changing:
                if self._master < 0:
                    return
                with contextlib.suppress(BlockingIOError):
                    data = data[os.write(self._master, data) :]
                    self._unread = False
            if data and time.monotonic() > until_s:
                self._unread = True
                return
            if data:
                time.sleep(0.002)

    def received(self, timeout_s: float = 2.0) -> bytes:
        """What the driver wrote, once it has been silent for 0.2 s."""
        got, until_s = b"", time.monotonic() + timeout_s
        quiet_s = time.monotonic() + timeout_s
        while time.monotonic() < min(until_s, quiet_s):
            try:
                got += os.read(self._master, 4096)
                quiet_s = time.monotonic() + 0.2
            except BlockingIOError:
                time.sleep(0.01)
        return got

    def feed(self, packets: Iterable[bytes], rate_hz: float) -> threading.Thread:
        """Send packets on their beat from a thread; `.join()` to wait for the last."""
        thread = threading.Thread(target=self._feed, args=(packets, rate_hz), daemon=True)
        self._feeding.append(thread)
        thread.start()
        return thread

    def _feed(self, packets: Iterable[bytes], rate_hz: float) -> None:
        began_s = time.monotonic()
        coming = iter(packets)  # each is made when it is due, so that it may tell the time
        for n in itertools.count():
            if self._stop.wait(max(began_s + n / rate_hz - time.monotonic(), 0)):
                return
            packet = next(coming, None)
            if packet is None:
                return
            self.send(packet)

    def close(self) -> None:
        self._stop.set()
        for thread in self._feeding:
            thread.join(10)
        self.unplug()

    def _hang_up(self) -> None:
        with self._changing:
            for end in (self._master, self._slave):
                if end >= 0:
                    os.close(end)
            self._master = self._slave = -1


@pytest.fixture
def serial_line(tmp_path: Path) -> Iterator[SerialLine]:
    """A plugged-in serial port at `serial_line.path`."""
    line = SerialLine(tmp_path / "imu0")
    yield line
    line.close()
