"""A run on Ray: everyone on loopback, nobody missed when killed, accounts exact, nothing left."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from bindstream.bus import Subscriber
from bindstream.config import Config
from bindstream.control import ask
from bindstream.errors import BindstreamError, BusError
from bindstream.flight import IN_FLIGHT, WAITING
from bindstream.models.directory import read_spec
from bindstream.records import Embedding
from bindstream.terms.examples import Example, sent
from nodes.supervisor import Supervisor
from tests.teaching.test_taught import made

pytestmark = pytest.mark.slow
ANY = "tcp://127.0.0.1:0"


def config(pictures: Path, model: Path, *, streams: int = 2) -> Config:
    source = {"kind": "camera", "folder": str(pictures), "fps": 10, "loop": True}
    return Config.model_validate(
        {
            "streams": [{"name": f"door{i}", "source": source} for i in range(streams)],
            "model": {"name": str(model), "threads": 1},
            "bus": {"address": ANY, "inbound": ANY, "control": ANY},
            "queries": [{"text": "a dog barking"}],
            "sinks": [{"kind": "bus"}],
        }
    )


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for i in range(40):
        Image.fromarray(rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)).save(
            folder / f"{i:02d}.png"
        )
    return folder


@pytest.fixture(scope="module")
def wall(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of a wall in which nothing happens, with a camera's noise."""
    folder = tmp_path_factory.mktemp("wall")
    rng = np.random.default_rng(1)
    for i in range(40):
        noisy = rng.normal(120, 4, (96, 128, 3)).astype(np.uint8)
        Image.fromarray(noisy).save(folder / f"{i:02d}.png")
    return folder


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


@pytest.fixture(scope="module")
def not_of_the_run() -> set[int]:
    """Processes that were there before: whatever other tests left, Python's own helpers."""
    return children()


@pytest.fixture(scope="module")
def run(
    not_of_the_run: set[int], pictures: Path, wall: Path, tiny_model: Path
) -> Iterator[Supervisor]:
    """A run under way: each test finds it so, whether or not others came before."""
    made = config(pictures, tiny_model)
    source = {"kind": "camera", "folder": str(wall), "fps": 10, "loop": True}
    hall = {"name": "hall", "source": source, "window_s": 1, "hop_s": 0.25, "gate": True}
    streams = [*made.model_dump()["streams"], hall]
    with Supervisor(Config.model_validate({**made.model_dump(), "streams": streams})) as supervisor:
        wait_for(supervisor, under_way, 60)
        yield supervisor


def wait_for(run: Supervisor, what: Callable[[dict[str, Any]], bool], most_s: float) -> float:
    """Poll until `what(status)` holds; returns how long that took, fails after `most_s`."""
    begun = time.monotonic()
    while time.monotonic() - begun < most_s:
        run.poll()
        if what(run.status()):
            return time.monotonic() - begun
        time.sleep(0.2)
    pytest.fail(f"not within {most_s} s: {run.status()}")


def warned(run: Supervisor) -> list[str]:
    """What a run said last, in its words."""
    return [notice.what for notice in run.notices.last]


def accounts(status: dict[str, Any], stream: str) -> dict[str, Any]:
    return dict(status["streams"][stream].get("intake", {}).get("accounts", {}))


def embedded(status: dict[str, Any], stream: str) -> int:
    return int(accounts(status, stream).get("embedded", 0))


def published(status: dict[str, Any], stream: str) -> int:
    return embedded(status, stream) + int(accounts(status, stream).get("reused", 0))


def under_way(status: dict[str, Any]) -> bool:
    """Every stream has published, and the match actor said that it watches."""
    match = status["match"]
    heard = match["embeddings"].keys() == status["streams"].keys()
    return heard and bool(match["queries"]) and all(published(status, s) for s in status["streams"])


def going_on(run: Supervisor, *, after: int = 3) -> Callable[[dict[str, Any]], bool]:
    """Every stream has published `after` windows more than when this was called."""
    before = {name: published(run.status(), name) for name in run.status()["streams"]}
    return lambda now: all(published(now, name) >= n + after for name, n in before.items())


def kill(run: Supervisor, kind: str, name: str) -> None:
    """Kill an actor's process; returns once another has taken its place."""
    actor = run.status()[kind][name]
    os.kill(actor["pid"], signal.SIGKILL)
    wait_for(run, lambda s: s[kind][name]["restarts"] > actor["restarts"], 60)


def bounded(said: dict[str, Any]) -> bool:
    """Hardly anything is pending, and nothing was counted twice."""
    return bool(0 <= said["pending"] <= IN_FLIGHT + WAITING + 4)


def lost(said: dict[str, Any]) -> int:
    return int(sum(said["dropped"].values()))


