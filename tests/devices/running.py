"""A whole run for tests: supervisor, a subscriber beside it, and waiting for what must happen."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bindstream.bus import Subscriber
from bindstream.config import Config
from bindstream.records import Alert, Embedding
from nodes.supervisor import Supervisor

ANY = "tcp://127.0.0.1:0"
BUS = {"address": ANY, "inbound": ANY, "control": ANY}


class Run:
    """A run that polls itself; `alerts` and `embeddings` are what came over its bus."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.alerts: list[Alert] = []
        self.embeddings: list[Embedding] = []
        self.news: list[str] = []
        self._stop = threading.Event()
        self._quiet = threading.Event()
        self._polling = threading.Thread(target=self._poll)
        self._listening = threading.Thread(target=self._listen)
        self._polling.start()
        self._listening.start()

    def _poll(self) -> None:
        while not self._stop.wait(0.3):
            self.supervisor.poll()
            self.news += [notice.what for notice in self.supervisor.notices.news()]

    def _listen(self) -> None:
        with Subscriber(self.supervisor.address) as bus:
            while not self._quiet.is_set():
                record = bus.receive(0.2)
                if isinstance(record, Alert):
                    self.alerts.append(record)
                elif record is not None:
                    self.embeddings.append(record)

    def status(self) -> dict[str, Any]:
        return self.supervisor.status()

    def started(self) -> list[str]:
        """Ids of the queries whose alerts have started, in order."""
        return [alert.query for alert in self.alerts if alert.state == "started"]

    def seen(self, stream: str) -> int:
        return sum(e.stream == stream for e in self.embeddings)

    def accounts(self, stream: str) -> dict[str, Any]:
        return dict(self.status()["streams"][stream]["intake"]["accounts"])

    def reader(self, stream: str) -> dict[str, Any]:
        """What a stream's reader said last of its device."""
        return dict(self.status()["streams"][stream]["intake"]["reader"])

    def wait(self, what: Callable[[], object], within_s: float, why: str) -> None:
        until_s = time.monotonic() + within_s
        while not what():
            if time.monotonic() > until_s:
                pytest.fail(f"{why}: not within {within_s} s; {self.news}; {self.status()}")
            time.sleep(0.1)

    def more(self, stream: str, count: int, within_s: float = 20) -> None:
        """Wait for so many more vectors of a stream."""
        before = self.seen(stream)
        why = f"{count} more windows of {stream}"
        self.wait(lambda: self.seen(stream) >= before + count, within_s, why)

    def drain(self) -> dict[str, Any]:
        """End it and hear the bus out; returns the last status, in which nothing may be pending."""
        self._stop.set()
        self._polling.join(30)
        self.supervisor.drain()
        said = self.status()
        until_s = time.monotonic() + 5
        while len(self.started()) < said["match"]["alerts"] and time.monotonic() < until_s:
            time.sleep(0.05)
        time.sleep(0.3)  # what follows the last start: the ends of events
        self._quiet.set()
        self._listening.join(5)
        for name, stream in said["streams"].items():
            accounts = stream["intake"]["accounts"]
            settled = accounts["embedded"] + accounts["reused"] + sum(accounts["dropped"].values())
            assert accounts["captured"] == settled, (name, accounts)
            assert accounts["pending"] == 0
        return said

    def stop(self) -> None:
        self._stop.set()
        self._quiet.set()


@contextlib.contextmanager
def running(config: Config | dict[str, Any]) -> Iterator[Run]:
    """A run for the length of a `with`."""
    if isinstance(config, dict):
        config = Config.model_validate({"bus": BUS, "sinks": [{"kind": "bus"}], **config})
    with Supervisor(config) as supervisor:
        run = Run(supervisor)
        try:
            yield run
        finally:
            run.stop()


def assert_nothing_was_lost(said: dict[str, Any]) -> None:
    """Every window that was embedded reached the match actor, and nobody died on the way."""
    for name, stream in said["streams"].items():
        accounts = stream["intake"]["accounts"]
        assert said["match"]["embeddings"][name] == accounts["embedded"] > 0, name
        # Numbers that never came are those of windows that were dropped before they had a vector.
        assert said["match"]["missed"].get(name, 0) <= sum(accounts["dropped"].values()), name
    assert said["match"]["refused"] == 0
    everyone = [said["match"], *said["streams"].values(), *said["embedders"].values()]
    assert [actor["restarts"] for actor in everyone] == [0] * len(everyone)
