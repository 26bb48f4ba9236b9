"""A pipeline in one process records what its sensors gave it, and what it made of that."""

from __future__ import annotations

from pathlib import Path

import pytest

from bindstream import Alert, Pipeline
from bindstream.config import Config
from bindstream.recording import Recording, series
from bindstream.records import Embedding
from tests.recording.test_recorder import wait_until

SCENE = {"kind": "scene", "seed": 5, "length_s": 8, "speed": "max", "events": []}
ANYTHING = {"on": 0.01, "off": 0.001, "share": 0, "budget": 3600, "cooldown_s": 2}


def config(folder: Path, model: Path) -> Config:
    return Config.model_validate(
        {
            "streams": [
                {"name": f"a-{modality}", "modality": modality, "source": SCENE}
                for modality in ("audio", "thermal", "imu")
            ],
            "model": {"name": str(model), "threads": 1},
            "queries": [{"text": "a dog barking", **ANYTHING}],
            "record": {"path": str(folder)},
        }
    )


def test_readings_vectors_alerts_and_accounts_are_what_the_run_gave(
    tmp_path: Path, tiny_model: Path
) -> None:
    pipeline = Pipeline(config(tmp_path, tiny_model))
    given = list(pipeline)
    [folder] = tmp_path.iterdir()
    health = pipeline.recording()
    assert health is not None
    assert (health.lost, health.trouble) == ({}, "")
    with Recording(folder) as recording:
        for name, stream in pipeline.health().items():
            assert recording.streams[name].samples == stream.reader.samples
            assert recording.accounts()[name] == stream.accounts.plain()
            vectors = [e for e in given if isinstance(e, Embedding) and e.stream == name]
            kept = list(recording.embeddings(name))
            assert [e.seq for e in kept] == [e.seq for e in vectors]
            assert [e.vector.tobytes() for e in kept] == [e.vector.tobytes() for e in vectors]
        assert list(recording.alerts()) == [each for each in given if isinstance(each, Alert)]
        assert recording.facts["fingerprint"] == pipeline.model.fingerprint


def test_a_recording_that_cannot_be_written_is_a_warning_and_stops_nothing(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series, "RETRY_S", 60.0)
    (tmp_path / "file").write_text("")
    pipeline = Pipeline(config(tmp_path / "file", tiny_model))
    vectors = [each for each in pipeline if isinstance(each, Embedding)]
    assert {each.stream for each in vectors} == {"a-audio", "a-thermal", "a-imu"}
    wait_until(lambda: any("nothing is recorded" in warning for warning in pipeline.warnings))
