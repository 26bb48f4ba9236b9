"""The same recording gives the same, byte for byte: twice, at any speed, cut, in rounds, on Ray."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from bindstream import Pipeline
from bindstream.config import Config, QueryConfig
from bindstream.recording import Recording
from bindstream.replay.plan import Plan, Played, plan
from bindstream.replay.transcript import Transcript, TranscriptFile
from tests.replay.material import SECOND_NS, START_NS, missing, record, sensed, set_back

LENGTH_S = 32.0
STREAMS = {"mic": "audio", "hall": "vision", "wrist": "imu"}
ANY = "tcp://127.0.0.1:0"
Line = dict[str, Any]


@pytest.fixture(scope="module")
def recorded(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sensors: one is interrupted, one has a gate, the clock of one is set back."""
    config = Config.model_validate(
        {
            "streams": [
                {"name": name, "modality": m, "source": {"kind": "scene"}, "gate": m == "vision"}
                for name, m in STREAMS.items()
            ],
            "model": {"name": str(tiny_model)},
            "queries": [
                {"text": "a dog barking", "on": 0.1, "off": -1, "share": 0, "cooldown_s": 0},
                {
                    "text": "glass breaking",
                    "on": 0.8,
                    "off": 0.1,
                    "share": 0,
                    "modalities": ["audio", "imu"],
                },
            ],
            "rules": [
                {"id": "both", "all": ["a-dog-barking", "glass-breaking"], "within_s": 5},
                {"id": "gone", "silent_s": 3},
            ],
            "bus": {"address": ANY, "inbound": ANY, "control": ANY},
        }
    )
    faults = {"mic": missing(8, 13.5), "wrist": set_back(24, 10), "hall": missing(0, 0)}
    streams = {
        stream.name: faults[stream.name](sensed(stream.name, stream.modality, 3, LENGTH_S, []))
        for stream in config.streams
    }
    with mock.patch("bindstream.recording.recorder.CHUNK_BYTES", 50_000):  # many chunks
        return record(tmp_path_factory.mktemp("recordings") / "run", config, streams)


def planned(path: Path, played: Played | None = None, **more: Any) -> Plan:
    with Recording(path) as recording:
        return plan(recording, None, played, threads=1, **more)


def transcript(one: Plan) -> bytes:
    file = io.BytesIO()
    for _ in Pipeline(one.config, Transcript(file, windows=True)):
        pass
    return file.getvalue()


def lines(written: bytes, kind: str = "window") -> list[Line]:
    found = map(json.loads, written.splitlines())
    return [line for line in found if line["kind"] == kind]


@pytest.fixture(scope="module")
def once(recorded: Path) -> bytes:
    return transcript(planned(recorded))


def test_a_recording_gives_the_same_bytes_twice(recorded: Path, once: bytes) -> None:
    assert transcript(planned(recorded)) == once
    alerts = lines(once, "alert")
    assert {"a-dog-barking", "gone"} <= {alert["query"] for alert in alerts}
    assert not {"stages", "evidence"} & set(alerts[0])
    outcomes = {window["outcome"] for window in lines(once)}
    assert outcomes == {"embedded", "reused", "void"}


def test_the_speed_changes_nothing(recorded: Path, once: bytes) -> None:
    assert transcript(planned(recorded, Played(speed=50))) == once


def test_windows_stand_in_the_order_of_their_places(once: bytes) -> None:
    keys = [(line["at_ns"], line["stream"], line["seq"]) for line in lines(once)]
    assert keys == sorted(keys)
    wrist = [line["end_ns"] for line in lines(once) if line["stream"] == "wrist"]
    assert wrist != sorted(wrist)


def test_silence_is_said_when_it_lasted_so_long_in_the_recording(once: bytes) -> None:
    gone = [a for a in lines(once, "alert") if a["query"] == "gone" and a["stream"] == "mic"]
    assert [a["state"] for a in gone] == ["started", "ended"]
    silent_s = [(a["end_ns"] - a["start_ns"]) / SECOND_NS for a in gone]
    assert silent_s[0] == 3
    assert 8 <= (gone[0]["start_ns"] - START_NS) / SECOND_NS <= 9


def seen(written: Sequence[Line], stream: str) -> dict[int, str | None]:
    return {line["start_ns"]: line["vector"] for line in written if line["stream"] == stream}


