from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bindstream.errors import DataError
from bindstream.features.sound_track import sound_track
from bindstream.features.whole import model_inputs, read_channels
from tests.test_embed_files import write_video

av = pytest.importorskip("av")
RATE_HZ = 22050


def write_tracks(path: Path, wave: np.ndarray, codec: str = "aac") -> None:
    layout = "stereo" if len(wave) == 2 else "mono"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE_HZ, layout=layout)
        frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout=layout)
        frame.rate = RATE_HZ
        for piece in av.AudioResampler(format=stream.format).resample(frame):
            container.mux(stream.encode(piece))
        container.mux(stream.encode())


def test_both_channels_come_at_their_own_rate(tmp_path: Path) -> None:
    t_s = np.arange(3 * RATE_HZ) / RATE_HZ
    wave = np.stack([0.5 * np.sin(2 * np.pi * 440 * t_s), 0.1 * np.sin(2 * np.pi * 880 * t_s)])
    write_tracks(tmp_path / "a.mkv", wave.astype(np.float32), "pcm_s16le")
    found, rate_hz = sound_track(tmp_path / "a.mkv")
    assert rate_hz == RATE_HZ
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wave.T, atol=1e-3)


def test_a_videos_sound_becomes_model_inputs_like_a_sound_files(tmp_path: Path) -> None:
    wave = np.random.default_rng(0).normal(0, 0.1, (1, 3 * RATE_HZ)).astype(np.float32)
    write_tracks(tmp_path / "a.mp4", wave)
    assert read_channels(tmp_path / "a.mp4")[1] == RATE_HZ
    assert model_inputs("audio", tmp_path / "a.mp4").shape == (2, 1, 128, 204)


def test_a_video_without_sound_or_that_is_none_is_named(tmp_path: Path) -> None:
    write_video(tmp_path / "mute.mp4", 0.5)
    (tmp_path / "junk.mp4").write_bytes(b"junk")
    for name, complaint in (("mute.mp4", "no sound track"), ("junk.mp4", "cannot be read")):
        with pytest.raises(DataError, match=complaint) as caught:
            sound_track(tmp_path / name)
        assert caught.value.where == str(tmp_path / name)