def test_vectors_arrive_on_the_bus_and_in_the_match_actor(run: Supervisor) -> None:
    with Subscriber(run.address, ["emb.vision.door"]) as bus:
        heard = [bus.receive(15) for _ in range(4)]
    assert all(isinstance(e, Embedding) for e in heard)
    streams = {e.stream for e in heard if e is not None}
    assert streams == {"door0", "door1"}
    wait_for(run, lambda s: sum(s["match"].get("embeddings", {}).values()) >= 4, 15)
    assert "embedded" in run.status()["match"]["latency"]


def test_every_socket_of_the_run_listens_on_loopback_alone(run: Supervisor) -> None:
    me = psutil.Process()
    family = [me, *me.children(recursive=True)]
    listening = [
        connection.laddr.ip
        for process in family
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 5  # the bus, control and Ray's own
    loopback = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
    assert set(listening) <= loopback


def test_only_the_embedding_process_holds_torch_and_sensors_stay_small(run: Supervisor) -> None:
    wait_for(run, lambda s: all("pid" in a for a in s["streams"].values()), 15)
    for stream in run.status()["streams"].values():
        process = psutil.Process(stream["pid"])
        assert not [m.path for m in process.memory_maps() if "libtorch" in m.path]
        assert process.memory_info().rss < 200 * 2**20


def test_queries_are_added_listed_and_removed_while_running(run: Supervisor) -> None:
    added = ask(run.control, {"op": "query.add", "query": {"text": "glass breaking loudly"}})
    assert added["id"] == "glass-breaking-loudly"
    assert "'loudly'" in added["warnings"][0]
    wait_for(run, lambda s: "glass-breaking-loudly" in s["match"]["queries"], 5)
    with pytest.raises(BusError, match="a query 'glass-breaking-loudly' already"):
        ask(run.control, {"op": "query.add", "query": {"text": "glass breaking loudly"}})
    louder = {"id": "glass-breaking-loudly", "text": "glass", "on": 50}
    ask(run.control, {"op": "query.add", "query": louder, "replace": True})
    assert ask(run.control, {"op": "query.list"})["queries"][-1]["text"] == ["glass"]
    with pytest.raises(BusError, match="no stream this query listens to is audio"):
        ask(run.control, {"op": "query.add", "query": {"text": "a dog", "modalities": ["audio"]}})
    with pytest.raises(BusError, match=r"no stream is named 'attic'.*door0"):
        ask(run.control, {"op": "query.add", "query": {"text": "a dog", "streams": ["attic"]}})
    with pytest.raises(BusError, match="off"):
        ask(run.control, {"op": "query.add", "query": {"text": "a", "on": 1, "off": 2}})
    ask(run.control, {"op": "query.remove", "id": "glass-breaking-loudly"})
    assert [q["id"] for q in ask(run.control, {"op": "query.list"})["queries"]] == ["a-dog-barking"]
    with pytest.raises(BusError, match=r"no query.*a-dog-barking"):
        ask(run.control, {"op": "query.remove", "id": "nonsense"})


def taught(directory: Path, **over: Any) -> dict[str, Any]:
    """A request to watch for what was taught elsewhere: its file is not on this machine."""
    spec = read_spec(directory)
    by = {"name": spec.name, "fingerprint": spec.fingerprint}
    query = made(dim=spec.dim, **{"model": by, "modality": "vision", **over})
    content = query.model_dump(mode="json", exclude={"examples"})
    return {"op": "query.add", "query": {"taught": "/elsewhere/my-cat.json"}, "taught": content}


def test_a_taught_query_is_added_without_its_file(run: Supervisor, tiny_model: Path) -> None:
    assert ask(run.control, taught(tiny_model)) == {
        "id": "my-cat",
        "text": ["my-cat"],
        "warnings": [],
    }
    wait_for(run, lambda s: any(x["query"] == "my-cat" for x in s["match"]["scores"]), 15)
    listed = ask(run.control, {"op": "query.list"})["queries"][-1]
    assert (listed["taught"], listed["modalities"]) == ("/elsewhere/my-cat.json", ["vision"])
    with pytest.raises(BusError, match="no stream this query listens to is audio"):
        ask(run.control, taught(tiny_model, modality="audio") | {"replace": True})
    foreign = taught(tiny_model, model={"name": "huge", "fingerprint": "f00"})
    with pytest.raises(BusError, match=r"is of the model huge \(f00\).*teach --again"):
        ask(run.control, foreign | {"replace": True})
    with pytest.raises(BusError, match="no taught query"):
        ask(run.control, taught(tiny_model) | {"taught": {"level": 1}, "replace": True})
    gone = {"op": "query.add", "query": {"taught": "/elsewhere/gone.json"}}
    with pytest.raises(BusError, match=r"/elsewhere/gone\.json: it cannot be read"):
        ask(run.control, gone)
    ask(run.control, {"op": "query.remove", "id": "my-cat"})


def test_examples_are_embedded_by_the_run_or_come_with_the_request(
    run: Supervisor, pictures: Path, tiny_model: Path
) -> None:
    here = {"op": "query.add", "query": {"like": str(pictures / "00.png"), "id": "like-this"}}
    assert ask(run.control, here)["text"] == ["00"]
    far = "/elsewhere/my-cat.jpg"
    vector = np.eye(16, dtype=np.float32)[0]
    example = {far: Example(vector, "vision", read_spec(tiny_model).fingerprint)}
    there = {"op": "query.add", "query": {"text": "a dog", "plus": far}, "examples": sent(example)}
    assert ask(run.control, there)["warnings"] == []
    listed = {query["id"]: query for query in run.status()["queries"]}
    assert listed["a-dog"]["modalities"] == listed["like-this"]["modalities"] == ["vision"]
    wait_for(run, lambda s: {"a-dog", "like-this"} <= set(s["match"]["queries"]), 10)
    for wrong, why in (
        ({**there, "examples": {}}, r"my-cat\.jpg.*no such file"),
        ({**there, "examples": sent({far: Example(vector, "vision", "f00")})}, "of the model f00"),
        ({**there, "examples": sent({far: Example(vector, "audio", "")})}, "listens to is audio"),
        ({"op": "query.add", "query": {"like": f"door0/{10**18}"}}, "nothing is kept"),
    ):
        with pytest.raises(BusError, match=why):
            ask(run.control, {**wrong, "replace": True})
    for name in ("a-dog", "like-this"):
        ask(run.control, {"op": "query.remove", "id": name})


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_a_lost_stream_actor_comes_back_with_its_accounts(run: Supervisor, blow: int) -> None:
    wait_for(run, going_on(run), 15)
    before = accounts(run.status(), "door0")
    restarts = run.status()["streams"]["door0"]["restarts"]
    os.kill(run.status()["streams"]["door0"]["pid"], blow)
    took = wait_for(run, lambda s: s["streams"]["door0"]["restarts"] > restarts, 20)
    assert took < (10 if blow == signal.SIGKILL else 15)
    wait_for(run, going_on(run), 10)
    after = accounts(run.status(), "door0")
    assert after["captured"] > before["captured"]
    assert 0 <= after["pending"] <= 3


def test_a_killed_embedding_actor_comes_back_and_the_loss_is_stated(run: Supervisor) -> None:
    kill(run, "embedders", "embed-0")
    assert wait_for(run, going_on(run), 15) < 10
    for stream in ("door0", "door1", "hall"):
        assert bounded(accounts(run.status(), stream))


def test_a_still_picture_is_computed_once_and_published_all_the_same(run: Supervisor) -> None:
    wait_for(run, lambda s: accounts(s, "hall").get("reused", 0) >= 4, 30)
    with Subscriber(run.address, ["emb.vision.hall"]) as bus:
        heard = [e for _ in range(4) if isinstance(e := bus.receive(15), Embedding)]
    numbers = [e.seq for e in heard]
    assert numbers == list(range(numbers[0], numbers[0] + 4))
    assert len({e.same_as for e in heard}) == 1
    assert heard[0].same_as is not None
    assert len({e.vector.tobytes() for e in heard}) == 1
    run.poll()
    hall = run.status()["streams"]["hall"]
    assert hall["tower_saved_s"] > 0
    assert hall["intake"]["change"]["grey_levels"] < 8
    assert bounded(hall["intake"]["accounts"])
    assert accounts(run.status(), "door0")["reused"] == 0


def test_no_window_is_lost_when_the_actor_dies_that_holds_the_vector(run: Supervisor) -> None:
    wait_for(run, lambda s: accounts(s, "hall").get("reused", 0) >= 4, 30)
    before = accounts(run.status(), "hall")
    kill(run, "embedders", "embed-0")
    # The vector is gone: some windows are embedded, and others then refer to the last of them.
    wait_for(run, lambda s: accounts(s, "hall")["embedded"] > before["embedded"], 20)
    reused = accounts(run.status(), "hall")["reused"]
    wait_for(run, lambda s: accounts(s, "hall")["reused"] > reused + 3, 20)
    after = accounts(run.status(), "hall")
    assert bounded(after)


def test_a_killed_stream_actor_knows_what_was_reused(run: Supervisor) -> None:
    wait_for(run, lambda s: accounts(s, "hall").get("reused", 0) >= 4, 30)
    before = accounts(run.status(), "hall")
    kill(run, "streams", "hall")
    wait_for(run, lambda s: accounts(s, "hall")["reused"] > before["reused"] + 2, 30)
    after = accounts(run.status(), "hall")
    assert bounded(after)


def test_a_killed_match_actor_comes_back_with_its_queries(run: Supervisor) -> None:
    os.kill(run.status()["match"]["pid"], signal.SIGKILL)
    took = wait_for(
        run,
        lambda s: (
            s["match"]["restarts"] > 0 and "a-dog-barking" in (s["match"].get("queries") or ())
        ),
        20,
    )
    assert took < 10
    said = "match: nobody judged what was published in the "
    wait_for(run, lambda s: any(w["what"].startswith(said) for w in s["warnings"]), 10)
    wait_for(run, lambda s: sum(s["match"]["embeddings"].values()) > 3, 10)


def test_draining_settles_every_window_and_leaves_no_process_behind(
    run: Supervisor, not_of_the_run: set[int]
) -> None:
    streams = ("door0", "door1", "hall")
    wait_for(run, going_on(run), 30)
    pids = children() - not_of_the_run
    before = run.status()
    heard: dict[str, list[int]] = {name: [] for name in streams}
    with Subscriber(run.address, ["emb."]) as bus:
        while not all(heard.values()):
            record = bus.receive(15)
            assert isinstance(record, Embedding)
            heard[record.stream].append(record.seq)
        begun = time.monotonic()
        run.drain()
        while isinstance(record := bus.receive(0.5), Embedding):
            heard[record.stream].append(record.seq)
    status = run.status()
    run.stop()
    assert time.monotonic() - begun < 5.5
    for stream in streams:
        said = accounts(status, stream)
        assert said["pending"] == 0
        # Whatever was captured since is on the bus or counted as dropped.
        numbers = set(heard[stream])
        missing = said["captured"] - min(numbers) - len(numbers)
        assert missing <= lost(said) - lost(accounts(before, stream))
    gone_by = time.monotonic() + 5
    while time.monotonic() < gone_by and any(psutil.pid_exists(p) for p in pids):
        time.sleep(0.1)
    assert [p for p in pids if psutil.pid_exists(p)] == []


def test_a_run_without_queries_has_no_text_tower_until_there_is_one(
    pictures: Path, tiny_model: Path
) -> None:
    silent = config(pictures, tiny_model, streams=1).model_copy(update={"queries": ()})
    with Supervisor(silent) as run:
        wait_for(run, lambda s: embedded(s, "door0") > 2, 30)
        ask(run.control, taught(tiny_model))
        wait_for(run, lambda s: s["match"].get("queries") == ("my-cat",), 15)
        assert run.status()["embedders"]["embed-0"]["towers"] == ("vision",)
        ask(run.control, {"op": "query.add", "query": {"text": "a dog", "on": 50}}, timeout_s=60)
        ask(run.control, {"op": "query.add", "query": {"text": "glass", "on": 50}}, timeout_s=60)
        wait_for(run, lambda s: s["match"].get("queries") == ("my-cat", "a-dog", "glass"), 15)
        wait_for(run, lambda s: len(s["match"].get("scores", ())) == 3, 15)
        assert "text" in run.status()["embedders"]["embed-0"]["towers"]


def test_a_model_that_is_not_there_is_refused_and_nothing_is_left(pictures: Path) -> None:
    broken = config(pictures, Path("/nonexistent/model"), streams=1)
    with pytest.raises(BindstreamError, match="/nonexistent/model"):
        Supervisor(broken).start()
    assert not [c for c in psutil.Process().children(recursive=True) if "raylet" in c.name()]


def test_a_sink_that_cannot_be_opened_is_said_in_words(pictures: Path, tiny_model: Path) -> None:
    closed = {"kind": "jsonl", "path": "/dev/null/alerts.jsonl"}
    unwritable = config(pictures, tiny_model).model_dump() | {"sinks": [closed]}
    with pytest.raises(BindstreamError, match=r"cannot append to /dev/null/alerts\.jsonl"):
        Supervisor(Config.model_validate(unwritable)).start()


def test_a_stream_that_cannot_be_started_is_said_and_ends(pictures: Path, tiny_model: Path) -> None:
    made = config(pictures, tiny_model, streams=1)
    # A hop that the windower refuses, and that `check_config` would have named.
    stream = made.streams[0].model_copy(update={"hop_s": 59.0})
    with Supervisor(made.model_copy(update={"streams": (stream,)})) as run:
        wait_for(run, lambda _: run.ended, 30)
        assert [w for w in warned(run) if "door0: cannot be started" in w and "hop" in w]
