from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from bindstream.errors import BindstreamError, DataError
from bindstream.features.views import video_frames, views
from bindstream.features.vision import clip, clip_crops
from bindstream.features.whole import model_inputs
from bindstream.file_inputs import file_inputs, file_views
from bindstream.modalities import MODALITIES
from tests.features.test_vision import CLIP_MEAN, CLIP_STD, corner

av = pytest.importorskip("av")
cv2 = pytest.importorskip("cv2")
RNG = np.random.default_rng(11)


def numbered(number: int, height: int = 224, width: int = 256) -> np.ndarray:
    """A frame whose red tells its column, whose green its row and whose blue its number."""
    frame = np.zeros((height, width, 3), np.uint8)
    frame[..., 0] = np.arange(width)
    frame[..., 1] = np.arange(height)[:, None]
    frame[..., 2] = number
    return frame


def number(frame: np.ndarray) -> int:
    """The number of a frame that `numbered` made, of its (3, 224, 224) model input."""
    blue = (frame[2] * CLIP_STD[2] + CLIP_MEAN[2]) * 255
    assert np.ptp(blue) < 0.5
    return round(float(blue.mean()))


def write_exactly(path: Path, frames: list[np.ndarray], fps: int, spoilt: int = -1) -> None:
    """Lossless video; the packet of frame `spoilt` holds nothing that can be decoded."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=fps)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "rgb24"
        for place, array in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(array, format="rgb24")
            frame.pts, frame.time_base = place, Fraction(1, fps)
            for packet in stream.encode(frame):
                if place == spoilt:
                    broken = av.Packet(b"\x00" * 40)
                    broken.pts, broken.dts = packet.pts, packet.dts
                    broken.time_base, broken.stream = packet.time_base, stream
                    packet = broken
                container.mux(packet)
        container.mux(stream.encode())


def test_a_video_is_seen_in_five_clips_of_three_crops(tmp_path: Path) -> None:
    write_exactly(tmp_path / "v.mov", [numbered(i) for i in range(100)], fps=20)
    seen = list(file_views("vision", tmp_path / "v.mov"))
    assert len(seen) == 15
    for place, view in enumerate(seen):
        first = 15 * (place // 3)
        assert (number(view[:, 0]), number(view[:, 1])) == (first, first + 39)
        assert corner(view) == (0, 16 * (place % 3))


def test_a_tall_video_is_cropped_at_its_top_its_middle_and_its_bottom(tmp_path: Path) -> None:
    write_exactly(tmp_path / "v.mov", [numbered(i, 255, 224) for i in range(10)], fps=10)
    seen = list(file_views("vision", tmp_path / "v.mov"))
    assert [corner(view) for view in seen] == [(0, 0), (16, 0), (31, 0)] * 5
    assert {(number(view[:, 0]), number(view[:, 1])) for view in seen} == {(0, 9)}


def test_a_large_video_is_scaled_as_a_clip_and_not_before(tmp_path: Path) -> None:
    frames = [RNG.integers(0, 256, (500, 700, 3), np.uint8) for _ in range(4)]
    write_exactly(tmp_path / "v.mov", frames, fps=2)
    seen = list(file_views("vision", tmp_path / "v.mov"))
    ends = np.stack([frames[0], frames[3]])
    np.testing.assert_array_equal(np.stack(seen[:3]), clip_crops(ends))
    np.testing.assert_array_equal(seen[1], clip(ends))


def test_frames_that_cannot_be_decoded_are_not_counted(tmp_path: Path) -> None:
    write_exactly(tmp_path / "v.mov", [numbered(i) for i in range(40)], fps=10, spoilt=20)
    there = [i for i in range(40) if i != 20]
    seen = list(file_views("vision", tmp_path / "v.mov"))
    taken = [(number(view[:, 0]), number(view[:, 1])) for view in seen[::3]]
    assert taken == [(there[first], there[last]) for first, last in video_frames(39, 10)]


def test_a_sound_and_a_still_are_seen_as_their_views(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    wave = RNG.normal(0, 0.1, 16000 * 5).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", wave, 16000, subtype="FLOAT")
    heard = np.stack(list(file_views("audio", tmp_path / "a.wav")))
    np.testing.assert_array_equal(heard, views("audio", wave))
    picture = RNG.integers(0, 256, (50, 60, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "p.png"), picture[..., ::-1])
    (view,) = file_views("vision", tmp_path / "p.png")
    np.testing.assert_array_equal(view, model_inputs("vision", picture)[0])


def test_of_motion_logs_and_heat_all_windows_are_taken(tmp_path: Path) -> None:
    write_log(tmp_path / "log.csv")
    for one, other in zip(
        file_views("imu", tmp_path / "log.csv"),
        file_inputs("imu", tmp_path / "log.csv"),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    counts = ((300 + 10 * RNG.random((60, 80))) * 100).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "warm.png"), counts)
    assert len(list(file_views("thermal", tmp_path / "warm.png"))) == 1


@pytest.mark.parametrize("modality", ["vision", "audio", "imu"])
def test_files_that_are_not_there_or_not_readable_are_refused(
    tmp_path: Path, modality: str
) -> None:
    with pytest.raises(DataError, match="no such file"):
        list(file_views(modality, tmp_path / "none.mp4"))
    (tmp_path / "junk.mp4").write_bytes(b"junk" * 100)
    with pytest.raises(BindstreamError, match=r"junk\.mp4"):
        list(file_views(modality, tmp_path / "junk.mp4"))


def write_log(path: Path) -> None:
    """12 s of a motion sensor at rest."""
    times_s = np.arange(0, 12, 0.01)
    rows = np.column_stack([times_s, np.tile([0, 0, 9.81, 0, 0, 0], (len(times_s), 1))])
    header = "time_s,ax,ay,az,gx,gy,gz"
    np.savetxt(path, rows, delimiter=",", header=header, comments="")


def test_sixteen_bit_pictures_are_read_in_their_unit(tmp_path: Path) -> None:
    warm_k = 300 + 10 * RNG.random((60, 80))
    cv2.imwrite(str(tmp_path / "warm.png"), (warm_k * 100).astype(np.uint16))
    (inputs,) = file_inputs("thermal", tmp_path / "warm.png")
    celsius = ((warm_k * 100).astype(np.uint16) / 100 - 273.15).astype(np.float32)
    np.testing.assert_allclose(inputs, model_inputs("thermal", celsius)[0], atol=1e-3)
    far_mm = RNG.integers(500, 4000, (60, 80)).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "far.png"), far_mm)
    (inputs,) = file_inputs("depth", tmp_path / "far.png")
    metres = (far_mm / 1000).astype(np.float32)
    np.testing.assert_allclose(inputs, model_inputs("depth", metres)[0], atol=1e-3)


def test_an_eight_bit_picture_is_no_thermal_picture(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "flat.png"), RNG.integers(0, 255, (60, 80), dtype=np.uint8))
    with pytest.raises(DataError, match="16-bit"):
        list(file_inputs("thermal", tmp_path / "flat.png"))


def test_motion_logs_are_cut_into_windows(tmp_path: Path) -> None:
    write_log(tmp_path / "log.csv")
    inputs = list(file_inputs("imu", tmp_path / "log.csv"))
    assert len(inputs) >= 6
    assert all(each.shape == MODALITIES["imu"].model_input for each in inputs)
