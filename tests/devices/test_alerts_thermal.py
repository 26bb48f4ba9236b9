"""Heat sent by a camera on the network becomes an alert that says how hot it was."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bindstream.calibration import WARM_UP
from bindstream.scene import Event, Renderer, Script
from tests.devices.nut_server import NutServer
from tests.devices.running import Run, assert_nothing_was_lost, running

pytest.importorskip("av")

SEED = 9
STREAM = "hall"
FPS = 9
QUIET_S, PERSON_S = 5.0, 100.0
"""Moments of the script: nobody is there; a person has come in."""
HOT_C = 47.11
"""Of one pixel of each frame from then on: warmer than the radiator."""
QUERIES = {
    "person": "a person",
    "fire": "fire",
    "animal": "an animal",
    "stove": "a hot stove",
    "kettle": "a hot kettle",
    "fallen": "a person lying on the floor",
    "car": "a car",
}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class Hall:
    """A room that a thermal camera looks at; `somebody` comes in when that is set."""

    def __init__(self, server: NutServer) -> None:
        person = Event(kind="person", start_s=PERSON_S - 3, end_s=PERSON_S + 60)
        self._room = Renderer(Script(seed=SEED, length_s=PERSON_S + 80, events=(person,)))
        self._server = server
        self._stop = threading.Event()
        self.somebody = threading.Event()
        self.quiet_c = (np.inf, -np.inf)
        """Least and greatest of the hottest spots of the frames in which nobody was."""
        server.shown = self._frame(0)
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._thread.start()

    def _play(self) -> None:
        for n in itertools.count():
            if self._stop.wait(1 / FPS):
                return
            self._server.shown = self._frame(n)

    def _frame(self, n: int) -> NDArray[np.float32]:
        at_s = n / FPS % 20
        if self.somebody.is_set():
            frame = self._room.heat(PERSON_S + at_s)
            frame.flat[frame.argmax()] = HOT_C
            return frame
        frame = self._room.heat(QUIET_S + at_s)
        hottest = float(frame.max())
        self.quiet_c = min(self.quiet_c[0], hottest), max(self.quiet_c[1], hottest)
        return frame

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)


@dataclass(frozen=True)
class Story:
    run: Run
    said: dict[str, Any]
    quiet_c: tuple[float, float]
    """Least and greatest hottest spot while nobody was there."""


@pytest.fixture(scope="module")
def story() -> Story:
    with NutServer(fps=FPS) as server:
        source = {"kind": "thermal", "url": server.url, "celsius": "lepton"}
        config = {
            "streams": [{"name": STREAM, "source": source}],
            "queries": [{"id": name, "text": text} for name, text in QUERIES.items()],
        }
        hall = Hall(server)
        try:
            with running(config) as run:
                run.more(STREAM, WARM_UP + 3, within_s=180)
                hall.somebody.set()
                run.more(STREAM, 8, within_s=120)
                said = run.drain()
        finally:
            hall.close()
    return Story(run, said, hall.quiet_c)


def test_a_warm_person_is_alerted_and_nothing_else(story: Story) -> None:
    assert story.run.started() == ["person"]


def test_an_alert_says_how_hot_it_was(story: Story) -> None:
    for alert in story.run.alerts:
        assert alert.readings["max_c"] == pytest.approx(HOT_C, abs=0.02)
        assert alert.readings["min_c"] < alert.readings["mean_c"] < HOT_C
    assert {a.state for a in story.run.alerts} == {"started", "ended"}


def test_every_window_says_how_hot_the_room_was(story: Story) -> None:
    low_c, high_c = story.quiet_c
    for embedding in story.run.embeddings:
        hottest_c = embedding.readings["max_c"]
        quiet = low_c - 0.02 <= hottest_c <= high_c + 0.02
        assert quiet or hottest_c == pytest.approx(HOT_C, abs=0.02)


def test_nothing_is_lost_on_the_way(story: Story) -> None:
    assert_nothing_was_lost(story.said)
    assert sum(story.said["streams"][STREAM]["intake"]["accounts"]["dropped"].values()) == 0
