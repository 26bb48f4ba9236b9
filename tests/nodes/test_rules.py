"""Rules on Ray: over queries, of a reading, of a silent stream; added and removed while it runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from bindstream.bus import Subscriber
from bindstream.config import Config
from bindstream.control import ask
from bindstream.errors import BusError
from bindstream.records import Alert
from nodes.supervisor import Supervisor

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
                assert ask(run.control, {"op": "rule.add", "rule": cold}) == {"id": "cold"}
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
        assert ask(run.control, {"op": "rule.remove", "id": "noise"}) == {"id": "noise"}
        assert ask(run.control, {"op": "query.remove", "id": "dog"})["id"] == "dog"
        assert [rule["id"] for rule in run.status()["rules"]] == ["warm", "dead", "cold"]
