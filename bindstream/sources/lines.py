"""Byte lines to serial devices: a port, a USB serial number, a TCP socket, RFC 2217."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import Any, Protocol
from urllib.parse import urlsplit

from bindstream.errors import MissingPackageError, SourceError
from bindstream.sources import SourceContext
from bindstream.sources.addresses import redacted
from bindstream.sources.frames import lost

READ_S = 0.1
"""A read that has nothing returns so soon."""
CONNECT_S = 3.0
SETTLE_S = 0.1
"""A sensor takes a command in at its own pace."""
MOST = 65536


class Line(Protocol):
    """An open line. `shown` is how errors name it."""

    shown: str

    def read(self) -> bytes:
        """What has come; b"" when nothing did within about 0.1 s.

        Raises:
            SourceError: the line is gone.
        """

    def write(self, *commands: bytes) -> None:
        """Send each command, with a pause after it."""

    def close(self) -> None: ...


def open_line(context: SourceContext, port: str, baud: int) -> Line:
    """Open `port`: a device's path, socket://HOST:PORT or rfc2217://HOST:PORT.

    Raises:
        SourceError: it is not there, not allowed, taken, or does not answer.
        MissingPackageError: pyserial is not installed.
    """
    if port.startswith("socket://"):
        return SocketLine(context, port)
    return SerialLine(context, port, baud)


class SocketLine:
    """A TCP connection. pyserial's own reads these one byte at a time."""

    def __init__(self, context: SourceContext, url: str) -> None:
        self.shown = redacted(url)
        self._context = context
        parts = urlsplit(url)
        try:
            address = parts.hostname, parts.port
            self._socket = socket.create_connection(address, CONNECT_S)
        except (OSError, ValueError) as error:  # ValueError: this is no port
            raise _unopened(context, self.shown, error) from None
        self._socket.settimeout(READ_S)

    def read(self) -> bytes:
        try:
            data = self._socket.recv(MOST)
        except TimeoutError:
            return b""
        except OSError as error:
            raise _broken(self._context, self.shown, error) from None
        if not data:
            raise _broken(self._context, self.shown, "the other side closed it")
        return data

    def write(self, *commands: bytes) -> None:
        for command in commands:
            try:
                self._socket.sendall(command)
            except OSError as error:
                raise _broken(self._context, self.shown, error) from None
            time.sleep(SETTLE_S)

    def close(self) -> None:
        self._socket.close()


class SerialLine:
    """A serial port through pyserial. What was sent before opening is discarded."""

    def __init__(self, context: SourceContext, port: str, baud: int) -> None:
        import termios

        serial = _pyserial()
        remote = "://" in port
        self.shown = redacted(port) if remote else port
        self._context = context
        # Another reader on the same port would take half of the bytes.
        options = {} if remote else {"exclusive": True, "write_timeout": 1.0}
        self._failures = (OSError, termios.error)
        try:
            self._port: Any = serial.serial_for_url(port, baudrate=baud, timeout=READ_S, **options)
        except (*self._failures, ValueError) as error:
            raise _unopened(context, self.shown, error) from None
        # Takes 16 ms of delay out of FTDI's adapters; others do not know it.
        with contextlib.suppress(*self._failures, AttributeError, NotImplementedError, ValueError):
            self._port.set_low_latency_mode(True)

    def read(self) -> bytes:
        try:
            return bytes(self._port.read(self._port.in_waiting or 1))
        except self._failures as error:
            raise _broken(self._context, self.shown, error) from None

    def write(self, *commands: bytes) -> None:
        for command in commands:
            try:
                self._port.write(command)
            except self._failures as error:
                raise _broken(self._context, self.shown, error) from None
            time.sleep(SETTLE_S)

    def close(self) -> None:
        with contextlib.suppress(*self._failures):
            self._port.close()


def find_port(context: SourceContext, serial_number: str) -> str:
    """Path of the serial port whose USB device has this serial number: it survives replugging.

    Raises:
        SourceError: there is none; names those there are.
        MissingPackageError: pyserial is not installed.
    """
    _pyserial()
    from serial.tools import list_ports

    ports = list(list_ports.comports())
    for port in ports:
        if port.serial_number == serial_number:
            return str(port.device)
    named = [f"{p.device} ({p.serial_number})" for p in ports if p.serial_number]
    raise lost(
        context,
        f"no USB serial device has the serial number {serial_number!r}.",
        f"There are: {', '.join(named)}." if named else "There is none at all: plug it in.",
    )


def _pyserial() -> Any:
    try:
        import serial
    except ImportError as error:
        raise MissingPackageError(
            f"serial sensors need pyserial ({error}).", fix="pip install 'bindstream[imu]'"
        ) from None
    return serial


def _unopened(context: SourceContext, shown: str, error: Exception) -> SourceError:
    fix = "Check that it is plugged in and switched on."
    if getattr(error, "errno", None) == 13:
        fix = "Add the user to the group dialout and log in again."
    elif "lock" in str(error):
        fix = "Another program reads it: end that one."
    return lost(context, f"{shown} cannot be opened ({_reason(error)}).", fix)


def _broken(context: SourceContext, shown: str, why: Exception | str) -> SourceError:
    reason = why if isinstance(why, str) else _reason(why)
    return lost(context, f"{shown} was lost ({reason}).", "Check its plug; it is tried again.")


def _reason(error: Exception) -> str:
    """The operating system's words, without pyserial's frame around them."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
