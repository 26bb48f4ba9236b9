"""Run inside the guest of `guest.py`, by `test_v4l2.py`: sources on a real V4L2 device."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from bindstream.records import Sample
from bindstream.sources import Source
from bindstream.sources.camera import Camera, CameraOptions
from bindstream.sources.reader import Backoff, Reader
from bindstream.sources.thermal import Thermal, ThermalOptions
from tests.devices.streams import context, read_some, take_some

DEVICE = "/dev/video0"


@contextmanager
def opened(source: Source) -> Iterator[Source]:
    source.open()
    try:
        yield source
    finally:
        source.close()


def control(*arguments: str) -> None:
    subprocess.run(["v4l2-ctl", *arguments], check=True, capture_output=True)


def raw_frame(path: Path, width: int, height: int, letters: str) -> np.ndarray:
    """What the kernel gives, taken by another program: the picture holds still."""
    control(f"--set-fmt-video=width={width},height={height},pixelformat={letters}")
    control("--stream-mmap=3", "--stream-count=2", f"--stream-to={path}")
    content = np.fromfile(path, np.uint8)[-2 * width * height :]
    return content.view("<u2").reshape(height, width)


def thermal_sample(width: int, height: int, layout: str) -> Sample:
    # A scale that takes any count of vivid's test picture for a temperature.
    options = ThermalOptions(
        kind="thermal",
        device=DEVICE,
        layout=layout,
        width=width,
        height=height,
        celsius={"scale": 1 / 64},
    )
    with opened(Thermal(options, context("thermal"))) as source:
        return read_some(source, 2)[-1]


# vivid does not grow its picture again once a program asked for a smaller one: largest first.


def test_camera_gives_the_test_picture_in_rgb_and_kernel_time() -> None:
    control("-c", "osd_text_mode=2")  # no running text over the picture, from here on
    options = CameraOptions(kind="camera", device=0, width=640, height=480, short_side=240)
    with opened(Camera(options, context("vision"))) as source:
        samples = read_some(source, 10)
    assert {s.data.shape for s in samples} == {(240, 320, 3)}
    row = samples[-1].data[40, 5::10] > 90
    colours = ["".join(str(int(level)) for level in pixel) for pixel in row]
    bars = list(dict.fromkeys(colours))
    assert bars == ["111", "110", "011", "010", "101", "100", "001", "000"], "not RGB colour bars"
    assert {s.uncertainty_ns for s in samples} == {20_000_000}, "kernel times were not believed"
    assert all(0 <= s.receive_ns - s.start_ns < 2e9 for s in samples)
    assert (np.diff([s.start_ns for s in samples]) > 0).all()


def test_stacked_yuyv_counts_are_the_kernels(tmp_path: Path) -> None:
    truth = raw_frame(tmp_path / "raw", 256, 384, "YUYV")
    sample = thermal_sample(256, 384, "yuyv_stacked")
    assert (sample.data == (truth[192:] / 64).astype(np.float32)).all()


def test_y16_counts_are_the_kernels_without_telemetry(tmp_path: Path) -> None:
    truth = raw_frame(tmp_path / "raw", 160, 122, "Y16 ")
    sample = thermal_sample(160, 122, "auto")
    assert (sample.data == (truth[:120] / 64).astype(np.float32)).all()


def test_unplugged_device_leaves_a_marked_gap_and_is_opened_again() -> None:
    options = CameraOptions(kind="camera", device=DEVICE)
    backoff = Backoff(first_s=0.2, most_s=0.5)
    reader = Reader(lambda: Camera(options, context("vision")), backoff=backoff).start()
    try:
        assert take_some(reader, 2)[0].gap == ""
        control("-c", "disconnect=1")
        until_s = time.monotonic() + 30
        while reader.health().opens < 2:
            assert time.monotonic() < until_s, reader.health()
            before = reader.take(0.1)
        back = before + take_some(reader, 1)
    finally:
        reader.stop()
        assert reader.join(10)
    assert any("/dev/video0 gives no more frames" in s.gap for s in back)
