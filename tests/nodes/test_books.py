"""The books at the end of a run: nothing is pending, whoever died before it could say so."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bindstream.accounts import Ledger
from bindstream.bus import Subscriber
from bindstream.clocks.host import Clock
from bindstream.config import Config
from bindstream.records import Embedding
from nodes.books import Books
from nodes.supervisor import Supervisor
from nodes.watched import Watched
from nodes.wiring import Wiring
from tests.nodes.test_supervisor import ANY, accounts, kill, published, wait_for, warned

NAMES = ("door0", "door1", "door2")


@pytest.fixture
def config(tmp_path: Path, tiny_model: Path) -> Config:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    rng = np.random.default_rng(0)
    for i in range(20):
        noise = rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)
        Image.fromarray(noise).save(pictures / f"{i:02d}.png")
    source = {"kind": "camera", "folder": str(pictures), "fps": 10, "loop": True}
    stream = {"source": source, "window_s": 1, "hop_s": 0.2}
    return Config.model_validate(
        {
            "streams": [{"name": name, **stream} for name in NAMES],
            "model": {"name": str(tiny_model), "threads": 1},
            "bus": {"address": ANY, "inbound": ANY, "control": ANY},
            "sinks": [{"kind": "bus"}],
        }
    )


def check_end(status: dict[str, Any], heard: dict[str, list[int]]) -> None:
    """Accounts are closed, and what they count is what a subscriber got, by its number."""
    for name in NAMES:
        said = status["streams"][name]["accounts"]
        dropped = sum(said["dropped"].values())
        assert said["pending"] == 0
        assert said["captured"] == said["embedded"] + said["reused"] + dropped
        numbers = heard[name]
        assert len(numbers) == len(set(numbers))
        lost = said["captured"] - min(numbers) - len(numbers)
        assert 0 <= lost <= dropped


@pytest.mark.slow
def test_a_stream_that_dies_or_stops_while_the_run_ends_has_its_books_closed(
    config: Config,
) -> None:
    heard: dict[str, list[int]] = {name: [] for name in NAMES}
    with Supervisor(config) as run, Subscriber(run.address, ["emb."]) as bus:
        stop = threading.Event()

        def listen() -> None:
            while not stop.is_set():
                if isinstance(record := bus.receive(0.2), Embedding):
                    heard[record.stream].append(record.seq)

        ear = threading.Thread(target=listen)
        ear.start()
        wait_for(run, lambda s: all(published(s, name) > 5 for name in NAMES), 60)
        kill(run, "streams", "door2")  # whose next process goes on
        wait_for(run, lambda s: published(s, "door2") > published(s, "door0") // 2, 30)
        pids = {name: run.status()["streams"][name]["pid"] for name in NAMES}
        os.kill(pids["door0"], signal.SIGSTOP)
        os.kill(pids["door1"], signal.SIGKILL)
        time.sleep(0.3)
        begun_s = time.monotonic()
        run.drain()
        assert time.monotonic() - begun_s < 10
        said = "; ".join(warned(run))
        run.poll()
        status = run.status()
        stop.set()
        ear.join()
        missed = dict(bus.missed)
    assert "stream door0 had to be ended" in said
    check_end(status, heard)
    # What a subscriber counts as missed between its first and its last window was dropped.
    for name in NAMES:
        gone = sum(status["streams"][name]["accounts"]["dropped"].values())
        holes = max(heard[name]) + 1 - min(heard[name]) - len(heard[name])
        assert missed.get(name, 0) == holes <= gone


@pytest.mark.slow
def test_a_stream_whose_ledger_is_gone_keeps_what_was_heard_of_it(config: Config) -> None:
    with Supervisor(config) as run:
        wait_for(run, lambda s: all(published(s, name) > 8 for name in NAMES), 60)
        assert run._folder is not None
        before = accounts(run.status(), "door0")
        (run._folder / "door0.ledger").unlink()
        kill(run, "streams", "door0")
        assert [w for w in warned(run) if "door0: its ledger is gone" in w]
        wait_for(run, lambda s: published(s, "door0") > before["embedded"] + 3, 30)
        run.drain()
        said = run.status()["streams"]["door0"]["accounts"]
    assert said["captured"] > before["captured"]
    assert said["pending"] == 0
    assert said["dropped"]["killed"] >= 0


class Silent:
    """A stream of which nobody ever heard a word: its process was there, and is not."""

    name, health, failed = "hall", None, ""

    def end(self) -> None:
        """There is nothing left to end."""


def test_the_ledger_of_a_stream_that_never_answered_is_read(tmp_path: Path) -> None:
    wiring = Wiring(Clock.read(), tmp_path, ANY, ANY, None, frozenset({"hall"}))
    ledger = Ledger(wiring.ledger("hall"))
    for seq in range(4):
        ledger.capture(seq, seq)
    ledger.settle(1, "embedded")
    books, stream = Books(wiring), Silent()
    silent: list[Watched[Any]] = [stream]  # type: ignore[list-item]
    assert books.of("hall") is None
    assert books.close(silent, [], []) == ["stream hall had to be ended, with 3 windows in hand"]
    said = books.of("hall")
    assert said is not None
    assert (said.captured, said.embedded, said.pending) == (4, 1, 0)
    assert said.dropped["ended"] == 3
