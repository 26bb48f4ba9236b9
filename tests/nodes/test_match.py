"""The match actor at the end of a run: whoever it is, every event that was announced is ended."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from bindstream.bus import Broker, Publisher
from bindstream.clocks.host import Clock
from bindstream.config import Config, JsonlSinkConfig
from bindstream.errors import BindstreamError
from bindstream.latency import AGAIN
from bindstream.records import Embedding
from bindstream.state import KeptAlert, State
from nodes import match, match_health
from nodes.match import MatchNode
from nodes.match_health import MatchHealth
from nodes.status import troubles
from nodes.supervisor import Supervisor
from nodes.watched import FROZEN_S, Watched
from nodes.wiring import Wiring
from tests.history.windows import SECOND_NS, window, written
from tests.state.alerts import alert

ANY = "tcp://127.0.0.1:0"


@pytest.fixture
def wiring(tmp_path: Path) -> Iterator[Wiring]:
    broker = Broker(ANY, ANY)
    clock, streams = Clock.read(), frozenset({"mic"})
    yield Wiring(clock, tmp_path / "run", broker.inbound, broker.address, None, streams)
    broker.close()


@pytest.fixture
def state(tmp_path: Path, wiring: Wiring) -> State:
    """As a process leaves it that was killed in one event, with the end of another in hand."""
    now_s = wiring.clock.now_ns() / 1e9 - alert().start_ns / 1e9
    state = State(tmp_path / "state.db")
    told, untold = alert(now_s, query="dog"), alert(now_s, query="cat")
    state.keep_alerts([KeptAlert(told), KeptAlert(untold)])
    state.told([(told.id, "started"), (untold.id, "started")])
    state.keep_alerts([KeptAlert(alert(now_s, "ended", query="cat"))])
    return state


def sink(path: Path) -> tuple[JsonlSinkConfig, ...]:
    return (JsonlSinkConfig(kind="jsonl", path=path),)


def test_one_that_was_never_begun_ends_what_another_had_begun(
    tmp_path: Path, wiring: Wiring, state: State
) -> None:
    path = tmp_path / "alerts.jsonl"
    health = MatchNode(wiring, sink(path), None, state.path).drain(0)
    said = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(a["query"], a["state"]) for a in said] == [("cat", "ended"), ("dog", "ended")]
    assert [AGAIN in a["stages"] for a in said] == [True, False]
    assert (state.open(), state.untold(), health.error) == ([], [], "")


def test_it_begins_nothing_once_it_was_drained(
    tmp_path: Path, wiring: Wiring, state: State
) -> None:
    node = MatchNode(wiring, (), None, state.path)
    node.drain(0)
    node.begin({}, {}, (), "m1", None, (), {})
    assert node.health().error == ""


def test_it_begins_once(wiring: Wiring, state: State, tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    node = MatchNode(wiring, sink(path), None, state.path)
    for _ in range(2):
        node.begin({}, {}, (), "m1", None, (), {})
    state.keep_alerts([KeptAlert(alert(query="bird"))])
    node.begin({}, {}, (), "m1", None, (), {})
    node.drain(0)
    assert "bird" not in path.read_text()
    assert len(path.read_text().splitlines()) == 2


def test_before_it_begins_it_is_not_held_to_have_stood_still(wiring: Wiring, state: State) -> None:
    node = MatchNode(wiring, (), None, state.path)
    node._beat_s -= 2 * FROZEN_S  # as after a stop of the whole process
    assert node.health().beat_s == 0
    node.begin({}, {}, (), "m1", None, (), {})
    assert node.health().beat_s < FROZEN_S
    node.drain(0)


def test_what_a_full_disk_does_not_take_at_the_end_is_said_and_told_by_the_next(
    wiring: Wiring, state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(match, "SETTLE_S", 0.2)
    health = MatchNode(wiring, sink(Path("/dev/full")), None, state.path).drain(0)
    assert "No space left on device; 2 announcements wait" in health.error
    assert state.open() == []
    assert [a.query for a in state.untold()] == ["cat", "dog"]
    path = tmp_path / "alerts.jsonl"
    assert MatchNode(wiring, sink(path), None, state.path).drain(0).error == ""
    assert len(path.read_text().splitlines()) == 2
    assert state.untold() == []


def test_no_two_announce_at_a_time(
    wiring: Wiring, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(match, "TAKEOVER_S", 0.1)
    node = MatchNode(wiring, (), None, state.path)
    with pytest.raises(BindstreamError, match="still runs"):
        MatchNode(wiring, (), None, state.path)
    node.drain(0)
    MatchNode(wiring, (), None, state.path).drain(0)


def embedding(wiring: Wiring, seq: int, dim: int = 16) -> Embedding:
    """A window of a second that has just ended."""
    now_ns = wiring.clock.now_ns()
    vector = np.full(dim, dim**-0.5, np.float32)
    return Embedding("mic", "audio", seq, now_ns - 10**9, now_ns, vector, "m1")


def test_what_failed_is_said_until_vectors_are_judged_again(
    wiring: Wiring, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(match_health, "WELL_S", 0.5)
    node, bus, seqs = MatchNode(wiring, (), None, state.path), Publisher(wiring.inbound), count()
    node.begin({}, {}, (), "m1", None, (), {})

    def publish_until(what: Callable[[MatchHealth], bool], dim: int) -> None:
        until_s = time.monotonic() + 20
        while not what(node.health()):
            assert time.monotonic() < until_s, node.health()
            bus.publish(embedding(wiring, next(seqs), dim))
            time.sleep(0.1)

    publish_until(lambda health: health.embeddings.get("mic", 0) > 2, dim=16)
    assert node.health().error == ""
    publish_until(lambda health: health.error != "", dim=8)  # none of this model's
    assert node.health().error.startswith("ValueError: ")
    time.sleep(1.5)  # a quiet time, in which turns go well that have nothing to judge
    assert node.health().error.startswith("ValueError: ")
    publish_until(lambda health: health.error == "", dim=16)
    node.drain(0)
    bus.close()


def test_a_history_that_cannot_be_read_is_said_once_and_is_no_trouble_for_ever(
    wiring: Wiring, tmp_path: Path
) -> None:
    pytest.importorskip("lancedb")
    folder, model = tmp_path / "history", "m1"
    now_s = wiring.clock.now_ns() // SECOND_NS
    start_ns = (now_s - 3600) * SECOND_NS
    written(folder, [window(model=model, start_ns=start_ns, end_ns=start_ns + SECOND_NS)])
    for file in folder.rglob("data/*"):
        file.write_bytes(b"")
    node = MatchNode(wiring, ())
    node.begin({}, {}, (), model, folder, (), {})
    health = node.health()
    assert health.error == ""
    (note,) = health.notes
    assert note.startswith("match: ")
    assert "cannot be read" in note
    watched: Watched[MatchHealth] = Watched("match", None, local=True)
    assert [watched.hear(health), watched.hear(node.health())] == [[note], []]
    assert troubles([], [], watched) == {}
    node.drain(0)


def test_a_run_of_recordings_does_not_wait_for_a_judge_who_cannot_come(tmp_path: Path) -> None:
    source = {"kind": "recording", "path": str(tmp_path)}
    streams = [{"name": "mic", "modality": "audio", "source": source}]
    run = Supervisor(Config.model_validate({"streams": streams}))
    run._match = Watched("match", None, local=True)
    assert not run.ended
    run._match.failed = "its sink is gone"
    assert run.ended
