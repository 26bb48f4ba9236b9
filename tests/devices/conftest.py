"""Devices that any test in this folder may ask for by name."""

from __future__ import annotations

from tests.devices.pulse import pulse
from tests.devices.serial_line import serial_line

__all__ = ["pulse", "serial_line"]
