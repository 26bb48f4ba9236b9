"""A run on Ray that remembers: across the death of its actors, and from one run to the next."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image

from bindstream.config import Config
from bindstream.control import ask
from bindstream.errors import BusError, StateError
from bindstream.records import Alert
from bindstream.state import State
from nodes.supervisor import Supervisor
from tests.nodes.test_supervisor import ANY, taught, wait_for, warned

pytestmark = pytest.mark.slow
EAGER = {"on": 0.3, "off": -10, "share": 0, "cooldown_s": 0, "budget": 3600}
"""Whatever stands out a little is an event, which goes on."""


@pytest.fixture
def config(tmp_path: Path, tiny_model: Path) -> Config:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    rng = np.random.default_rng(0)
    for i in range(40):
        noise = rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)
        Image.fromarray(noise).save(pictures / f"{i:02d}.png")
    source = {"kind": "camera", "folder": str(pictures), "fps": 10, "loop": True}
    return Config.model_validate(
        {
            "streams": [{"name": "door", "source": source, "window_s": 1, "hop_s": 0.25}],
            "model": {"name": str(tiny_model), "threads": 1},
            "bus": {"address": ANY, "inbound": ANY, "control": ANY},
            "queries": [{"text": "a dog barking", **EAGER}, {"text": "glass", "on": 90}],
            "sinks": [{"kind": "jsonl", "path": str(tmp_path / "alerts.jsonl")}],
            "state": {"path": str(tmp_path / "state.db")},
        }
    )


def announced(tmp_path: Path) -> list[Alert]:
    lines = (tmp_path / "alerts.jsonl").read_bytes().splitlines()
    return [msgspec.json.decode(line, type=Alert) for line in lines]


def listed(run: Supervisor, **asked: Any) -> list[dict[str, Any]]:
    return list(ask(run.control, {"op": "alert.list", **asked})["alerts"])


def until(run: Supervisor, what: Callable[[], bool], most_s: float = 40) -> None:
    wait_for(run, lambda _: what(), most_s)


def queries(run: Supervisor) -> dict[str, bool]:
    return {q["id"]: q["paused"] for q in ask(run.control, {"op": "query.list"})["queries"]}


def test_a_run_remembers(config: Config, tmp_path: Path, tiny_model: Path) -> None:
    with Supervisor(config) as run:
        with pytest.raises(StateError, match=r"writes it.*state: \{path"):
            State(tmp_path / "state.db", alone=True)  # as another run would
        until(run, lambda: any(a["state"] == "started" for a in listed(run)))
        (first,) = listed(run, query="a-dog-barking")
        assert (first["stream"], first["verdict"]) == ("door", "")
        # Its end is announced by another process, under the same id, or it goes on there.
        os.kill(run.status()["match"]["pid"], signal.SIGKILL)
        wait_for(run, lambda s: s["match"]["restarts"] > 0 and bool(s["match"]["queries"]), 40)
        said = ask(run.control, {"op": "alert.judge", "id": "last", "verdict": "confirmed"})
        assert said["alert"]["verdict"] == "confirmed"
        with pytest.raises(BusError, match=r"no alert 'nonsense'.*bindstream alerts"):
            ask(run.control, {"op": "alert.judge", "id": "nonsense", "verdict": "confirmed"})
        with pytest.raises(BusError, match="'maybe' is no verdict"):
            ask(run.control, {"op": "alert.judge", "id": "last", "verdict": "maybe"})
        ask(run.control, {"op": "query.pause", "id": "a-dog-barking"})
        assert queries(run) == {"a-dog-barking": True, "glass": False}
        wait_for(run, lambda s: s["match"]["queries"] == ("glass",), 10)
        until(run, lambda: all(a["state"] == "ended" for a in listed(run)), 10)
        with pytest.raises(BusError, match="'glass' is not paused"):
            ask(run.control, {"op": "query.resume", "id": "glass"})
        ask(run.control, {"op": "query.remove", "id": "glass"})
        ask(run.control, taught(tiny_model))
        assert queries(run) == {"a-dog-barking": True, "my-cat": False}
        quiet = len(listed(run))
        run.drain()
        assert len(announced(tmp_path)) == 2 * quiet
    with Supervisor(config) as run:
        assert queries(run) == {"a-dog-barking": True, "my-cat": False}
        said = "; ".join(warned(run))
        assert "'glass' stays removed" in said
        assert "'a-dog-barking' is paused" in said
        assert [a["id"] for a in listed(run) if a["verdict"] == "confirmed"] != []
        ask(run.control, {"op": "query.resume", "id": "a-dog-barking"})
        until(run, lambda: len(listed(run)) > quiet)
        time.sleep(0.5)
        run.drain()
    alerts = announced(tmp_path)
    begun = [a.id for a in alerts if a.state == "started"]
    assert len(set(begun)) == len(begun)
    assert sorted(begun) == sorted(a.id for a in alerts if a.state == "ended")
    state = State(tmp_path / "state.db", alone=True)
    assert {k.alert.id for k in state.alerts()} == set(begun)
    assert state.open() == []


def test_others_are_watched_while_the_match_actor_begins(config: Config) -> None:
    with Supervisor(config) as run:
        # Once it was heard to watch, nobody begins its successor before that was heard, too.
        wait_for(run, lambda s: bool(s["match"]["queries"]) and "pid" in s["streams"]["door"], 60)
        desk, match, first = run._desk, run._match, run.status()["match"]["pid"]
        assert desk is not None
        assert match is not None
        begin, stopped = desk.begin_match, []

        def begin_stopped(wait_s: float) -> None:
            assert match.health is not None
            if not stopped and match.health.pid != first:
                stopped.append(match.health.pid)
                os.kill(stopped[0], signal.SIGSTOP)
            begin(wait_s)

        desk.begin_match = begin_stopped  # type: ignore[method-assign]
        os.kill(first, signal.SIGKILL)
        wait_for(run, lambda _: bool(stopped), 60)
        # Of all others a stream is back soonest: it has to be before `BEGIN_S` is over.
        os.kill(run.status()["streams"]["door"]["pid"], signal.SIGKILL)
        wait_for(run, lambda s: s["streams"]["door"]["restarts"] > 0, 50)
        os.kill(stopped[0], signal.SIGCONT)
        wait_for(run, lambda s: bool(s["match"]["queries"]), 60)
        assert run.status()["match"]["pid"] == stopped[0]
