"""A camera's options, and cameras that are recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from bindstream.errors import BindstreamError, SourceError
from bindstream.records import Sample
from bindstream.sources import EndOfStream
from bindstream.sources.camera import Camera, CameraOptions
from bindstream.sources.reader import Reader
from bindstream.sources.v4l2 import CaptureDevice
from tests.devices.streams import context, take_some
from tests.sources.recordings import write_h264, write_pictures

PICTURES = Path(__file__).parents[3] / "shared/data/image"


def options(**given: Any) -> CameraOptions:
    return CameraOptions(kind="camera", **given)


def played(**given: Any) -> list[Sample]:
    source = Camera(options(speed="max", **given), context("vision", "yard"))
    assert source.recorded
    source.open()
    samples: list[Sample] = []
    try:
        while True:
            samples += source.read()
    except EndOfStream:
        source.close()
        return samples


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "none is given"),
        ({"device": 0, "url": "rtsp://cam/1"}, "device and url is given"),
        ({"file": "a.mkv", "folder": "b"}, "file and folder is given"),
    ],
)
def test_exactly_one_origin_is_asked_for(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=f"exactly one of device, url.*{says}"):
        options(**given)


@pytest.mark.parametrize("url", ["ftp://u:s3cret@cam/1", "u:s3cret@cam", "rtsp://u:s3cret@"])
def test_an_address_that_cannot_be_a_camera_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValidationError, match="camera's url") as refused:
        options(url=url)
    assert "s3cret" not in str(refused.value)


def test_password_is_in_no_repr() -> None:
    assert "s3cret" not in repr(options(url="rtsp://u:s3cret@cam/1"))


def test_unknown_option_is_an_error() -> None:
    with pytest.raises(ValidationError, match="framerate"):
        options(device=0, framerate=30)


@pytest.mark.parametrize(
    ("given", "lateness_s"),
    [
        ({"url": "rtsp://cam/1"}, 1.0),
        ({"url": "rtsps://cam/1"}, 1.0),
        ({"url": "https://cam/1"}, 0.5),
        ({"device": 0}, None),
        ({"url": "rtsp://cam/1", "lateness_s": 0.2}, 0.2),
    ],
)
def test_network_cameras_are_waited_for_longer(
    given: dict[str, Any], lateness_s: float | None
) -> None:
    assert options(**given).lateness_s == lateness_s


def test_recorded_means_file_or_folder() -> None:
    here = context("vision")
    for given, recorded in [
        ({"device": "0"}, False),
        ({"url": "rtsp://cam/1"}, False),
        ({"url": "http://cam/1"}, False),
        ({"gstreamer": "videotestsrc ! appsink"}, False),
        ({"file": "a.mkv"}, True),
        ({"folder": "pictures"}, True),
    ]:
        assert Camera(options(**given), here).recorded is recorded


def test_file_gives_samples_of_the_contract(tmp_path: Path) -> None:
    write_h264(tmp_path / "clip.mp4", [np.full((96, 128, 3), 90, np.uint8)] * 3)
    samples = played(file=tmp_path / "clip.mp4")
    assert len(samples) == 3
    for sample in samples:
        assert sample.stream == "yard"
        assert sample.modality == "vision"
        assert (sample.data.dtype, sample.data.shape) == (np.uint8, (96, 128, 3))
        assert sample.data.flags.c_contiguous
        assert sample.start_ns == sample.end_ns
        assert sample.clock.startswith("host")
    assert [(s.start_ns - samples[0].start_ns) // 10**6 for s in samples] == [0, 100, 200]


def test_folder_of_pictures_of_mixed_sizes_and_kinds(tmp_path: Path) -> None:
    blue = np.zeros((40, 60, 3), np.uint8)
    blue[..., 2] = 200
    tall = np.zeros((1000, 600, 3), np.uint8)
    grey = np.full((30, 30), 77, np.uint8)
    write_pictures(tmp_path, {"1.png": blue, "2.jpg": tall, "3.png": grey})
    samples = played(folder=tmp_path, fps=2)
    assert [s.data.shape for s in samples] == [(40, 60, 3), (800, 480, 3), (30, 30, 3)]
    assert (samples[0].data == blue).all()
    assert (samples[2].data == 77).all()
    assert [(s.start_ns - samples[0].start_ns) // 10**6 for s in samples] == [0, 500, 1000]


def test_short_side_null_keeps_every_pixel(tmp_path: Path) -> None:
    write_pictures(tmp_path, {"1.png": np.zeros((1000, 600, 3), np.uint8)})
    assert played(folder=tmp_path, short_side=None)[0].data.shape == (1000, 600, 3)


def test_real_photographs_play_through_the_reader() -> None:
    if not PICTURES.is_dir():
        pytest.skip(f"needs the pictures in {PICTURES}")
    chosen = options(folder=PICTURES, fps=20)
    reader = Reader(lambda: Camera(chosen, context("vision"))).start()
    try:
        samples = take_some(reader, 10)
    finally:
        reader.stop()
        assert reader.join(5)
    assert all(s.data.ndim == 3 and s.data.std() > 5 for s in samples)
    assert reader.health().dropped == 0
    lag_ms = [(s.receive_ns - s.start_ns) / 1e6 for s in samples]
    assert all(-1 < lag < 1000 for lag in lag_ms), "at speed 1 a picture comes when it is due"


def test_a_gstreamer_pipeline_that_fails_does_not_show_its_password() -> None:
    pipeline = "rtspsrc location=rtsp://10.0.0.7/s user-pw=hunter2 ! appsink"
    device = CaptureDevice(
        context("vision", "yard"), pipeline, lambda array, _: array, gstreamer=True
    )
    with pytest.raises(BindstreamError) as caught:
        device.open()
    assert "hunter2" not in str(caught.value)
    device._capture = cv2.VideoCapture()  # one that gives nothing, whatever OpenCV was built with
    with pytest.raises(SourceError, match="GStreamer pipeline gives no more frames") as broken:
        device.read()
    assert "hunter2" not in str(broken.value)
