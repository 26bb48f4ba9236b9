"""Lines to serial devices: addresses that cannot be opened are refused in words."""

from __future__ import annotations

import pytest

from bindstream.errors import SourceError
from bindstream.sources.lines import open_line
from tests.devices.streams import context


@pytest.mark.parametrize("port", ["socket://10.0.0.7:serial", "socket://10.0.0.7:99999"])
def test_an_address_without_a_port_number_is_no_line(port: str) -> None:
    with pytest.raises(SourceError, match=r"stream 'wrist': socket://.* cannot be opened"):
        open_line(context("imu", "wrist"), port, 115200)
