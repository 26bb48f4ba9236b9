"""A run on Ray is recorded: readings by each stream's own process, results where it was started."""

from __future__ import annotations

from pathlib import Path

import pytest

from bindstream.config import Config
from bindstream.recording import Recording
from nodes.supervisor import Supervisor
from tests.nodes.test_supervisor import ANY, wait_for

pytestmark = pytest.mark.slow


def config(folder: Path, model: Path) -> Config:
    scene = {"kind": "scene", "seed": 5, "length_s": 600, "speed": 4, "events": []}
    anything = {"on": 0.01, "off": 0.001, "share": 0, "budget": 3600, "cooldown_s": 2}
    return Config.model_validate(
        {
            "streams": [
                {"name": f"a-{m}", "modality": m, "source": scene} for m in ("audio", "imu")
            ],
            "model": {"name": str(model), "threads": 1},
            "bus": {"address": ANY, "inbound": ANY, "control": ANY},
            "queries": [{"text": "a dog barking", **anything}],
            "sinks": [{"kind": "jsonl", "path": str(folder / "alerts.jsonl")}],
            "record": {"path": str(folder / "recordings")},
        }
    )


def test_readings_vectors_alerts_and_final_accounts_are_recorded(
    tmp_path: Path, tiny_model: Path
) -> None:
    with Supervisor(config(tmp_path, tiny_model)) as run:
        wait_for(run, lambda s: s["match"].get("alerts", 0) > 0, 60)
        run.drain()
        run.poll()
        status = run.status()
    assert status["recording"]["trouble"] == ""
    [folder] = (tmp_path / "recordings").iterdir()
    assert str(folder) == status["recording"]["folder"]
    assert {path.name.rpartition("-")[0] for path in folder.iterdir()} == {
        "all.bus",
        "a-audio",
        "a-imu",
    }
    with Recording(folder) as recording:
        assert recording.damage == ()
        assert [alert.state for alert in recording.alerts()].count("started") >= 1
        assert recording.facts["fingerprint"] == status["model"]["fingerprint"]
        for name, stream in status["streams"].items():
            accounts = stream["accounts"]
            assert recording.accounts()[name] == accounts
            assert accounts["embedded"] == len(list(recording.embeddings(name))) > 0
            said = stream["recording"]
            assert said["lost"] == {}
            assert recording.streams[name].samples == said["samples"][name]
            assert len(list(recording.samples(name))) == said["samples"][name]