def test_a_part_gives_the_windows_of_that_part(recorded: Path, once: bytes) -> None:
    part = lines(transcript(planned(recorded, Played(from_s=2.5, to_s=12.0))))
    whole = lines(once)
    for stream in ("mic", "wrist"):  # what a gate makes of a window depends on those before
        found = seen(part, stream)
        assert found.items() <= seen(whole, stream).items()
        starts = [(start - START_NS) / SECOND_NS for start in found]
        assert min(starts) == 3 if stream == "mic" else 2 <= min(starts) <= 3
        assert max(line["end_ns"] for line in part) <= START_NS + 12 * SECOND_NS


def test_every_round_is_later_by_whole_seconds(recorded: Path) -> None:
    played = Played(from_s=0.5, to_s=7.25, rounds=2)
    one = planned(recorded, played)
    twice = [line for line in lines(transcript(one)) if line["stream"] == "mic"]
    first = {line["start_ns"]: line["vector"] for line in twice if line["vector"]}
    again = {start - 7 * SECOND_NS: vector for start, vector in first.items()}
    both = first.keys() & again.keys()
    assert len(both) >= 4
    assert all(first[start] == again[start] for start in both)
    assert one.end_ns == START_NS + round((7.25 + 7) * SECOND_NS)
    assert max(first) > START_NS + 11 * SECOND_NS


def test_other_words_take_the_place_of_queries(recorded: Path, once: bytes) -> None:
    query = QueryConfig.model_validate({"text": "an empty room", "on": 0.1, "off": -1, "share": 0})
    one = planned(recorded, queries=[query])
    written = transcript(one)
    assert lines(written) == lines(once)
    assert {a["query"] for a in lines(written, "alert")} == {"an-empty-room", "gone"}
    assert one.notes == ("rule both: its queries are not asked",)


def test_what_is_left_of_a_truncated_recording_is_replayed(
    recorded: Path, once: bytes, tmp_path: Path
) -> None:
    (file,) = recorded.glob("*.mcap")
    content = file.read_bytes()
    (tmp_path / file.name).write_bytes(content[: len(content) * 6 // 10])
    with Recording(tmp_path) as recording:
        one = plan(recording, threads=1)
        assert recording.damage
    found, whole = lines(transcript(one)), lines(once)
    assert 10 < len(found) < len(whole)
    for stream in STREAMS:
        left = [line for line in found if line["stream"] == stream]
        before = [line for line in whole if line["stream"] == stream]
        # A reading that came after the cut could still have been part of the last window.
        assert left[:-1] == before[: len(left) - 1]


def test_a_run_that_was_recorded_exactly_gives_its_own_windows_and_alerts(
    tiny_model: Path, tmp_path: Path
) -> None:
    scene = {"kind": "scene", "seed": 4, "length_s": 36, "speed": "max", "events": []}
    flaws = {"jitter_ms": 8, "gap_every_s": 11, "gap_s": 2.5, "duplicates": 0.1}
    config = Config.model_validate(
        {
            "streams": [
                {"name": "wrist", "modality": "imu", "source": {**scene, **flaws}},
                {"name": "heat", "modality": "thermal", "source": {**scene, "rate_hz": 2}},
            ],
            "model": {"name": str(tiny_model), "threads": 1},
            "queries": [{"text": "a dog barking", "on": 0.01, "off": 0.001, "share": 0}],
            "rules": [{"id": "gone", "silent_s": 2}],
            "record": {"path": str(tmp_path)},
        }
    )
    file = io.BytesIO()
    for _ in Pipeline(config, Transcript(file, windows=True)):
        pass
    (folder,) = tmp_path.iterdir()
    assert transcript(planned(folder)) == file.getvalue()
    assert {a["query"] for a in lines(file.getvalue(), "alert")} == {"a-dog-barking", "gone"}


@pytest.mark.slow
def test_on_ray_the_same_bytes_come_out(recorded: Path, once: bytes, tmp_path: Path) -> None:
    from nodes.supervisor import Supervisor

    out = tmp_path / "ray.jsonl"
    one, until_s = planned(recorded), time.monotonic() + 120
    with Supervisor(one.config, TranscriptFile(out, windows=True)) as supervisor:
        while not supervisor.ended and time.monotonic() < until_s:
            supervisor.poll()
            time.sleep(0.1)
        supervisor.drain()
        supervisor.poll()
        said = supervisor.status()
    assert said["match"]["error"] == ""
    assert out.read_bytes() == once
