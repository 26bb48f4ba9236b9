"""What an IMU's configuration may say."""

from __future__ import annotations

from typing import Any

import pytest

from bindstream.sources.imu import ImuOptions


def options(**given: Any) -> ImuOptions:
    return ImuOptions.model_validate({"kind": "imu", **given})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "none is given"),
        ({"port": "/dev/ttyUSB0", "file": "walk.csv"}, "port and file is given"),
        ({"file": "walk.bin", "format": "witmotion"}, "CSV or NPZ"),
        ({"port": "/dev/ttyUSB0", "setup": True}, "format: witmotion"),
        ({"port": "a", "format": "witmotion", "setup": True, "baud": 9600}, "9600 baud"),
        ({"port": "a", "format": "binary"}, "witmotion"),
        ({"port": "a", "bauds": 9600}, "bauds"),
    ],
)
def test_what_cannot_work_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match="validation error") as caught:
        options(**given)
    assert words in str(caught.value)


def test_networks_are_given_more_time_than_cables() -> None:
    assert options(port="/dev/ttyUSB0").lateness_s is None
    assert options(port="socket://10.0.0.7:3000").lateness_s == 0.5
    assert options(port="socket://10.0.0.7:3000", lateness_s=0.2).lateness_s == 0.2


def test_options_are_those_of_an_imu() -> None:
    assert ImuOptions.modality == "imu"
    assert options(serial="FT123", header=["ax", "ay", "az", "gx", "gy", "gz"]).baud == 115200
