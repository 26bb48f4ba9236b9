"""A stream actor's ear for alerts: hears of them on the bus, and has their evidence saved."""

from __future__ import annotations

import dataclasses
import threading
import time

from bindstream.bus import Subscriber, is_loopback
from bindstream.clocks.host import Now
from bindstream.evidence import EvidenceHealth, Keeper
from bindstream.keys import client_keys
from bindstream.records import Alert
from nodes.wiring import Wiring

QUIET_S = 0.4
"""When no alert came for so long, those of the last windows have come."""


class EvidenceEar:
    """Listens in a thread of its own, in which saving disturbs no sensor.

    Args:
        clock: tells the run's time on the host that it runs on.
    """

    def __init__(self, wiring: Wiring, clock: Now, keeper: Keeper) -> None:
        self._clock, self._keeper = clock, keeper
        self._deaf = ""
        if wiring.clock.here().id != wiring.clock.id and is_loopback(wiring.address):
            self._deaf = (
                "alerts cannot be heard of on this host, so that no evidence is saved: set "
                "bus.address to one that it can reach, with bus.keys"
            )
        keys = client_keys(wiring.keys) if wiring.keys else None
        self._subscriber = Subscriber(wiring.address, ["alert."], keys)
        self._is_over = False
        self._turned_s = self._heard_s = time.monotonic()
        threading.Thread(target=self._run, name="evidence", daemon=True).start()

    def end(self) -> None:
        """The stream is over: what is open is saved with the next turn, and so is what comes."""
        self._is_over = True

    def settle(self, timeout_s: float) -> None:
        """Wait until no more alerts come and all are saved."""
        until_s = time.monotonic() + timeout_s
        begun_s = self._heard_s = time.monotonic()
        while time.monotonic() < until_s:
            quiet = time.monotonic() - self._heard_s > QUIET_S
            if quiet and self._turned_s > begun_s + QUIET_S:
                return
            time.sleep(0.05)

    def health(self) -> EvidenceHealth:
        said = self._keeper.health()
        return dataclasses.replace(said, trouble=self._deaf or said.trouble)

    def _run(self) -> None:
        while True:
            record = self._subscriber.receive(0.2)
            now_ns = self._clock.now_ns()
            if isinstance(record, Alert):
                self._heard_s = time.monotonic()
                self._keeper.take(record, now_ns)
            if self._is_over:
                self._keeper.end(now_ns)
            else:
                self._keeper.due(now_ns)
            self._turned_s = time.monotonic()
