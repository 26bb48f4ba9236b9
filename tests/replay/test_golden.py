"""What came of recordings that lie here comes of them again."""

from __future__ import annotations

from typing import Any

import pytest

from bindstream.recording import Recording
from tests.replay.golden import CONFIGS, RECORDINGS, UPDATE, differences, golden, played


@pytest.mark.parametrize("name", CONFIGS)
def test_a_recording_gives_what_it_gave(name: str) -> None:
    found = list(differences(golden(name), played(name)))
    assert not found, "\n".join([*found[:40], f"If this is as it should be: {UPDATE}"])


@pytest.mark.parametrize("name", CONFIGS)
def test_a_recording_holds_what_it_is_to_show(name: str) -> None:
    with Recording(RECORDINGS / name) as recording:
        modalities = {stream.modality for stream in recording.streams.values()}
        assert not recording.damage
    told = golden(name)
    said = {(alert["query"], alert["state"]) for alert in told["alerts"]}
    outcomes = {window["outcome"] for window in told["windows"]}
    if name == "house":
        assert modalities == {"audio", "vision", "thermal", "depth", "imu"}
        assert {q for q, _ in said} == {"dog", "fire", "falling", "smoke", "danger", "hot", "deaf"}
        assert outcomes == {"embedded", "reused", "void"}
    else:
        assert ("gone", "started") in said
        ends = [window["end_s"] for window in told["windows"] if window["stream"] == "wrist"]
        assert ends != sorted(ends)  # a clock that went back


def test_all_recordings_together_are_small() -> None:
    assert sum(path.stat().st_size for path in RECORDINGS.rglob("*")) < 1_500_000


def test_differences_name_the_field() -> None:
    before: dict[str, Any] = {"alerts": [{"id": "a", "peak_z": 4.21}, {"id": "b", "on": 3}]}
    after: dict[str, Any] = {"alerts": [{"id": "a", "peak_z": 4.35}]}
    assert list(differences(before, after)) == [
        "alerts[0].peak_z: 4.21 -> 4.35",
        'alerts[1]: {"id": "b", "on": 3} -> nothing',
    ]
    assert not list(differences(before, before))
    assert not list(differences({"z": 4.21}, {"z": 4.22}))
    assert list(differences({"seq": 4}, {"seq": 5})) == ["seq: 4 -> 5"]
