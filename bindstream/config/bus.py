"""Where vectors, alerts, control and the run's time travel, as a configuration states it."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from bindstream.bus import is_loopback
from bindstream.config.section import Section


class BusConfig(Section):
    """The ZeroMQ sockets by which vectors, alerts and control travel."""

    address: str = Field(default="tcp://127.0.0.1:5560", description="vectors and alerts, PUB")
    inbound: str = Field(
        default="tcp://127.0.0.1:5559", description="where the pipeline's own nodes publish"
    )
    control: str = Field(default="tcp://127.0.0.1:5561", description="queries and status, to REQ")
    time: str | None = Field(
        default=None,
        description="where other hosts ask for the run's time, ROUTER; any free port beside "
        "`inbound` if left out",
    )
    keys: Path | None = Field(
        default=None, description="folder of CURVE keys made by `bindstream keys`"
    )

    @property
    def time_address(self) -> str:
        """Of `time`; who may publish may ask for the time by default, and nobody else."""
        host = self.inbound.rpartition(":")[0] if self.inbound.startswith("tcp:") else ""
        return self.time or f"{host or 'tcp://127.0.0.1'}:0"

    @field_validator("address", "inbound", "control", "time")
    @classmethod
    def _endpoint(cls, address: str | None) -> str | None:
        if address is None:
            return None
        scheme, _, rest = address.partition("://")
        host, _, port = rest.rpartition(":")
        tcp = scheme == "tcp" and host and port.isdigit() and int(port) < 65536
        if not (tcp or (scheme == "ipc" and rest)):
            raise PydanticCustomError(
                "endpoint", "is not tcp://HOST:PORT (0: any free port) or ipc://PATH"
            )
        return address

    @model_validator(mode="after")
    def _safe(self) -> BusConfig:
        addresses = (self.address, self.inbound, self.control, self.time_address)
        for address in addresses:
            if addresses.count(address) > 1 and not address.endswith(":0"):
                raise PydanticCustomError(
                    "same_address", "address, inbound, control and time share {a}", {"a": address}
                )
            if self.keys is None and not is_loopback(address):
                raise PydanticCustomError(
                    "open_bus",
                    "{a} can be reached from other machines but `keys` is not set",
                    {"a": address},
                )
        return self
