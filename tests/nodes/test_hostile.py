"""A run on Ray among peers that mean no good: nobody dies, every question is answered, and what is
refused is counted."""

from __future__ import annotations

import dataclasses
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import zmq

from bindstream.bus import Publisher, Subscriber
from bindstream.config import Config
from bindstream.control import ask
from bindstream.records import Embedding
from bindstream.wire import encode_embedding
from nodes.supervisor import Supervisor
from tests.fuzz.peers import GREETING, dial, frame, hail, ready, request, send
from tests.nodes.test_supervisor import wait_for

pytestmark = pytest.mark.slow
ANY = "tcp://127.0.0.1:0"
SCENE = {"kind": "scene", "seed": 5, "length_s": 600, "events": []}
OPERATIONS = [
    f"{what}.{verb}"
    for what in ("query", "rule")
    for verb in ("list", "add", "remove", "pause", "resume")
] + ["explain", "alert.list", "alert.judge", "status", "nothing", ""]
JUNK: list[Any] = [
    None,
    True,
    -1,
    2**63,
    float("nan"),
    1e308,
    "",
    "x" * 70_000,
    "../../etc/passwd",
    "\0\n\t",
    b"\xff" * 1000,
    [],
    [[[[]]]] * 50,
    {},
    {"id": {"id": {}}},
    {"id": "q", "text": "a dog", "budget": float("nan")},
    {"id": "q", "text": ["a dog"] * 500},
    {"id": "q", "taught": "/dev/zero"},
    {"id": "q", "like": ["/dev/zero", "/proc/self/mem"]},
    {"id": "r", "any": ["nobody"] * 1000},
    {"id": "r", "silent_s": 1e308},
    {"id": "r", "reading": "max_c", "above": float("inf")},
    {1: 2},
]


@pytest.fixture(scope="module")
def run(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    folder = tmp_path_factory.mktemp("kept")
    config = Config.model_validate(
        {
            "streams": [{"name": "mic", "modality": "audio", "source": SCENE, "hop_s": 0.5}],
            "model": {"name": str(tiny_model), "threads": 1},
            "bus": {"address": ANY, "inbound": ANY, "control": ANY},
            "queries": [{"id": "dog", "text": "a dog"}],
            "sinks": [{"kind": "bus"}],
            "history": {"path": str(folder / "history")},
            "evidence": {"path": str(folder / "evidence")},
        }
    )
    with Supervisor(config) as run:
        wait_for(run, lambda _: heard(run) > 0 and all(processes(run)), 60)
        pids = processes(run)
        yield run
        run.poll()
        assert processes(run) == pids
        before = heard(run)
        wait_for(run, lambda _: heard(run) > before + 2, 60)
        assert set(run.status()["match"]["embeddings"]) == {"mic"}


def heard(run: Supervisor) -> int:
    return int(run.status()["match"].get("embeddings", {}).get("mic", 0))


def processes(run: Supervisor) -> list[int]:
    said = run.status()
    everyone = [*said["streams"].values(), *said["embedders"].values(), said["match"]]
    assert not any(each["restarts"] for each in everyone)
    return [each.get("pid", 0) for each in (*everyone, said["history"])]


def answers(run: Supervisor, data: bytes) -> Any:
    socket = zmq.Context.instance().socket(zmq.REQ)
    socket.connect(run.control)
    try:
        socket.send(data)
        assert socket.poll(60_000), "nobody answers any more"
        return msgspec.msgpack.decode(socket.recv())
    finally:
        socket.close(linger=0)


def test_requests_of_any_kind_are_answered(run: Supervisor) -> None:
    rng = random.Random(3)
    keys = ("id", "query", "rule", "stream", "most", "since_ns", "verdict", "note", "examples")
    for i in range(400):
        asked = {key: rng.choice(JUNK) for key in rng.sample(keys, rng.randint(0, 5))}
        asked["op"] = rng.choice(OPERATIONS) if i % 20 else rng.choice(JUNK)
        if rng.random() < 0.3:
            asked["replace"] = rng.choice(JUNK)
        answer = answers(run, msgspec.msgpack.encode(asked))
        assert isinstance(answer, dict)
        assert len(str(answer.get("error", ""))) < 5000, asked
    for i in range(100):
        assert "error" in answers(run, rng.randbytes(i))


def test_whoever_speaks_something_else_is_heard_by_nobody(run: Supervisor) -> None:
    rng = random.Random(4)
    bus = run.status()["bus"]
    for address, kind in ((bus, b"SUB"), (run.control, b"REQ")):
        for said in (b"GET / HTTP/1.1\r\n\r\n", GREETING[:30], GREETING + ready(b"WHAT")):
            line = dial(address)
            send(line, said)
            line.close()
        line = hail(address, kind)
        send(line, frame(b"\x01" + b"x" * 200_000))
        line.close()
        for _ in range(30):
            line = hail(address, kind)
            send(line, request(rng.randbytes(rng.randint(0, 400))))
            line.close()


def test_forged_records_are_refused_and_counted(run: Supervisor) -> None:
    before = run.status()["match"]["refused"]
    assert run._broker is not None
    publisher = Publisher(run._broker.inbound)
    with Subscriber(run.address, ["emb."]) as subscriber:
        true = subscriber.receive(30)
        assert isinstance(true, Embedding)
        # What is sent before the broker has asked its sender for it is sent to nobody.
        probe, until_s = dataclasses.replace(true, stream="probe"), time.monotonic() + 60
        while getattr(subscriber.receive(0.1), "stream", "") != probe.stream:
            assert time.monotonic() < until_s
            publisher.publish(probe)
    forged = [dataclasses.replace(true, stream=f"forged{i}") for i in range(300)]
    forged += [dataclasses.replace(true, model=f"forged{i}") for i in range(300)]
    forged += [dataclasses.replace(true, seq=2**63), dataclasses.replace(true, coverage=np.nan)]
    for record in forged:
        publisher.publish(record)
    frames = encode_embedding(true)
    for i in range(300):
        publisher._socket.send_multipart([frames[0], os.urandom(i), frames[2]])
    most = before + len(forged) + 300
    wait_for(run, lambda said: said["match"]["refused"] >= most, 60)
    publisher.close()
    assert ask(run.control, {"op": "query.list"})["queries"]
