"""Evidence of alerts in one process: what each of a scene's sensors gave, around what happened."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bindstream import Alert, Config, Pipeline
from bindstream.evidence import read_evidence

EVENTS = [
    {"kind": "smoke_alarm", "at_s": 22, "length_s": 6},
    {"kind": "fire", "at_s": 30, "length_s": 6},
    {"kind": "running", "at_s": 22, "length_s": 6},
]
SENSORS = {"audio": "smoke alarm", "thermal": "fire", "imu": "running"}


def config(model: object, folder: Path, streams: dict[str, str], **over: Any) -> Config:
    scene = {"kind": "scene", "seed": 2, "length_s": 44, "speed": "max", "events": EVENTS}
    return Config.model_validate(
        {
            "streams": [{"name": f"a-{m}", "modality": m, "source": scene} for m in streams],
            "model": {"name": str(model), "threads": 1},
            "queries": [{"text": words, "modalities": [m]} for m, words in streams.items()],
            "evidence": {"path": str(folder)},
            **over,
        }
    )


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Alert], Pipeline]:
    pipeline = Pipeline(config("starter", tmp_path_factory.mktemp("evidence"), SENSORS))
    return [record for record in pipeline if isinstance(record, Alert)], pipeline


def test_every_alert_names_a_folder_that_says_how_it_ended(
    ran: tuple[list[Alert], Pipeline],
) -> None:
    alerts, pipeline = ran
    ended = {alert.id: alert for alert in alerts if alert.state == "ended"}
    assert {alert.modality for alert in alerts} == set(SENSORS)
    for alert in alerts:
        told = read_evidence(Path(alert.evidence)).told
        assert told.alert == ended[alert.id]
        assert told.note == ""
        assert told.kept_start_ns <= alert.start_ns
        assert told.kept_end_ns >= alert.end_ns
    assert all(health.failed == 0 for health in pipeline.evidence().values())
    assert pipeline.warnings == []


def test_it_holds_what_the_sensor_gave(ran: tuple[list[Alert], Pipeline]) -> None:
    folder = {alert.modality: Path(alert.evidence) for alert in ran[0]}
    with wave.open(str(folder["audio"] / "sound.wav")) as heard:
        sound = np.frombuffer(heard.readframes(heard.getnframes()), "<i2") / 32767
    assert 7 < len(sound) / 16000 < 20
    assert np.abs(sound[3 * 16000 :]).max() > 4 * np.abs(sound[:16000]).max()
    celsius = np.load(folder["thermal"] / "celsius.npy")
    assert celsius.max() > 100
    assert Image.open(folder["thermal"] / "picture.png").size[1] >= 480
    rows = np.loadtxt(folder["imu"] / "motion.csv", delimiter=",", skiprows=1)
    assert rows.shape[1] == 7
    assert rows[:, 1:4].std() > 1


def test_a_folder_that_cannot_be_written_stops_no_pipeline(
    tiny_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    easy = [{"text": "a dog barking", "on": 0.01, "off": 0.001, "share": 0, "budget": 3600}]
    made = config(tiny_model, tmp_path / "file" / "e", {"audio": ""}, queries=easy)
    pipeline = Pipeline(made)
    alerts = [record for record in pipeline if isinstance(record, Alert)]
    assert {alert.state for alert in alerts} == {"started", "ended"}
    assert any("cannot be saved" in warning for warning in pipeline.warnings)


def test_without_the_section_nothing_is_kept(tiny_model: Path, tmp_path: Path) -> None:
    easy = [{"text": "a dog barking", "on": 0.01, "off": 0.001, "share": 0, "budget": 3600}]
    made = config(tiny_model, tmp_path / "e", {"audio": ""}, queries=easy, evidence=None)
    alerts = [record for record in Pipeline(made) if isinstance(record, Alert)]
    assert alerts
    assert {alert.evidence for alert in alerts} == {""}
    assert not (tmp_path / "e").exists()
