"""Depth sources: exact metres, holes stay holes, a wrong scale is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from bindstream.errors import DataError
from bindstream.records import Sample
from bindstream.sources import EndOfStream
from bindstream.sources.depth import Depth, DepthOptions
from tests.devices.streams import context
from tests.sources.recordings import write_gray16, write_pictures


def played(**given: Any) -> list[Sample]:
    options = DepthOptions(kind="depth", speed="max", **given)
    source = Depth(options, context("depth", "hall"))
    source.open()
    samples: list[Sample] = []
    try:
        while True:
            samples += source.read()
    except EndOfStream:
        source.close()
        return samples


def counts(count: int = 3) -> list[np.ndarray]:
    frames = np.random.default_rng(3).integers(300, 12000, (count, 48, 64), np.uint16)
    frames[:, :10] = 0
    return list(frames)


@pytest.mark.parametrize("scale_m", [0.001, 0.0002])
def test_pictures_give_exact_metres_and_holes_stay_zero(tmp_path: Path, scale_m: float) -> None:
    write_pictures(tmp_path, {f"{n}.png": c for n, c in enumerate(counts())})
    samples = played(folder=tmp_path, scale_m=scale_m, fps=30)
    assert len(samples) == 3
    for sample, truth in zip(samples, counts(), strict=True):
        assert sample.data.dtype == np.float32
        assert (sample.data == (truth * np.float64(scale_m)).astype(np.float32)).all()
        assert (sample.data[:10] == 0).all()
        assert (np.round(sample.data / scale_m) == truth).all()


def test_lossless_video_gives_exact_metres(tmp_path: Path) -> None:
    write_gray16(tmp_path / "clip.mkv", counts())
    for sample, truth in zip(played(file=tmp_path / "clip.mkv"), counts(), strict=True):
        assert (np.round(sample.data * 1000) == truth).all()


def test_readings_beyond_the_sensors_reach_become_holes(tmp_path: Path) -> None:
    frame = np.full((8, 8), 2000, np.uint16)
    frame[0, 0] = 65535
    write_pictures(tmp_path, {"1.png": frame})
    data = played(folder=tmp_path, scale_m=0.004)[0].data
    assert data[0, 0] == 0
    assert data[1, 1] == pytest.approx(8.0)


def test_millimetres_taken_for_metres_are_said(tmp_path: Path) -> None:
    write_pictures(tmp_path, {"1.png": np.full((8, 8), 2000, np.uint16)})
    with pytest.raises(DataError, match="stream 'hall': most readings would be beyond 200 m") as e:
        played(folder=tmp_path, scale_m=1.0)
    assert "0.001" in e.value.fix


def test_a_frame_without_any_reading_is_still_a_frame(tmp_path: Path) -> None:
    write_pictures(tmp_path, {"1.png": np.zeros((8, 8), np.uint16)})
    assert (played(folder=tmp_path)[0].data == 0).all()


def test_eight_bit_pictures_are_refused(tmp_path: Path) -> None:
    write_pictures(tmp_path, {"1.png": np.zeros((8, 8), np.uint8)})
    with pytest.raises(DataError, match="frames come as uint8"):
        played(folder=tmp_path)


def test_options_ask_for_one_origin_and_a_positive_scale() -> None:
    with pytest.raises(ValidationError, match="exactly one of url, file, folder"):
        DepthOptions(kind="depth")
    with pytest.raises(ValidationError, match="greater than 0"):
        DepthOptions(kind="depth", folder="x", scale_m=0)
