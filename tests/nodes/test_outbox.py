"""A match actor killed between writing an alert and telling of it: the next one tells it, once."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from bindstream.config import Config
from bindstream.latency import AGAIN
from nodes.supervisor import Supervisor
from tests.nodes.test_state import config
from tests.nodes.test_supervisor import wait_for, warned

pytestmark = pytest.mark.slow
__all__ = ["config"]


class Pipe:
    """A named pipe that is full, so that whoever writes to it has to wait."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._filling = 0
        page = bytes(4096)
        try:
            while True:
                self._filling += os.write(self._fd, page)
        except BlockingIOError:
            pass

    def read(self, most_s: float) -> list[dict[str, Any]]:
        """What was written by others, as far as it comes within a time."""
        data, until_s = b"", time.monotonic() + most_s
        while time.monotonic() < until_s:
            try:
                data += os.read(self._fd, 1 << 20)
            except BlockingIOError:
                time.sleep(0.05)
        lines = data[self._filling :].splitlines()
        self._filling = 0
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        os.close(self._fd)


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Pipe]:
    pipe = Pipe(tmp_path / "alerts")
    assert fcntl.fcntl(pipe._fd, fcntl.F_GETPIPE_SZ) == pipe._filling
    yield pipe
    pipe.close()


def outbox(run: Supervisor) -> list[tuple[str, str]]:
    """What is written and not announced, as anybody can read it."""
    assert run._folder is not None
    path = run._state.path if run._state is not None else run._folder / "alerts.db"
    with closing(sqlite3.connect(path, timeout=10)) as db:
        return db.execute("SELECT id, state FROM outbox ORDER BY number").fetchall()


@pytest.mark.parametrize("keeps_state", [True, False])
def test_an_alert_that_was_written_and_not_told_is_told_by_the_next_process(
    config: Config, pipe: Pipe, keeps_state: bool
) -> None:
    sinks = [{"kind": "jsonl", "path": str(pipe.path)}]
    changed = {**config.model_dump(), "sinks": sinks, **({} if keeps_state else {"state": None})}
    with Supervisor(Config.model_validate(changed)) as run:
        wait_for(run, lambda _: bool(outbox(run)), 60)
        written = outbox(run)
        killed = run.status()["match"]["pid"]
        standing = psutil.Process(killed)
        standing.kill()  # it stands in the pipe, with the alert in hand
        standing.wait(10)
        assert pipe.read(0.5) == []
        wait_for(run, lambda s: s["match"]["pid"] != killed and not outbox(run), 40)
        said = pipe.read(1.0)
        run.drain()
        said += pipe.read(0.5)
        assert outbox(run) == []
    announced = [(alert["id"], alert["state"]) for alert in said]
    assert announced[: len(written)] == written
    assert all(AGAIN in alert["stages"] for alert in said[: len(written)])
    assert len(announced) == len(set(announced))
    # What had begun has ended, there or in the next process, under the same id.
    assert {i for i, state in announced if state == "ended"} == {i for i, _ in announced}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_every_event_is_ended_though_the_match_actor_cannot(
    config: Config, tmp_path: Path, how: signal.Signals
) -> None:
    changed = config.model_copy(update={"state": None})
    path = tmp_path / "alerts.jsonl"
    with Supervisor(changed) as run:
        wait_for(run, lambda _: bool(path.read_bytes()), 60)
        os.kill(run.status()["match"]["pid"], how)
        run.drain()
        assert outbox(run) == []
        run.poll()
    said = [json.loads(line) for line in path.read_text().splitlines()]
    announced = sorted((alert["id"], alert["state"]) for alert in said)
    begun = {name for name, state in announced if state == "started"}
    assert announced == sorted((i, s) for i in begun for s in ("ended", "started"))
    stands_in = any("did not end in time" in warning for warning in warned(run))
    assert stands_in or how == signal.SIGKILL  # after which another may be there in time
