"""A real microphone path: PortAudio over ALSA to a sound server of the test's own."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bindstream.clocks.host import Clock
from bindstream.errors import SourceError
from bindstream.records import Sample
from bindstream.sources import Source, SourceContext
from bindstream.sources.microphone import MicrophoneOptions, microphone_source
from bindstream.sources.reader import Backoff, Reader
from bindstream.windows import Windower
from tests.devices.pulse import Pulse

pytest.importorskip("sounddevice")
soundfile = pytest.importorskip("soundfile")
AUDIO = Path(__file__).parents[3] / "shared" / "data" / "audio"
CLOCK = Clock.read()


def microphone(**options: object) -> Source:
    context = SourceContext("room", "audio", CLOCK, CLOCK.now_ns())
    return microphone_source(MicrophoneOptions(kind="microphone", **options), context)  # type: ignore[arg-type]


@pytest.fixture
def opened(pulse: Pulse) -> Iterator[Source]:
    source = microphone()
    source.open()
    yield source
    source.close()


def listen(source: Source, seconds: float) -> list[Sample]:
    until_s = time.monotonic() + seconds
    samples: list[Sample] = []
    while time.monotonic() < until_s:
        samples += source.read()
    return samples


@pytest.fixture
def clip(tmp_path: Path) -> tuple[Path, NDArray[np.float32]]:
    """Two seconds of sound as a WAV file, and as samples at 16 kHz."""
    if AUDIO.is_dir():
        data, rate_hz = soundfile.read(AUDIO / "esc10_0514.ogg", dtype="float32")
        assert rate_hz == 16000
        data = data[:32000]
    else:  # a chirp, which like a sound is unlike itself a moment later
        t = np.arange(32000) / 16000
        data = (0.5 * np.sin(2 * np.pi * (200 * t + 900 * t**2))).astype(np.float32)
    path = tmp_path / "clip.wav"
    soundfile.write(path, data, 16000)
    return path, data


def found(samples: list[Sample], clip: NDArray[np.float32]) -> tuple[int, float]:
    """Capture time, UTC ns, at which the clip begins in what was heard, and how alike they are."""
    heard = np.concatenate([sample.data for sample in samples])
    size = len(heard) + len(clip)
    spectrum = np.fft.rfft(heard, size) * np.fft.rfft(clip, size).conj()
    at = int(np.fft.irfft(spectrum, size)[: len(heard) - len(clip)].argmax())
    alike = float(np.corrcoef(heard[at : at + len(clip)], clip)[0, 1])
    ends = np.cumsum([len(sample.data) for sample in samples])
    piece = int(np.searchsorted(ends, at, side="right"))
    within = at - (ends[piece] - len(samples[piece].data))
    return samples[piece].start_ns + round(within * 1e9 / 16000), alike


def test_what_is_played_is_heard_when_it_was_played(
    opened: Source, pulse: Pulse, clip: tuple[Path, NDArray[np.float32]]
) -> None:
    path, data = clip
    samples = listen(opened, 1.0)
    played_ns = CLOCK.now_ns()
    pulse.play(path)
    samples += listen(opened, 4.0)
    heard_ns, alike = found(samples, data)
    assert alike > 0.98
    # Sound comes in pieces, by whose arrival its time is fitted: to a piece or so at the beginning.
    assert -0.05e9 < heard_ns - played_ns < 0.5e9


def test_pieces_follow_each_other_without_a_seam_and_before_they_are_received(
    opened: Source, pulse: Pulse
) -> None:
    samples = listen(opened, 3.0)
    assert {(s.data.shape, s.data.dtype.str) for s in samples} == {((1600,), "<f4")}
    assert {s.gap for s in samples} == {""}
    for before, after in itertools.pairwise(samples):
        assert after.start_ns == before.end_ns
    for sample in samples:
        assert abs(sample.end_ns - sample.start_ns - 100_000_000) < 6_000_000
        assert sample.end_ns <= sample.receive_ns


def test_windows_are_whole_as_their_time_passes(opened: Source, pulse: Pulse) -> None:
    lateness_s = MicrophoneOptions(kind="microphone").lateness_s
    windower = Windower("room", "audio", window_s=0.5, hop_s=0.25, lateness_s=lateness_s)
    windows = []
    until_s = time.monotonic() + 4
    while time.monotonic() < until_s:
        for sample in opened.read():
            windows += windower.push(sample)
        windows += windower.due(CLOCK.now_ns())
    assert len(windows) > 8
    assert [w.coverage for w in windows] == [1.0] * len(windows)


def test_an_unplugged_microphone_is_opened_again_and_the_hole_is_marked(pulse: Pulse) -> None:
    reader = Reader(microphone, backoff=Backoff(first_s=0.2, most_s=0.5)).start()
    try:
        before = _take(reader, lambda got: len(got) > 5)
        pulse.unplug()
        unplugged_ns = CLOCK.now_ns()
        _until(lambda: reader.health().losses > 0)
        before += reader.take(0)
        time.sleep(0.5)
        pulse.plug()
        plugged_ns = CLOCK.now_ns()
        after = _take(reader, lambda got: any(s.start_ns > plugged_ns for s in got), 20)
    finally:
        reader.stop()
        assert reader.join(10)
    assert "default" in after[0].gap or "pulse" in after[0].gap
    resumed = [s for s in after if s.start_ns > plugged_ns]
    assert resumed
    assert max(s.end_ns for s in before) < unplugged_ns + 0.3e9
    times = [s.start_ns for s in [*before, *after]]
    assert times == sorted(times)


def test_a_microphone_that_falls_silent_is_lost(opened: Source, pulse: Pulse) -> None:
    listen(opened, 0.5)
    pulse.suspend(True)
    with pytest.raises(SourceError, match=r"room.*sends nothing for 1.2 s"):
        listen(opened, 5.0)


def test_a_hanging_sound_server_holds_up_neither_reading_nor_closing(
    opened: Source, pulse: Pulse
) -> None:
    listen(opened, 0.5)
    pulse.freeze()
    try:
        with pytest.raises(SourceError, match="sends nothing"):
            listen(opened, 5.0)
        began_s = time.monotonic()
        opened.close()
        assert time.monotonic() - began_s < 3
    finally:
        pulse.thaw()
    _until(lambda: not any(t.name == "sound-close" for t in threading.enumerate()))


def test_a_microphone_that_is_not_there_is_named_with_those_that_are(pulse: Pulse) -> None:
    with pytest.raises(SourceError) as caught:
        microphone(device="Blue Yeti").open()
    assert "stream 'room'" in str(caught.value)
    assert "'Blue Yeti'" in str(caught.value)
    assert "pulse" in caught.value.fix


def test_a_microphone_that_comes_later_is_found(opened: Source, pulse: Pulse) -> None:
    opened.close()
    pulse.stop()
    with pytest.raises(SourceError, match="stream 'room'"):
        microphone().open()
    pulse.start()
    opened.open()
    assert listen(opened, 1.0)


def test_a_microphone_is_found_by_part_of_its_name_and_by_its_index(pulse: Pulse) -> None:
    for device in ("PUL", 0):
        source = microphone(device=device)
        source.open()
        try:
            assert listen(source, 1.0)
        finally:
            source.close()


def test_a_channel_that_is_not_there_is_refused(pulse: Pulse) -> None:
    with pytest.raises(SourceError, match="no channel 63"):
        microphone(channel=63).open()


def test_two_microphones_can_be_open_at_once(opened: Source, pulse: Pulse) -> None:
    second = microphone(device="pulse", channel=0)
    second.open()
    try:
        assert listen(second, 1.0)
        assert listen(opened, 0.5)
    finally:
        second.close()
    assert listen(opened, 0.5)


def test_gain_makes_it_louder_and_what_is_clipped_is_counted(
    pulse: Pulse, clip: tuple[Path, NDArray[np.float32]]
) -> None:
    source = microphone(gain=100.0)
    source.open()
    try:
        pulse.play(clip[0])
        samples = listen(source, 2.0)
    finally:
        source.close()
    assert max(float(np.abs(s.data).max()) for s in samples) == 1
    assert source.notes()["clipped"] > 0


def _take(
    reader: Reader, enough: Callable[[list[Sample]], bool], within_s: float = 10.0
) -> list[Sample]:
    samples: list[Sample] = []
    _until(lambda: samples.extend(reader.take(0.05)) or enough(samples), within_s)
    return samples


def _until(condition: Callable[[], object], within_s: float = 10.0) -> None:
    end_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end_s, "did not come true in time"
        time.sleep(0.02)
