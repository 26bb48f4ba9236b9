"""Training windows of sound: mel frames that the product's own filterbank could have made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from bindstream.errors import DataError
from bindstream.features.audio import filterbank
from bindstream.training.sounds import (
    FLOOR,
    WINDOW,
    Piece,
    SoundBatches,
    in_a_room,
    mel_frames,
    read_piece,
)

NOTHING = frozenset({"room"})


def beep(seconds: float, at_s: float) -> np.ndarray:
    t = np.arange(round(16000 * seconds)) / 16000
    rng = np.random.default_rng(0)
    tone = np.where(np.abs(t - at_s) < 0.2, 0.5 * np.sin(2 * np.pi * 1000 * t), 0)
    return (tone + 1e-3 * rng.standard_normal(len(t))).astype(np.float32)


def piece(tmp_path: Path, label: str) -> Piece:
    path = tmp_path / f"{label}.wav"
    soundfile.write(path, beep(4.0, at_s=1.0), 16000)
    return read_piece(path, frozenset({label}))


def test_frames_of_a_long_sound_are_those_of_its_windows() -> None:
    wave = beep(4.0, 1.0)
    frames = mel_frames(wave)
    whole = filterbank(wave[:32000])[0, :, :WINDOW].T
    assert np.allclose((frames[:WINDOW] + 4.268) / 9.138, whole, atol=1e-4)


def test_only_the_loud_part_of_a_recording_is_what_it_shows(tmp_path: Path) -> None:
    found = piece(tmp_path, "beep")
    active = np.flatnonzero(found.active)
    assert 75 < active.min() < active.max() < 125


def test_windows_look_like_model_inputs_and_hold_rooms_too(tmp_path: Path) -> None:
    pieces = [piece(tmp_path, name) for name in ("beep", "room")]
    batches = SoundBatches(pieces, pieces, NOTHING)
    x, labels = batches.batch(100, np.random.default_rng(0))
    assert x.shape == (100, 1, 128, 204)
    assert np.isfinite(x).all()
    assert np.allclose(x[..., WINDOW:], 4.268 / 9.138)
    assert x.min() >= (FLOOR + 4.268) / 9.138 - 1e-4
    assert 0.1 < labels.count(NOTHING) / 100 < 0.5


def test_a_sound_of_another_rate_is_refused_with_both_rates(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(8000, np.float32), 8000)
    with pytest.raises(DataError, match=r"8000 Hz.*16000"):
        read_piece(tmp_path / "a.wav", NOTHING)


@pytest.mark.parametrize("seconds", [0.08, 1.0, 5.0])
def test_a_sound_in_a_room_is_in_every_window_and_the_room_around_it(seconds: float) -> None:
    rng = np.random.default_rng(4)
    t = np.arange(round(16000 * seconds)) / 16000
    tone = np.sin(2 * np.pi * 1000 * t).astype(np.float32)
    quiet: list[float] = []
    loud: list[float] = []
    for _ in range(10):
        windows = in_a_room(tone, rng)
        assert windows.shape[1:] == (1, 128, 204)
        assert np.isfinite(windows).all()
        pitch = windows[:, 0, :, :WINDOW].max(1).max(1)  # the loudest bin is the tone's
        loud.append(float(pitch.min()))
        quiet.append(float(windows[0, 0, :, 0].mean()))
    assert np.mean(loud) > np.mean(quiet) + 1  # 9 nats: 40 dB
    assert np.mean(quiet) > (FLOOR + 4.268) / 9.138  # a room, not digital silence
