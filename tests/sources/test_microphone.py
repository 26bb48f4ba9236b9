"""Microphone options, and recorded sound: resampled, timed, looped; what is broken is named."""

from __future__ import annotations

import itertools
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bindstream.clocks.host import Clock
from bindstream.errors import SourceError
from bindstream.records import Sample
from bindstream.sources import EndOfStream, Source, SourceContext
from bindstream.sources.microphone import MicrophoneOptions, microphone_source

soundfile = pytest.importorskip("soundfile")
CLOCK = Clock.read()
START_NS = 1_700_000_000_000_000_000


def chirp(rate_hz: int, seconds: float = 1.5) -> NDArray[np.float64]:
    t = np.arange(round(rate_hz * seconds)) / rate_hz
    return np.asarray(0.5 * np.sin(2 * np.pi * (200 * t + 500 * t**2)))


def microphone(path: Path, **options: Any) -> Source:
    given = {"kind": "microphone", "file": str(path), "speed": "max", **options}
    return microphone_source(
        MicrophoneOptions.model_validate(given), SourceContext("room", "audio", CLOCK, START_NS)
    )


def read_all(source: Source) -> tuple[list[Sample], Exception]:
    samples: list[Sample] = []
    while True:
        try:
            samples += source.read()
        except (EndOfStream, SourceError) as end:
            source.close()
            return samples, end


def played(source: Source) -> NDArray[np.float32]:
    source.open()
    samples, end = read_all(source)
    if isinstance(end, SourceError):
        raise end
    return np.concatenate([s.data for s in samples])


@pytest.mark.parametrize(
    ("name", "rate_hz", "off"),
    [
        ("a.wav", 48000, 1e-3),
        ("a.flac", 44100, 1e-3),
        ("a.ogg", 16000, 0.1),
        ("a.wav", 16000, 1e-4),
    ],
)
def test_a_file_is_heard_at_16_khz(tmp_path: Path, name: str, rate_hz: int, off: float) -> None:
    soundfile.write(tmp_path / name, chirp(rate_hz), rate_hz)
    source = microphone(tmp_path / name)
    assert source.recorded
    source.open()
    samples, _ = read_all(source)
    data = np.concatenate([s.data for s in samples])
    assert abs(len(data) - 24000) <= 1
    inner = slice(500, 23000)
    np.testing.assert_allclose(data[inner], chirp(16000)[inner], atol=off)
    assert samples[0].start_ns == START_NS
    assert samples[-1].end_ns == pytest.approx(START_NS + 1.5e9, abs=1e5)
    assert {(s.modality, s.data.dtype.str, s.gap) for s in samples} == {("audio", "<f4", "")}
    for before, after in itertools.pairwise(samples):
        assert before.end_ns == after.start_ns


def test_channels_are_mixed_or_picked(tmp_path: Path) -> None:
    left, right = chirp(16000), np.zeros(24000)
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.stack([left, right], axis=1), 16000, subtype="FLOAT")
    for options, expected in (({}, left / 2), ({"channel": 0}, left), ({"channel": 1}, right)):
        np.testing.assert_allclose(played(microphone(path, **options)), expected, atol=1e-6)
    with pytest.raises(SourceError, match=r"no channel 2.*from 0 to 1"):
        microphone(path, channel=2).open()


def test_gain_clips_and_counts_and_what_is_not_a_number_is_silence(tmp_path: Path) -> None:
    sound = np.zeros(16000, np.float32)
    sound[:3] = 0.2, 0.4, np.nan
    path = tmp_path / "odd.wav"
    soundfile.write(path, sound, 16000, subtype="FLOAT")
    source = microphone(path, gain=4)
    data = played(source)
    np.testing.assert_allclose(data[:4], [0.8, 1.0, 0, 0], rtol=1e-6)
    assert source.notes()["clipped"] == 1


def test_digital_silence_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "mute.wav"
    soundfile.write(path, np.r_[np.ones(8000) * 0.1, np.zeros(40000)], 16000)
    source = microphone(path)
    played(source)
    assert source.notes() == {"silent s": 2}


