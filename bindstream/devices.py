"""What is plugged in: cameras, microphones and serial ports, found without opening them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

THERMAL_USB = {"1e4e:0100": "lepton", "0bda:5830": "infiray"}
"""Thermal cameras by USB id: GroupGets PureThermal (FLIR Lepton); InfiRay P2 Pro, Topdon TC001."""

DeviceKind = Literal["camera", "thermal", "microphone", "serial"]


@dataclass(frozen=True)
class Device:
    """A device as a configuration would name it.

    `address` is what to write there, stable across replugging where the system offers that;
    `usb` is "vendor:product" in hexadecimal, with ":serial" if it has one ("" if not on USB);
    `options` is what goes under `source:`.
    """

    kind: DeviceKind
    name: str
    address: str
    usb: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def snippet(self) -> str:
        """YAML of a stream of this device, to paste under `streams:`."""
        stream = {"name": stream_name(self.name), "source": self.options}
        text = yaml.safe_dump([stream], sort_keys=False, allow_unicode=True, width=1000)
        return "".join(f"  {line}\n" for line in text.splitlines())


@dataclass(frozen=True)
class Devices:
    """All that was found; `unseen` says, a kind of device a line, what could not be looked for."""

    found: tuple[Device, ...]
    unseen: tuple[str, ...]


def list_devices() -> Devices:
    """Every camera, microphone and serial port of this machine. Takes up to a second."""
    found = [*list_cameras()]
    unseen: list[str] = []
    for look, what in ((list_microphones, "microphones"), (list_serial_ports, "serial ports")):
        try:
            found += look()
        except (ImportError, OSError) as error:
            extra = "microphone" if what == "microphones" else "imu"
            way = f"pip install 'bindstream[{extra}]'"
            if isinstance(error, OSError):
                way = "apt-get install libportaudio2"
            unseen.append(f"{what}: {error}; {way}")
    return Devices(tuple(found), tuple(unseen))


def list_cameras(
    sys: Path = Path("/sys/class/video4linux"), dev: Path = Path("/dev")
) -> Iterator[Device]:
    """V4L2 capture devices; the metadata nodes that UVC cameras have beside them are left out."""
    by_id = _links(dev / "v4l" / "by-id") | _links(dev / "v4l" / "by-path")
    for entry in sorted(sys.glob("video*"), key=lambda path: int(path.name[5:] or 0)):
        if _read(entry / "index") not in ("", "0"):
            continue
        usb = _usb_id(entry / "device")
        preset = THERMAL_USB.get(usb[:9])
        node = dev / entry.name
        address = str(by_id.get(node.name, node))
        options: dict[str, Any] = {"kind": "thermal" if preset else "camera", "device": address}
        if preset:
            options["celsius"] = preset
        kind: DeviceKind = "thermal" if preset else "camera"
        yield Device(kind, _read(entry / "name") or entry.name, address, usb, options)


def list_microphones() -> Iterator[Device]:
    """Inputs that PortAudio knows.

    Raises:
        ImportError: sounddevice is not installed.
        OSError: the PortAudio library is not there.
    """
    import sounddevice

    for found in sounddevice.query_devices():
        if found["max_input_channels"] > 0:
            name = found["name"]
            yield Device("microphone", name, name, "", {"kind": "microphone", "device": name})


def list_serial_ports(dev: Path = Path("/dev")) -> Iterator[Device]:
    """USB and platform serial ports; the ttyS of PCs that no one has is left out.

    Raises:
        ImportError: pyserial is not installed.
    """
    from serial.tools.list_ports import comports

    by_id = _links(dev / "serial" / "by-id")
    for port in comports():
        usb = ""
        if port.vid is not None:
            parts = [f"{port.vid:04x}", f"{port.pid:04x}", port.serial_number or ""]
            usb = ":".join(part for part in parts if part)
        elif port.name.startswith("ttyS"):
            continue
        address = str(by_id.get(port.name, port.device))
        name = port.product or port.description or port.name
        yield Device("serial", name, address, usb, {"kind": "imu", "port": address})


def stream_name(name: str) -> str:
    """A stream's name made from a device's: "HD Webcam C920" gives "hd-webcam-c920"."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower())[:40].strip("-") or "sensor"


def _links(folder: Path) -> dict[str, Path]:
    """Stable names in a folder of symbolic links, by the device node they lead to."""
    links = sorted(folder.iterdir()) if folder.is_dir() else []
    return {link.resolve().name: link for link in reversed(links)}


def _usb_id(device: Path) -> str:
    """vendor:product[:serial] of the USB device that an interface in /sys belongs to."""
    parent = device.resolve().parent
    parts = [_read(parent / name) for name in ("idVendor", "idProduct", "serial")]
    return ":".join(part for part in parts if part) if parts[0] else ""


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
