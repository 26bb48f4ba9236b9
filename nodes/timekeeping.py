"""The run's time: kept and told where the run is, asked for on other hosts."""

from __future__ import annotations

from typing import Any

from bindstream.clocks.exchange import RunTime, TimeServer
from bindstream.clocks.host import Clock
from bindstream.config import BusConfig
from nodes.cluster import reachable
from nodes.wiring import Wiring


class Timekeeper:
    """The run's clock, and the server that tells other hosts of it. For after Ray was started.

    Raises:
        BusError: the server's address cannot be had.
    """

    def __init__(self, bus: BusConfig) -> None:
        self.clock = Clock.read()
        self._server = TimeServer(bus.time_address, self.clock.now_ns, bus.keys)
        self.address = reachable(self._server.address)

    def status(self) -> dict[str, Any]:
        """`uncertainty_ns`: how far from UTC the clock was at the run's beginning at most; None if
        nothing kept the host's clock."""
        return {
            "address": self.address,
            "clock": self.clock.id,
            "uncertainty_ns": self.clock.uncertainty_ns,
        }

    def troubles(self) -> dict[str, str]:
        """What parted the clock from UTC since then, if anything did."""
        trouble = self.clock.trouble()
        return {"clock": trouble} if trouble else {}

    def close(self) -> None:
        self._server.close()


def run_time(wiring: Wiring) -> RunTime | None:
    """The run's time on this host, kept up from now on; None on the run's own host."""
    here = wiring.clock.here()
    if here.id == wiring.clock.id:
        return None
    return RunTime(wiring.time, here, wiring.clock, wiring.keys)
