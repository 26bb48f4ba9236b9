"""A socket that answers: messages of any number of peers, in a thread of its own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

import zmq

from bindstream.bus import bind, make_server, refuse_open_door, serve_curve
from bindstream.keys import server_keys


class Responder:
    """Answers each message with `answer`, one at a time; where that gives None the peer gets none.

    Not a REP socket: after a message that lacks its empty frame, that loses the next peer's.

    Args:
        name: of the thread.
        answer: from a message's frames to those of the answer; must not raise.
        message_most: bytes a frame may have; longer ones end the connection they came by.
        waiting_most: messages of one peer that wait for their turn; whoever sends more has to wait.

    Raises:
        BusError: the address is open to the network without keys, or cannot be bound.
    """

    def __init__(
        self,
        name: str,
        address: str,
        answer: Callable[[list[bytes]], list[bytes] | None],
        keys_folder: Path | None,
        *,
        message_most: int,
        waiting_most: int,
    ) -> None:
        keys = server_keys(keys_folder) if keys_folder else None
        refuse_open_door(address, keys)
        self._answer = answer
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._authenticator = serve_curve(self._context, keys) if keys else None
        socket = self._context.socket(zmq.ROUTER)
        try:
            make_server(socket, keys)
            socket.linger = 0
            socket.maxmsgsize = message_most
            socket.rcvhwm = socket.sndhwm = waiting_most
            self.address = bind(socket, address)
        except BaseException:
            socket.close()
            self._end()
            raise
        self._thread = threading.Thread(target=self._serve, args=(socket,), name=name, daemon=True)
        self._thread.start()

    def _serve(self, socket: zmq.Socket[bytes]) -> None:
        try:
            while True:
                peer, *frames = socket.recv_multipart()
                answer = self._answer(frames)
                if answer is not None:
                    with contextlib.suppress(zmq.Again):  # a peer that takes no answers gets none
                        socket.send_multipart([peer, *answer], zmq.NOBLOCK)
        except zmq.ZMQError:
            pass  # the context was terminated: that is how `close` ends it
        finally:
            socket.close()

    def _end(self) -> None:
        if self._authenticator is not None:
            self._authenticator.stop()
        self._context.term()

    def close(self) -> None:
        self._end()
        self._thread.join(timeout=2)
