"""Evidence and explanations of a run on Ray: saved by the stream's own process, told by control."""

from __future__ import annotations

from pathlib import Path

import pytest

from bindstream.bus import Subscriber
from bindstream.config import Config
from bindstream.control import ask
from bindstream.errors import BusError
from bindstream.evidence import read_evidence
from bindstream.records import Alert
from nodes.supervisor import Supervisor
from tests.nodes.test_supervisor import ANY, wait_for

pytestmark = pytest.mark.slow


def config(folder: Path, model: Path) -> Config:
    scene = {"kind": "scene", "seed": 5, "length_s": 600, "speed": 4, "events": []}
    anything = {"on": 0.01, "off": 0.001, "share": 0, "budget": 3600, "cooldown_s": 2}
    return Config.model_validate(
        {
            "streams": [{"name": f"a-{m}", "modality": m, "source": scene} for m in ("audio",)],
            "model": {"name": str(model), "threads": 1},
            "bus": {"address": ANY, "inbound": ANY, "control": ANY},
            "queries": [{"text": "a dog barking", "negatives": ["a room"], **anything}],
            "sinks": [{"kind": "jsonl", "path": str(folder / "alerts.jsonl")}],
            "evidence": {"path": str(folder / "evidence"), "after_s": 1},
        }
    )


def test_a_run_saves_evidence_and_explains_itself(tmp_path: Path, tiny_model: Path) -> None:
    with Supervisor(config(tmp_path, tiny_model)) as run:
        with Subscriber(run.address, ["alert."]) as bus:
            wait_for(run, lambda s: s["match"].get("alerts", 0) > 0, 60)
            wait_for(run, lambda s: _saved(s) > 0, 60)
            heard = bus.receive(15)
        assert isinstance(heard, Alert)
        assert Path(heard.evidence).parent == tmp_path / "evidence" / "a-dog-barking"
        assert "a room" in [text for text, _ in heard.nearest]
        assert heard.shows[0][1] >= heard.shows[-1][1] > 0
        said = ask(run.control, {"op": "explain", "stream": "a-audio"})
        assert (said["stream"], said["modality"]) == ("a-audio", "audio")
        assert [query["query"] for query in said["queries"]] == ["a-dog-barking"]
        assert said["queries"][0]["on"] > 0
        assert sum(each["share"] for each in said["shows"]) == pytest.approx(1)
        assert said["alerts"][-1]["evidence"]
        with pytest.raises(BusError, match=r"no stream 'attic'.*There are: a-audio"):
            ask(run.control, {"op": "explain", "stream": "attic"})
        run.drain()
        run.poll()
        status = run.status()["streams"]["a-audio"]["evidence"]
        assert (status["failed"], status["trouble"]) == (0, "")
    found = [read_evidence(each) for each in (tmp_path / "evidence").glob("*/*")]
    assert {one.told.alert.state for one in found} == {"ended"}
    assert all((one.folder / "sound.wav").exists() for one in found)


def _saved(status: dict[str, object]) -> int:
    stream: dict[str, dict[str, int]] = status["streams"]["a-audio"]  # type: ignore[index]
    return (stream.get("evidence") or {}).get("saved", 0)
