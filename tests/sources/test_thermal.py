"""Thermal sources keep every count, make °C of them exactly, and refuse what is no temperature."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from bindstream.errors import DataError
from bindstream.records import Sample
from bindstream.sources import EndOfStream
from bindstream.sources.raw16 import device_values, words
from bindstream.sources.thermal import PRESETS, Thermal, ThermalOptions, to_celsius
from bindstream.sources.v4l2 import Format
from tests.devices.streams import context
from tests.sources.recordings import write_gray16, write_h264, write_pictures, write_video

RNG_SEED = 20


def scene(height: int = 60, width: int = 80, count: int = 4) -> list[np.ndarray]:
    """Lepton frames: kelvin × 100 between 0 °C and 60 °C."""
    rng = np.random.default_rng(RNG_SEED)
    return list(rng.integers(27315, 33315, (count, height, width), np.uint16))


def celsius_of(counts: np.ndarray) -> np.ndarray:
    return (counts.astype(np.float64) / 100 - 273.15).astype(np.float32)


def played(**given: Any) -> list[Sample]:
    options = ThermalOptions(kind="thermal", speed="max", **given)
    source = Thermal(options, context("thermal", "roof"))
    assert source.recorded
    source.open()
    samples: list[Sample] = []
    try:
        while True:
            samples += source.read()
    except EndOfStream:
        source.close()
        return samples


def assert_exact(samples: list[Sample], counts: list[np.ndarray]) -> None:
    assert len(samples) == len(counts)
    for sample, truth in zip(samples, counts, strict=True):
        assert sample.data.dtype == np.float32
        np.testing.assert_allclose(sample.data, celsius_of(truth), rtol=0, atol=4e-6)
        assert (np.round((sample.data.astype(np.float64) + 273.15) * 100) == truth).all()


@pytest.mark.parametrize("name", ["clip.mkv", "clip.avi"])
def test_ffv1_recording_gives_every_count_back(tmp_path: Path, name: str) -> None:
    write_gray16(tmp_path / name, scene())
    assert_exact(played(file=tmp_path / name), scene())


def test_raw_nut_recording_gives_every_count_back(tmp_path: Path) -> None:
    write_gray16(tmp_path / "clip.nut", scene(), codec="rawvideo")
    assert_exact(played(file=tmp_path / "clip.nut"), scene())


@pytest.mark.parametrize("ending", ["png", "tiff"])
def test_folder_of_16_bit_pictures_gives_every_count_back(tmp_path: Path, ending: str) -> None:
    write_pictures(tmp_path, {f"{n}.{ending}": counts for n, counts in enumerate(scene())})
    samples = played(folder=tmp_path, fps=9)
    assert_exact(samples, scene())
    step_ns = samples[1].start_ns - samples[0].start_ns
    assert step_ns == pytest.approx(1e9 / 9, abs=1)


@pytest.mark.parametrize(("height", "kept"), [(62, 60), (122, 120), (192, 192)])
def test_telemetry_rows_are_dropped(tmp_path: Path, height: int, kept: int) -> None:
    frames = scene(height=height)
    for frame in frames:
        frame[kept:] = 65535
    write_gray16(tmp_path / "clip.mkv", frames)
    assert_exact(played(file=tmp_path / "clip.mkv"), [f[:kept] for f in frames])


def test_stacked_yuyv_recording_gives_every_count_of_its_lower_half_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(RNG_SEED)
    counts = rng.integers(round(273.15 * 64), 333 * 64, (3, 192, 256), np.uint16)
    picture = rng.integers(0, 256, (192, 256, 2), np.uint8)
    frames = [
        np.concatenate((picture, c.astype("<u2").view(np.uint8).reshape(192, 256, 2)))
        for c in counts
    ]
    formats = {"frame_format": "yuyv422", "pixel_format": "yuyv422"}
    write_video(tmp_path / "clip.avi", frames, codec="rawvideo", **formats)
    samples = played(file=tmp_path / "clip.avi")
    assert len(samples) == 3
    for sample, truth in zip(samples, counts, strict=True):
        assert sample.data.shape == (192, 256)
        assert (np.round((sample.data.astype(np.float64) + 273.15) * 64) == truth).all()


@pytest.mark.parametrize(
    ("layout", "says"), [("auto", "64×48 without temperatures below"), ("y16", "flattened")]
)
def test_a_plain_yuyv_picture_is_not_taken_for_temperatures(
    tmp_path: Path, layout: str, says: str
) -> None:
    frames = [np.full((48, 64, 2), 128, np.uint8)] * 2
    formats = {"frame_format": "yuyv422", "pixel_format": "yuyv422"}
    write_video(tmp_path / "clip.avi", frames, codec="rawvideo", **formats)
    with pytest.raises(DataError, match=says):
        played(file=tmp_path / "clip.avi", layout=layout)


@pytest.mark.parametrize(
    ("preset", "counts", "celsius"),
    [
        ("lepton", 29815, 25.0),
        ("lepton", 27315, 0.0),
        ("infiray", 19082, 25.00625),
        ("centi_celsius", 2500, 25.0),
        ("centi_celsius", 65536 - 1050, -10.5),
    ],
)
def test_presets_give_the_documented_temperature(preset: str, counts: int, celsius: float) -> None:
    got = to_celsius(np.full((2, 2), counts, np.uint16), PRESETS[preset])
    assert got.dtype == np.float32
    assert got == pytest.approx(celsius, abs=1e-5)


def test_own_scale_is_applied(tmp_path: Path) -> None:
    write_pictures(tmp_path, {"1.png": np.full((4, 4), 500, np.uint16)})
    own = {"scale": 0.04, "offset": 5.0}
    assert played(folder=tmp_path, celsius=own)[0].data == pytest.approx(25.0)


def test_eight_bit_pictures_and_video_are_refused_by_name(tmp_path: Path) -> None:
    write_pictures(tmp_path / "a", {"1.png": np.full((4, 4), 100, np.uint8)})
    with pytest.raises(DataError, match="stream 'roof': frames come as uint8") as flat:
        played(folder=tmp_path / "a")
    assert "16-bit" in flat.value.fix
    write_pictures(tmp_path / "b", {"1.png": np.full((4, 4, 3), 100, np.uint8)})
    with pytest.raises(DataError, match="flattened"):
        played(folder=tmp_path / "b")
    write_h264(tmp_path / "clip.mkv", [np.full((48, 64, 3), 100, np.uint8)] * 2)
    with pytest.raises(DataError, match="flattened"):
        played(file=tmp_path / "clip.mkv")


def test_counts_that_are_no_temperatures_are_said_at_the_first_frame(tmp_path: Path) -> None:
    write_pictures(tmp_path, {"1.png": np.full((4, 4), 8000, np.uint16)})
    with pytest.raises(DataError, match=r"-193 °C \(raw 8000\)") as wrong:
        played(folder=tmp_path, celsius="lepton")
    assert "radiometric" in wrong.value.fix


def test_what_opencv_flattened_gets_its_shape_back() -> None:
    counts = np.random.default_rng(1).integers(0, 65536, (120, 160), np.uint16)
    as_bytes = counts.astype("<u2").view(np.uint8)
    y16 = Format(160, 120, "Y16 ")
    for came in (counts, counts.reshape(1, -1), as_bytes, as_bytes.reshape(1, -1)):
        assert (device_values(came, y16) == counts).all()
    yuyv = device_values(as_bytes.reshape(120, 160, 2), Format(160, 120, "YUYV"))
    assert yuyv.shape == (120, 160, 2)
    assert (words(yuyv) == counts).all()


def test_options_ask_for_one_origin_and_a_tcp_address() -> None:
    with pytest.raises(ValidationError, match="exactly one of device, url, file, folder"):
        ThermalOptions(kind="thermal")
    with pytest.raises(ValidationError, match="tcp://host:port"):
        ThermalOptions(kind="thermal", url="rtsp://cam/1")
    assert ThermalOptions(kind="thermal", url="tcp://127.0.0.1:5000").lateness_s == 0.5
