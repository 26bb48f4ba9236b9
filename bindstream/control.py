"""Control of a running pipeline: questions and answers in msgpack over ZeroMQ, to REQ sockets."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from socket import create_connection
from typing import Any

import msgspec
import zmq

from bindstream.bus import MESSAGE_MOST, connect, make_client
from bindstream.errors import BindstreamError, BusError
from bindstream.keys import ClientKeys
from bindstream.responder import Responder

Request = dict[str, Any]
Answer = dict[str, Any]

QUEUED_MOST = 8
"""Requests of one client that wait for their turn; whoever sends more has to wait for answers."""

SAID_MOST = 3000
"""Characters of a refusal: what was asked for may be in it, as long as it was."""

_IS_IT_UP = "Is `bindstream run` up, with this control address and these keys?"


class ControlServer(Responder):
    """Answers requests with `handle`, in a thread of its own, one at a time.

    Any error of `handle` becomes the answer `{"error": …}`; so does a request that cannot be read.
    What is no question gets none.
    """

    def __init__(
        self, address: str, handle: Callable[[Request], Answer], keys_folder: Path | None = None
    ) -> None:
        self._handle = handle
        super().__init__(
            "control",
            address,
            self._answered,
            keys_folder,
            message_most=MESSAGE_MOST,
            waiting_most=QUEUED_MOST,
        )

    def _answered(self, frames: list[bytes]) -> list[bytes] | None:
        """As a REQ socket sends and takes them: after an empty frame."""
        return [b"", self._said(frames[1])] if len(frames) > 1 and not frames[0] else None

    def _said(self, data: bytes) -> bytes:
        try:
            request = msgspec.msgpack.decode(data, type=Request)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            return _refusal(f"this request cannot be read: {error}.")
        try:
            return msgspec.msgpack.encode(self._handle(request))
        except BindstreamError as error:
            return _refusal(str(error))
        except Exception as error:  # one request that fails must not end the service
            return _refusal(f"this request failed: {type(error).__name__}: {error}.")


def _refusal(what: str) -> bytes:
    """An answer that says why there is none; names of files need not be text."""
    if len(what) > SAID_MOST:
        what = f"{what[: SAID_MOST // 2]} … {what[-SAID_MOST // 2 :]}"
    return msgspec.msgpack.encode({"error": what.encode("utf-8", "backslashreplace").decode()})


def ask(
    address: str, request: Request, *, timeout_s: float = 10, keys: ClientKeys | None = None
) -> Answer:
    """Ask a running pipeline. Blocks for up to `timeout_s`, where nothing listens for no time.

    Raises:
        BusError: nobody answers there, or the answer is an error.
    """
    until_s = time.monotonic() + timeout_s
    _knock(address, timeout_s)
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.REQ)
    try:
        make_client(socket, keys)
        connect(socket, address)
        socket.send(msgspec.msgpack.encode(request))
        if not socket.poll(max(round((until_s - time.monotonic()) * 1000), 0)):
            raise BusError(
                f"no answer within {timeout_s:g} s.",
                where=address,
                fix=_IS_IT_UP,
            )
        answer = msgspec.msgpack.decode(socket.recv(), type=Answer)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BusError(
            f"what answers is no bindstream: {error}.",
            where=address,
            fix="Give the address of `bus.control`.",
        ) from None
    finally:
        socket.close(linger=0)
    if "error" in answer:
        raise BusError(str(answer["error"]))
    return answer


def _knock(address: str, timeout_s: float) -> None:
    """Say at once that nothing listens there: ZeroMQ itself would try again until time is up."""
    scheme, _, place = address.partition("://")
    host, _, port = place.rpartition(":")
    if scheme != "tcp" or not port.isdecimal() or int(port) > 65535:
        return
    try:
        create_connection((host.strip("[]"), int(port)), timeout=timeout_s).close()
    except ConnectionRefusedError:
        raise BusError("nothing listens there.", where=address, fix=_IS_IT_UP) from None
    except OSError:
        pass  # whatever else it is, the question itself will tell
