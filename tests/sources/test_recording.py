"""A recording as a source: the same Samples, and where each round and each part begins and ends."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from bindstream.clocks.host import Clock
from bindstream.config import Config
from bindstream.errors import ConfigError, SourceError
from bindstream.records import ModalityName, Sample
from bindstream.sources import EndOfStream, SourceContext
from bindstream.sources.recording import RecordingOptions, RecordingSource
from tests.replay.material import SECOND_NS, START_NS, missing, record, sensed

CLOCK = Clock.read()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4.3 s of motion, and sound that begins 3 s later than that."""
    wrist: dict[str, Any] = {"name": "wrist", "modality": "imu", "source": {"kind": "scene"}}
    config = Config.model_validate(
        {"streams": [wrist, {**wrist, "name": "mic", "modality": "audio"}]}
    )
    streams = {
        "wrist": sensed("wrist", "imu", 1, 4.3, []),
        "mic": missing(0, 3)(sensed("mic", "audio", 1, 4.3, [])),
    }
    return record(tmp_path_factory.mktemp("recordings") / "run", config, streams)


def source(
    path: Path,
    name: str = "wrist",
    modality: ModalityName = "imu",
    start_ns: int = 0,
    resume_ns: int = 0,
    **options: Any,
) -> RecordingSource:
    stated = {"kind": "recording", "path": path, "speed": "max", **options}
    context = SourceContext(name, modality, CLOCK, start_ns, resume_ns)
    return RecordingSource(RecordingOptions.model_validate(stated), context)


def played(one: RecordingSource, most: int = 10_000) -> list[Sample]:
    samples: list[Sample] = []
    one.open()
    try:
        while len(samples) < most:
            samples += one.read()
    except EndOfStream:
        pass
    finally:
        one.close()
    return samples


def same(one: Sample, other: Sample) -> bool:
    for field in dataclasses.fields(Sample):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if not (np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b):
            return False
    return True


def test_the_samples_are_those_that_were_recorded(path: Path) -> None:
    original = list(sensed("wrist", "imu", 1, 4.3, []))
    once, again = played(source(path)), played(source(path))
    assert len(once) == len(again) == len(original)
    assert all(map(same, once, original))
    assert all(map(same, again, original))


def test_another_stream_is_played_under_this_ones_name(path: Path) -> None:
    (first, *_) = played(source(path, "hall", "audio", stream="mic"))
    assert (first.stream, first.start_ns) == ("hall", START_NS + 3 * SECOND_NS)


def test_a_part_holds_what_began_within_it(path: Path) -> None:
    one = source(path, from_s=1.05, to_s=2.5)
    starts = [(sample.start_ns - START_NS) / SECOND_NS for sample in played(one)]
    assert 1.05 <= min(starts) < 1.2
    assert 2.3 < max(starts) < 2.5
    assert one.begins_ns == START_NS + round(1.05 * SECOND_NS)
    assert one.over_ns == START_NS + round(2.5 * SECOND_NS)


def test_every_stream_is_over_at_the_recordings_end(path: Path) -> None:
    ends = set()
    for stream, modality in (("wrist", "imu"), ("mic", "audio")):
        one = source(path, stream, modality)  # type: ignore[arg-type]
        last = played(one)[-1]
        assert last.end_ns <= one.over_ns
        ends.add(one.over_ns)
    assert len(ends) == 1


def test_rounds_follow_by_whole_seconds_and_say_so(path: Path) -> None:
    one = source(path, loop=3)
    samples = played(one)
    each = len(samples) // 3
    assert len(samples) == 3 * each
    assert [i for i, sample in enumerate(samples) if sample.gap] == [each, 2 * each]
    first, second = samples[:each], samples[each : 2 * each]
    for a, b in zip(first, second, strict=True):
        assert b.start_ns - a.start_ns == b.end_ns - a.end_ns == 5 * SECOND_NS
        assert a.times_ns is not None
        assert b.times_ns is not None
        assert (b.times_ns - a.times_ns == 5 * SECOND_NS).all()
        np.testing.assert_array_equal(a.data, b.data)
    assert one.over_ns == START_NS + round((4.3 + 10) * SECOND_NS)


def test_an_endless_loop_goes_on(path: Path) -> None:
    samples = played(source(path, loop=True), most=500)
    assert len(samples) == 500
    assert samples[-1].start_ns > START_NS + 50 * SECOND_NS


def test_who_takes_over_goes_on_where_the_stream_was(path: Path) -> None:
    resume_ns = START_NS + 2 * SECOND_NS
    starts = [sample.start_ns for sample in played(source(path, resume_ns=resume_ns))]
    assert resume_ns <= starts[0] < resume_ns + SECOND_NS // 5
    in_second = START_NS + 7 * SECOND_NS
    starts = [s.start_ns for s in played(source(path, resume_ns=in_second, loop=2))]
    assert in_second <= starts[0] < in_second + SECOND_NS // 5
    assert starts[-1] < START_NS + 10 * SECOND_NS


def test_nobody_waits_through_a_silence_to_know_what_comes_after_it(path: Path) -> None:
    one = source(path, "mic", "audio", start_ns=CLOCK.now_ns(), speed=1)
    one.open()
    (first,) = one.read()  # which was captured 3 s into the recording
    assert first.start_ns == START_NS + 3 * SECOND_NS
    assert one.read() == []  # the next is not due before these are over
    one.close()


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"stream": "cellar"}, r"no stream 'cellar'.*mic \(audio\), wrist \(imu\)"),
        ({"stream": "mic"}, r"'mic'.*of audio.*is of imu"),
        ({"from_s": 90}, r"beyond the end.*lasts 4\.300 s"),
    ],
)
def test_what_the_recording_does_not_hold_is_refused_by_name(
    path: Path, options: dict[str, Any], what: str
) -> None:
    with pytest.raises(ConfigError, match=rf"(?s)stream 'wrist'.*{what}"):
        source(path, **options).open()


def test_what_is_no_recording_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.mcap").write_bytes(b"nothing of the kind")
    with pytest.raises(SourceError, match="wrist") as caught:
        source(tmp_path).open()
    assert caught.value.fix


def test_a_part_has_to_end_after_its_beginning() -> None:
    stated = {"kind": "recording", "path": "x", "from_s": 3, "to_s": 3}
    with pytest.raises(ValidationError, match="to_s 3 must be later than from_s 3"):
        RecordingOptions.model_validate(stated)
