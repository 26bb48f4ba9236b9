"""What of a configuration a replay takes, and what it leaves out and says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from bindstream.config import Config
from bindstream.config.rule import SilenceRule
from bindstream.errors import ConfigError
from bindstream.recording import Recording
from bindstream.replay.plan import Played, plan
from bindstream.sources.recording import RecordingOptions
from tests.replay.material import START_NS, record, sensed

MIC: dict[str, Any] = {"name": "mic", "modality": "audio", "source": {"kind": "scene"}}
WRIST: dict[str, Any] = {**MIC, "name": "wrist", "modality": "imu"}
HALL: dict[str, Any] = {**MIC, "name": "hall", "modality": "vision"}
STATED: dict[str, Any] = {
    "streams": [{**MIC, "source": {"kind": "scene", "lateness_s": 0.7}}, WRIST, HALL],
    "queries": [
        {"id": "dog", "text": "a dog"},
        {"id": "dark", "text": "a dark room", "streams": ["hall"]},
        {"id": "both", "text": "a fall", "streams": ["hall", "wrist"]},
        {"id": "seen", "text": "smoke", "modalities": ["vision"]},
    ],
    "rules": [
        {"id": "night", "all": ["dog", "dark"], "within_s": 5},
        {"id": "gone", "silent_s": 3, "streams": ["hall", "mic"]},
        {"id": "hall-gone", "silent_s": 3, "streams": ["hall"]},
    ],
    "model": {"batch": 16, "threads": 3},
    "history": {},
    "evidence": {},
    "sinks": [{"kind": "terminal"}, {"kind": "jsonl", "path": "a.jsonl"}],
}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of three streams, 3 s long."""
    config = Config.model_validate(STATED)
    streams = {
        name: sensed(name, modality, 1, 3.0, [])  # type: ignore[arg-type]
        for name, modality in (("mic", "audio"), ("wrist", "imu"))
    }
    return record(tmp_path_factory.mktemp("recordings") / "run", config, streams)


def test_the_recorded_configuration_plays_what_was_recorded(path: Path) -> None:
    with Recording(path) as recording:
        planned = plan(recording, played=Played(speed=4, from_s=0.5, to_s=2.25, rounds=3))
    config = planned.config
    assert [stream.name for stream in config.streams] == ["mic", "wrist"]
    source = config.streams[0].source
    assert isinstance(source, RecordingOptions)
    assert (source.path, source.speed, source.loop) == (path.absolute(), 4, 3)
    assert (source.from_s, source.to_s, source.lateness_s) == (0.5, 2.25, 0.7)
    assert (config.model.batch, config.model.threads) == (1, 3)
    assert (config.history, config.evidence, config.state, config.sinks) == (None, None, None, ())
    assert (planned.start_ns, planned.end_ns) == (
        START_NS + 500_000_000,
        START_NS + 2_250_000_000 + 2 * 2_000_000_000,
    )


def test_what_listens_to_nothing_that_was_recorded_is_left_out_and_said(path: Path) -> None:
    with Recording(path) as recording:
        planned = plan(recording)
    queries = {query.id: query for query in planned.config.queries}
    assert set(queries) == {"dog", "both"}
    assert queries["both"].streams == ("wrist",)
    (rule,) = planned.config.rules
    assert isinstance(rule, SilenceRule)
    assert (rule.id, rule.streams) == ("gone", ("mic",))
    said = "\n".join(planned.notes)
    for what in ("stream hall", "query dark", "query seen", "rule night", "rule hall-gone"):
        assert what in said
    assert "history, evidence, sink jsonl: neither read nor written" in said
    Config.model_validate(planned.config.model_dump())


def test_another_configuration_takes_its_place(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump({"streams": [WRIST], "queries": [{"text": "a fall"}]}))
    with Recording(path) as recording:
        planned = plan(recording, other, model="another", threads=2)
    assert [query.id for query in planned.config.queries] == ["a-fall"]
    assert planned.notes == ("stream mic: recorded, and not in the configuration",)
    assert (planned.config.model.name, planned.config.model.threads) == ("another", 2)


def test_a_configuration_of_other_streams_is_refused(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump({"streams": [HALL, {**MIC, "name": "wrist"}]}))
    with Recording(path) as recording, pytest.raises(ConfigError) as refused:
        plan(recording, other)
    said = str(refused.value)
    assert said.startswith(f"{other}: none of its streams")
    assert "it has hall (vision), wrist (audio)" in said
    assert "holds mic (audio), wrist (imu). Names and modalities have to be those" in said
