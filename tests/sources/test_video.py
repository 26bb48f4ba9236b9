"""Video files: time stamps, order, damage, rotation, the end."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bindstream.errors import SourceError
from bindstream.sources import EndOfStream
from bindstream.sources.frames import Frame
from bindstream.sources.options import PlaybackOptions
from bindstream.sources.video import VideoFile, fitted, rgb_picture
from tests.devices.streams import context
from tests.sources.recordings import write_gray16, write_h264, write_video

TIMES_MS = [0, 33, 100, 104, 500, 501, 900]


def clip(size: tuple[int, int] = (48, 64), count: int = len(TIMES_MS)) -> list[np.ndarray]:
    return [np.full((*size, 3), 20 + 30 * n, np.uint8) for n in range(count)]


def video(path: Path, short_side: int | None = None, **options: Any) -> VideoFile:
    playback = PlaybackOptions(speed="max", **options)
    return VideoFile(context("vision"), path, playback, rgb_picture(short_side))


def played(feed: VideoFile, most: int = 1000) -> list[Frame]:
    frames: list[Frame] = []
    try:
        while len(frames) < most:
            frame = feed.read()
            frames += [frame] if frame else []
    except EndOfStream:
        pass
    return frames


def test_frames_have_the_files_own_times_at_a_variable_rate(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    write_h264(path, clip(), times_ms=TIMES_MS)
    feed = video(path)
    feed.open()
    frames = played(feed)
    begin_ns = feed._context.start_ns
    assert [(f.capture_ns - begin_ns) / 1e6 for f in frames] == TIMES_MS
    levels = [round(float(f.data.mean())) for f in frames]
    assert np.abs(np.array(levels) - [20 + 30 * n for n in range(7)]).max() <= 3
    assert frames[0].data.dtype == np.uint8
    assert frames[0].data.shape == (48, 64, 3)


def test_looped_file_goes_on_in_time(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    write_h264(path, clip(count=3), fps=10)
    feed = video(path, loop=True)
    feed.open()
    frames = played(feed, 7)
    times = [(f.capture_ns - frames[0].capture_ns) / 1e6 for f in frames]
    assert times == pytest.approx([0, 100, 200, 300, 400, 500, 600], abs=2)
    assert feed.read() is not None


def test_channels_are_red_green_blue(tmp_path: Path) -> None:
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 0] = 220
    write_h264(tmp_path / "red.mkv", [red, red])
    feed = video(tmp_path / "red.mkv")
    feed.open()
    assert played(feed)[0].data.mean(axis=(0, 1)) == pytest.approx([220, 0, 0], abs=12)


def test_large_frames_are_scaled_down_to_the_short_side(tmp_path: Path) -> None:
    write_h264(tmp_path / "large.mkv", clip(size=(360, 640), count=2))
    feed = video(tmp_path / "large.mkv", short_side=90)
    feed.open()
    assert {f.data.shape for f in played(feed)} == {(90, 160, 3)}


def test_fitted_keeps_the_shape_and_never_enlarges() -> None:
    assert fitted(1920, 1080, 480) == (853, 480)
    assert fitted(1080, 1920, 480) == (480, 853)
    assert fitted(320, 240, 480) == (320, 240)
    assert fitted(4000, 3000, None) == (4000, 3000)


def test_video_of_a_phone_held_upright_is_turned(tmp_path: Path) -> None:
    landscape = np.zeros((48, 64, 3), np.uint8)
    landscape[:, :32] = 230  # light on the left
    path = tmp_path / "phone.mp4"
    write_h264(path, [landscape, landscape])
    content = bytearray(path.read_bytes())
    # tkhd's matrix (ISO 14496-12, 8.3.2): 90° clockwise, as phones write it.
    matrix_at = content.index(b"tkhd") + 4 + 4 + 20 + 16
    turned = [0, 0x10000, 0, -0x10000, 0, 0, 48 * 0x10000, 0, 0x40000000]
    content[matrix_at : matrix_at + 36] = struct.pack(">9i", *turned)
    path.write_bytes(content)
    feed = video(path)
    feed.open()
    upright = played(feed)[0].data
    assert upright.shape == (64, 48, 3)
    assert upright[:28].mean() > 200, "what was on the left is on top after a clockwise turn"
    assert upright[36:].mean() < 40


def test_damaged_packets_are_counted_and_marked_and_the_rest_is_played(tmp_path: Path) -> None:
    path = tmp_path / "clip.mov"
    noise = list(np.random.default_rng(0).integers(0, 256, (12, 48, 64, 3), np.uint8))
    write_video(path, noise, codec="png", frame_format="rgb24", pixel_format="rgb24")
    content = bytearray(path.read_bytes())
    head = content.index(b"IHDR", len(content) // 2)
    content[head : head + 4] = b"XXXX"
    path.write_bytes(content)
    feed = video(path)
    feed.open()
    frames = played(feed)
    assert len(frames) == 11
    assert feed.skipped == 1
    after = [f for f in frames if f.gap]
    assert [f.gap for f in after] == ["a packet of clip.mov cannot be decoded"]
    number = round((after[0].capture_ns - frames[0].capture_ns) / 1e8)
    assert (after[0].data == noise[number]).all(), "the gap is before the frame that follows"


def test_truncated_file_plays_what_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    noise = np.random.default_rng(0).integers(0, 65536, (12, 60, 80), np.uint16)
    write_gray16(path, list(noise))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    playback = PlaybackOptions(speed="max")
    feed = VideoFile(context("thermal"), path, playback, lambda f: np.asarray(f.to_ndarray()))
    feed.open()
    frames = played(feed)
    assert 4 <= len(frames) <= 6
    for frame, truth in zip(frames[:4], noise, strict=False):
        assert (frame.data == truth).all()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("gone.mkv", None, "there is no file"),
        ("text.mkv", b"hello, this is no video at all " * 50, "cannot be opened"),
        ("empty.mp4", b"", "cannot be opened"),
    ],
)
def test_files_that_are_no_video_are_named(
    tmp_path: Path, name: str, content: bytes | None, says: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=says) as refused:
        video(tmp_path / name).open()
    assert name in str(refused.value)


def test_sound_alone_holds_no_video(tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tmp_path / "sound.wav", np.zeros(1600, np.float32), 16000)
    with pytest.raises(SourceError, match="holds no video"):
        video(tmp_path / "sound.wav").open()
