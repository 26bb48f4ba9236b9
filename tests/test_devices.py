from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from bindstream.config import StreamConfig
from bindstream.devices import Device, list_cameras, list_devices, stream_name


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Folders laid out as Linux lays out two UVC cameras, the second one thermal."""
    usb = (("1-1", "046d", "082d", "8F2A", "HD Pro Webcam C920"), ("1-2", "1e4e", "0100", "", "P2"))
    for i, (bus, vendor, product, serial, name) in enumerate(usb):
        interface = tmp_path / "devices" / bus / f"{bus}:1.0"
        interface.mkdir(parents=True)
        for key, value in (("idVendor", vendor), ("idProduct", product), ("serial", serial)):
            if value:
                (interface.parent / key).write_text(value + "\n")
        for node, index in ((2 * i, 0), (2 * i + 1, 1)):  # the second is metadata
            entry = tmp_path / "sys" / f"video{node}"
            entry.mkdir(parents=True)
            (entry / "name").write_text(name + "\n")
            (entry / "index").write_text(f"{index}\n")
            (entry / "device").symlink_to(interface)
            (tmp_path / "dev").mkdir(exist_ok=True)
            (tmp_path / "dev" / f"video{node}").touch()
    by_id = tmp_path / "dev" / "v4l" / "by-id"
    by_id.mkdir(parents=True)
    (by_id / "usb-046d_HD_Pro_Webcam_C920_8F2A-video-index0").symlink_to("../../video0")
    return tmp_path


def test_cameras_are_found_once_with_a_name_that_lasts(machine: Path) -> None:
    webcam, thermal = list_cameras(machine / "sys", machine / "dev")
    assert (webcam.name, webcam.usb) == ("HD Pro Webcam C920", "046d:082d:8F2A")
    assert webcam.address.endswith("C920_8F2A-video-index0")
    assert thermal.address == str(machine / "dev" / "video2")


def test_a_thermal_camera_is_known_by_its_usb_id(machine: Path) -> None:
    webcam, thermal = list_cameras(machine / "sys", machine / "dev")
    assert (webcam.kind, thermal.kind) == ("camera", "thermal")
    assert thermal.options["celsius"] == "lepton"


def test_no_video_at_all_is_no_error(tmp_path: Path) -> None:
    assert list(list_cameras(tmp_path / "none", tmp_path / "none")) == []


def stream_of(device: Device) -> StreamConfig:
    (stream,) = yaml.safe_load("streams:\n" + device.snippet)["streams"]
    return StreamConfig.model_validate(stream)


def test_every_snippet_can_be_pasted(machine: Path) -> None:
    cameras = list(list_cameras(machine / "sys", machine / "dev"))
    others = [
        Device("microphone", "USB: ünï", "x", "", {"kind": "microphone", "device": "USB: ünï"}),
        Device("serial", "CP2102", "/dev/ttyUSB0", "", {"kind": "imu", "port": "/dev/ttyUSB0"}),
    ]
    names = [stream_of(device).name for device in (*cameras, *others, *list_devices().found)]
    assert names[:4] == ["hd-pro-webcam-c920", "p2", "usb-n", "cp2102"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("HD Pro (C920)", "hd-pro-c920"), ("カメラ", "sensor"), ("a" * 99, "a" * 40)],
)
def test_names_of_devices_become_names_of_streams(name: str, expected: str) -> None:
    assert stream_name(name) == expected
