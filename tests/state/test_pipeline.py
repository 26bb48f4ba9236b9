"""One run after another in one process: real sounds, what was said of them, what stays open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bindstream import Alert, Config, Pipeline
from bindstream.config import QueryConfig
from bindstream.errors import StateError
from bindstream.state import Kept, State
from bindstream.state.kept import entry

ALARM, DOG = ("smoke_alarm", 22), ("dog", 36)


def config(folder: Path, *events: tuple[str, float], **query: Any) -> Config:
    plan = [{"kind": kind, "at_s": at_s, "length_s": 5} for kind, at_s in events]
    scene = {"kind": "scene", "seed": 4, "length_s": 48, "speed": "max", "events": plan}
    given = {"id": "noise", "text": ["smoke alarm", "dog barking"], "share": 0, "on": 4, **query}
    return Config.model_validate(
        {
            "streams": [{"name": "mic", "modality": "audio", "source": scene}],
            "model": {"name": "starter", "threads": 1},
            "queries": [given],
            "state": {"path": str(folder / "state.db")},
        }
    )


def heard(config: Config) -> list[tuple[str, int]]:
    """(state, second of the scene) of each announcement."""
    pipeline, start_ns = Pipeline(config), 0
    found = []
    for record in pipeline:
        if isinstance(record, Alert):
            found.append((record.state, round((record.start_ns - start_ns) / 1e9)))
        else:
            start_ns = start_ns or record.start_ns
    assert pipeline.warnings == []
    return found


def which(found: list[tuple[str, int]]) -> list[str]:
    """Which of the two events each announcement is of."""
    return ["alarm" if at_s < 30 else "dog" for _, at_s in found]


@pytest.mark.slow
def test_a_sound_that_was_rejected_says_nothing_again_and_another_still_does(
    tmp_path: Path,
) -> None:
    assert which(heard(config(tmp_path, ALARM, DOG))) == ["alarm"] * 2 + ["dog"] * 2
    state = State(tmp_path / "state.db")
    dog, alarm = state.alerts()
    state.judge(alarm.alert.id, "rejected", "the neighbours'", 1)
    assert which(heard(config(tmp_path, ALARM, DOG))) == ["dog"] * 2
    state.judge(alarm.alert.id, "confirmed", "it was ours", 2)
    state.judge(dog.alert.id, "rejected", "", 3)
    assert which(heard(config(tmp_path, ALARM, DOG))) == ["alarm"] * 2


def test_an_event_that_was_open_when_a_run_was_left_is_closed_by_the_next(tmp_path: Path) -> None:
    first = next(r for r in Pipeline(config(tmp_path, ALARM)) if isinstance(r, Alert))
    assert first.state == "started"
    quiet = config(tmp_path, on=50)
    ended = [r for r in Pipeline(quiet) if isinstance(r, Alert)]
    assert [(a.id, a.state) for a in ended] == [(first.id, "ended")]
    state = State(tmp_path / "state.db")
    (kept,) = state.alerts()
    assert kept.alert == ended[0]
    assert state.open() == []


def test_what_was_said_of_queries_in_another_run_holds_here(tmp_path: Path) -> None:
    filed = config(tmp_path, ALARM)
    state = State(tmp_path / "state.db")
    state.keep(Kept("noise", filed=entry(filed.queries[0]), paused=True))
    siren = QueryConfig.model_validate({"text": "smoke alarm", "on": 3, "share": 0})
    state.keep(Kept("smoke-alarm", siren))
    lost = QueryConfig.model_validate({"text": "fire", "streams": "attic"})
    state.keep(Kept("fire", lost))
    pipeline = Pipeline(filed)
    assert {r.query for r in pipeline if isinstance(r, Alert)} == {"smoke-alarm"}
    said = "; ".join(pipeline.warnings)
    assert "'noise' is paused" in said
    assert "'smoke-alarm' was added" in said
    assert "'fire', given while running, is left out" in said


def test_a_state_that_another_run_holds_is_refused(tmp_path: Path) -> None:
    held = State(tmp_path / "state.db", alone=True)
    with pytest.raises(StateError, match=r"writes it.*state: \{path"):
        Pipeline(config(tmp_path))
    held.close()
