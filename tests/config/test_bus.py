"""Where the run's time is asked for: who may publish may ask, others only with keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from bindstream.config import BusConfig


def bus(**given: object) -> BusConfig:
    return BusConfig.model_validate(given)


def test_the_time_is_told_beside_where_nodes_publish() -> None:
    assert bus().time_address == "tcp://127.0.0.1:0"
    assert bus(inbound="ipc:///tmp/in").time_address == "tcp://127.0.0.1:0"
    opened = bus(inbound="tcp://192.0.2.1:5559", keys=Path("keys"))
    assert opened.time_address == "tcp://192.0.2.1:0"
    assert bus(time="tcp://127.0.0.1:5562").time_address == "tcp://127.0.0.1:5562"


@pytest.mark.parametrize(
    ("time", "said"),
    [
        ("tcp://0.0.0.0:5562", "`keys` is not set"),
        ("udp://127.0.0.1:5562", "is not tcp://"),
        ("tcp://127.0.0.1:5561", "share tcp://127.0.0.1:5561"),
    ],
)
def test_an_address_that_cannot_be_is_refused(time: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        bus(time=time)
