"""Where Prometheus finds a run's figures, as a configuration states it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from bindstream.bus import is_loopback
from bindstream.config.places import Problem
from bindstream.config.section import Section

PORT = 9464
"""That of OpenTelemetry's exporter for Prometheus, registered for nothing else."""


class MetricsConfig(Section):
    """Serve a run's figures to Prometheus, by HTTP at /metrics.

    Whoever can reach the address can read them, for they come without a password: which streams
    and queries there are, and when something happened. So that is this machine alone unless `open`
    says otherwise.
    """

    address: str = Field(default=f"127.0.0.1:{PORT}", description="HOST:PORT (0: any free port)")
    open: bool = Field(
        default=False, description="let other machines read it, where the address lets them"
    )

    @property
    def host(self) -> str:
        return self.address.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    @field_validator("address")
    @classmethod
    def _place(cls, address: str) -> str:
        host, _, port = address.rpartition(":")
        if not (host and port.isascii() and port.isdigit() and int(port) < 65536):
            raise PydanticCustomError("place", "is not HOST:PORT, as in 127.0.0.1:9464")
        return address

    @model_validator(mode="after")
    def _safe(self) -> MetricsConfig:
        if not self.open and not is_loopback(f"tcp://{self.address}"):
            raise PydanticCustomError(
                "open_metrics",
                "{a} can be reached from other machines, and has no password: take 127.0.0.1, or "
                "say `open: true`",
                {"a": self.address},
            )
        return self


def metrics_problems(data: dict[str, Any]) -> Iterator[Problem]:
    """What is wrong with the section beside its values."""
    if "metrics" not in data:
        return
    if data["metrics"] is None:
        yield ("metrics",), "is empty: nothing is served", "Write `metrics: {}`.", "warning"
    elif importlib.util.find_spec("prometheus_client") is None:
        fix = "Run: pip install 'bindstream[metrics]'."
        yield ("metrics",), "needs prometheus_client, which is not installed", fix, "warning"
