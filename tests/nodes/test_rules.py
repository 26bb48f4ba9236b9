"""Rules on Ray: over queries, of a reading, of a silent stream; added and removed while it runs,
and kept from one run to the next."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bindstream.bus import Subscriber
from bindstream.config import Config
from bindstream.control import ask
from bindstream.errors import BusError
from bindstream.records import Alert
from bindstream.state import State
from nodes.supervisor import Supervisor
from tests.nodes.test_supervisor import wait_for, warned

pytestmark = pytest.mark.slow
ANY = "tcp://127.0.0.1:0"
SCENE = {"kind": "scene", "seed": 5, "length_s": 120, "events": []}


def config(model: Path) -> Config:
    return Config.model_validate(
        {
            "streams": [
                {"name": "mic", "modality": "audio", "source": SCENE, "hop_s": 0.25},
                {"name": "heat", "modality": "thermal", "source": SCENE},
                {"name": "wrist", "source": {"kind": "imu", "port": "socket://127.0.0.1:9"}},
            ],
            "model": {"name": str(model), "threads": 1},
            "bus": {"address": ANY, "inbound": ANY, "control": ANY},
            # Anything answers it, once the background is known.
            "queries": [{"id": "dog", "text": "a dog", "on": 0.01, "off": -9, "alert": False}],
            "rules": [
                {"id": "noise", "any": ["dog"]},
                {"id": "warm", "reading": "max_c", "above": -50},
                {"id": "dead", "silent_s": 3, "streams": ["wrist"]},
            ],
            "sinks": [{"kind": "bus"}],
        }
    )


def test_rules_are_watched_for_and_answer_control(tiny_model: Path) -> None:
    with Supervisor(config(tiny_model)) as run:
        begun: dict[str, Alert] = {}
        added = False
        subscriber = Subscriber(run.address, ["alert."])
        until_s = time.monotonic() + 90
        while len(begun) < 4 and time.monotonic() < until_s:
            record = subscriber.receive(0.5)
            run.poll()
            if isinstance(record, Alert) and record.state == "started":
                begun.setdefault(record.query, record)
            if "warm" in begun and not added:
                added = True
                cold = {"id": "cold", "reading": "min_c", "below": 200}
                assert ask(run.control, {"op": "rule.add", "rule": cold})["id"] == "cold"
        subscriber.close()
        assert set(begun) == {"noise", "warm", "dead", "cold"}
        assert [(part.query, part.stream) for part in begun["noise"].parts] == [("dog", "mic")]
        assert begun["warm"].measure == "max_c"
        assert begun["dead"].stream == "wrist"
        listed = ask(run.control, {"op": "rule.list"})["rules"]
        assert [rule["id"] for rule in listed] == ["noise", "warm", "dead", "cold"]
        refused: list[tuple[dict[str, Any], str]] = [
            ({"op": "query.remove", "id": "dog"}, "noise"),
            ({"op": "rule.add", "rule": {"id": "x", "any": ["dgo"]}}, "dog"),
            ({"op": "rule.add", "rule": {"id": "dog", "silent_s": 9}}, "names a query"),
            ({"op": "rule.add", "rule": {"id": "warm", "silent_s": 9}}, "--replace"),
            ({"op": "rule.add", "rule": {"id": "x", "silent_s": 0}}, r"rule\.silent_s"),
            ({"op": "query.add", "query": {"id": "warm", "text": "a dog"}}, "a rule"),
            ({"op": "rule.remove", "id": "none"}, "cold"),
        ]
        for request, said in refused:
            with pytest.raises(BusError, match=said):
                ask(run.control, request)
        assert ask(run.control, {"op": "rule.remove", "id": "noise"})["id"] == "noise"
        assert ask(run.control, {"op": "query.remove", "id": "dog"})["id"] == "dog"
        assert [rule["id"] for rule in run.status()["rules"]] == ["warm", "dead", "cold"]


def remembering(folder: Path, model: Path) -> Config:
    """A run of two rules that keeps its state."""
    plain = config(model).model_dump(mode="json", exclude_unset=True)
    sinks = [{"kind": "jsonl", "path": str(folder / "alerts.jsonl")}]
    state = {"path": str(folder / "state.db")}
    return Config.model_validate({**plain, "sinks": sinks, "state": state})


def said(run: Supervisor, **request: Any) -> Any:
    return ask(run.control, request)


def alerts_of(run: Supervisor, rule: str) -> list[dict[str, Any]]:
    return list(said(run, op="alert.list", query=rule, most=1000)["alerts"])


def paused(run: Supervisor) -> dict[str, bool]:
    return {rule["id"]: rule["paused"] for rule in said(run, op="rule.list")["rules"]}


def test_rules_are_remembered_and_their_events_never_lost(tmp_path: Path, tiny_model: Path) -> None:
    filed = remembering(tmp_path, tiny_model)
    stays = {"id": "stays", "reading": "max_c", "above": -60, "cooldown_s": 0}
    with Supervisor(filed) as run:
        said(run, op="rule.add", rule=stays)
        said(run, op="rule.add", rule={"id": "cold", "reading": "min_c", "below": 200})
        assert said(run, op="rule.pause", id="cold") == {"id": "cold", "warnings": []}
        said(run, op="rule.remove", id="dead")
        with pytest.raises(BusError, match="'stays' is not paused"):
            said(run, op="rule.resume", id="stays")
        for name in ("stays", "noise"):
            wait_for(run, lambda _, name=name: bool(alerts_of(run, name)), 60)
        os.kill(run.status()["match"]["pid"], signal.SIGKILL)
        wait_for(run, lambda s: s["match"]["restarts"] > 0 and bool(s["match"]["queries"]), 40)
        (doubt,) = said(run, op="query.pause", id="dog")["warnings"]
        assert doubt == "rule 'noise': it raises no alert while 'dog' is not watched for"
        wait_for(run, lambda s: any("noise" in d for d in s["match"]["doubts"]), 10)
        wait_for(run, lambda _: alerts_of(run, "stays")[0]["state"] == "started", 20)
        last = alerts_of(run, "stays")[0]["id"]
        verdict = said(run, op="alert.judge", id=last, verdict="rejected")
        assert "its level stays as it was given" in verdict["warnings"][0]
        known = {"noise": False, "warm": False, "stays": False, "cold": True}
        assert paused(run) == known
    # It was not drained: the event is open in the file.
    with Supervisor(filed) as run:
        assert paused(run) == known
        notes = "; ".join(warned(run))
        assert "rule 'dead' stays removed" in notes
        assert "rule 'stays' was added" in notes
        said(run, op="rule.resume", id="cold")
        wait_for(run, lambda _: bool(alerts_of(run, "cold")), 60)
        wait_for(run, lambda _: alerts_of(run, "stays")[0]["id"] != last, 60)
        run.drain()
    lines = (tmp_path / "alerts.jsonl").read_bytes().splitlines()
    alerts = [msgspec.json.decode(line, type=Alert) for line in lines]
    begun = [alert.id for alert in alerts if alert.state == "started"]
    assert len(set(begun)) == len(begun)
    assert sorted(begun) == sorted(alert.id for alert in alerts if alert.state == "ended")
    state = State(tmp_path / "state.db", alone=True)
    assert state.open() == []
