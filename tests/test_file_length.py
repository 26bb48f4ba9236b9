"""How many windows a recording holds, before it is played."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bindstream.config.schema import StreamConfig
from bindstream.file_length import windows_in

MIC = StreamConfig.model_validate({"name": "mic", "source": {"kind": "microphone", "device": "x"}})
DOOR = StreamConfig.model_validate({"name": "door", "source": {"kind": "camera", "device": 0}})


def test_a_sound_says_how_long_it_is(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(tmp_path / "a.wav", np.zeros(16000 * 10, np.float32), 16000)
    assert windows_in(MIC, tmp_path / "a.wav") == 9  # of 2 s, one a second
    half = MIC.model_copy(update={"hop_s": 0.5})
    assert windows_in(half, tmp_path / "a.wav") == 17
    soundfile.write(tmp_path / "short.wav", np.zeros(100, np.float32), 16000)
    assert windows_in(MIC, tmp_path / "short.wav") is None


def test_a_film_says_how_long_it_is(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    with av.open(tmp_path / "a.mp4", "w") as film:
        stream = film.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for _ in range(60):
            picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
            film.mux(stream.encode(picture))
        film.mux(stream.encode())
    assert windows_in(DOOR, tmp_path / "a.mp4") in (2, 3, 4, 5)


def test_what_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"no sound")
    assert windows_in(MIC, tmp_path / "a.wav") is None
    assert windows_in(DOOR, tmp_path / "a.wav") is None
    assert windows_in(DOOR, tmp_path) is None
    assert windows_in(MIC, tmp_path / "gone.wav") is None