def test_at_its_own_speed_a_file_takes_its_time(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", chirp(16000, 0.6), 16000)
    source = microphone_source(
        MicrophoneOptions(kind="microphone", file=tmp_path / "a.wav", speed=2),
        SourceContext("room", "audio", CLOCK, CLOCK.now_ns()),
    )
    began_s = time.monotonic()
    played(source)
    assert 0.29 < time.monotonic() - began_s < 2


def test_a_loop_goes_on_without_a_seam(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", chirp(48000, 0.25), 48000)
    source = microphone(tmp_path / "a.wav", loop=True)
    source.open()
    samples = [sample for _ in range(12) for sample in source.read()]
    source.close()
    assert {len(s.data) for s in samples} == {1600}
    assert samples[-1].end_ns == pytest.approx(START_NS + 1.2e9, abs=1e5)
    heard = np.concatenate([s.data for s in samples])
    np.testing.assert_allclose(heard[4300:7700], heard[8300:11700], atol=1e-3)


def test_a_wav_cut_short_plays_what_is_there_and_then_says_so(tmp_path: Path) -> None:
    path = tmp_path / "cut.wav"
    soundfile.write(path, chirp(16000), 16000)
    path.write_bytes(path.read_bytes()[: 44 + 2 * 8000])
    for loop in (False, True):
        source = microphone(path, loop=loop)
        source.open()
        samples, end = read_all(source)
        assert sum(len(s.data) for s in samples) == 8000
        assert isinstance(end, SourceError)
        assert "cut.wav is truncated: 0.5 of 1.5 s are there" in str(end)


def test_a_wav_from_a_pipe_that_knows_no_length_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "pipe.wav"
    soundfile.write(path, chirp(16000), 16000)
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(bytes(data))
    assert len(played(microphone(path))) == 24000


@pytest.mark.parametrize("name", ["a.flac", "a.ogg"])
def test_compressed_sound_cut_short_is_an_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    soundfile.write(path, chirp(16000, 5), 16000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SourceError, match=name):
        played(microphone(path))


@pytest.mark.parametrize("content", [b"", b"RIFF", b"hello world" * 100, bytes(5000)])
def test_what_is_not_sound_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"stream 'room'.*song.wav") as caught:
        microphone(path).open()
    assert caught.value.fix


@pytest.mark.parametrize("rate_hz", [1, 10**8])
def test_a_file_that_states_no_rate_of_sound_is_refused(tmp_path: Path, rate_hz: int) -> None:
    soundfile.write(tmp_path / "odd.wav", np.zeros(1000), rate_hz)
    with pytest.raises(SourceError, match=rf"odd\.wav: Sound of {rate_hz} Hz is not taken"):
        microphone(tmp_path / "odd.wav").open()


def test_a_file_without_sound_in_it_and_no_file_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 16000)
    with pytest.raises(SourceError, match="holds no sound"):
        microphone(tmp_path / "empty.wav").open()
    with pytest.raises(SourceError, match="there is no file"):
        microphone(tmp_path / "gone.wav").open()
    (tmp_path / "raw.raw").write_bytes(bytes(100))
    with pytest.raises(SourceError, match="not sound"):
        microphone(tmp_path / "raw.raw").open()


def test_a_live_input_is_given_the_time_that_its_pieces_take() -> None:
    live = MicrophoneOptions(kind="microphone")
    assert live.lateness_s == 0.25
    assert MicrophoneOptions(kind="microphone", lateness_s=1).lateness_s == 1
    assert MicrophoneOptions(kind="microphone", file=Path("a.wav")).lateness_s is None
    assert MicrophoneOptions.modality == "audio"


@pytest.mark.parametrize(
    "given", [{"device": 0, "file": "a.wav"}, {"gain": 0}, {"channel": -1}, {"rate": 16000}]
)
def test_what_cannot_work_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        MicrophoneOptions.model_validate({"kind": "microphone", **given})
