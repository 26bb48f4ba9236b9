from __future__ import annotations

import json

import pytest

from bindstream.devices import list_devices
from tests.cli.conftest import Command


def test_devices_as_json_are_those_of_the_library(bindstream: Command) -> None:
    shown = bindstream("devices", "--json")
    assert shown.code == 0
    found = json.loads(shown.out)
    assert [each["address"] for each in found] == [d.address for d in list_devices().found]


def test_a_machine_without_devices_is_told_so(bindstream: Command) -> None:
    if list_devices().found:
        pytest.skip("this machine has devices")
    shown = bindstream("devices")
    assert shown.code == 0
    assert "No camera" in shown.out
