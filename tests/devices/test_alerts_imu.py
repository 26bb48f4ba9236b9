"""A walk sent by inertial sensors over serial lines becomes an alert, unplugged and spoilt or not.

Two sensors carry the same recording of a person: one sends WitMotion frames, the other CSV text.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bindstream.calibration import WARM_UP
from tests.devices.imu_bytes import TIMED, Rows, csv, witmotion
from tests.devices.running import Run, assert_nothing_was_lost, running
from tests.devices.serial_line import SerialLine

pytest.importorskip("serial")

RECORDING = Path(__file__).parents[3] / "shared" / "data" / "imu" / "s18_02_watch.npz"
"""A person whom the shipped model was not trained on, at 100 Hz."""
RATE_HZ = 100
QUERIES = {
    "walking": "walking",
    "running": "running",
    "falling": "falling down",
    "cycling": "cycling",
    "stairs": "climbing stairs",
    "shaking": "shaking",
    "lying": "lying still",
}
SENSORS = ("witmotion", "text")
SPOILT_EVERY = 25

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not RECORDING.is_file(), reason=f"needs the recording {RECORDING}"),
]


class Person:
    """The recorded person: seated until told to walk, walking until told otherwise.

    Sitting and walking last as long as needed, played to and fro; how she stands up, turns and sits
    down again is as it was recorded.
    """

    def __init__(self) -> None:
        with np.load(RECORDING) as recording:
            rows, labels = recording["acc_gyro"], recording["label"]
        stands = int((labels != "seated").argmax())
        walks = int((labels == "walking").argmax())
        turns = walks + int((labels[walks:] != "walking").argmax())
        self._seated, self._rising = rows[:stands], rows[stands:walks]
        self._walking, self._rest = rows[walks:turns], rows[turns:]
        self.walks = threading.Event()

    def rows(self) -> Iterator[Rows]:
        """One reading after the other, (6,); what she does is decided when it is asked for."""
        while True:
            yield from _lasting(self._seated, self.walks.is_set)
            yield from self._rising
            yield from _lasting(self._walking, lambda: not self.walks.is_set())
            yield from self._rest


def _lasting(rows: Rows, over: Callable[[], bool]) -> Iterator[Rows]:
    """The rows, and as long as it is not over, back to their first and on to their last again."""
    yield from rows
    while not over():
        yield from rows[-2:0:-1]
        yield from rows


@dataclass
class Sensor:
    """What a sensor puts on its line; `spoils` while its bytes are being corrupted."""

    encode: Callable[[Rows, int], bytes]
    spoils: threading.Event = field(default_factory=threading.Event)
    spoilt: int = 0

    def packets(self, person: Person) -> Iterator[bytes]:
        for n, row in enumerate(person.rows()):
            packet = self.encode(row[None], n)
            if self.spoils.is_set() and n % SPOILT_EVERY == 0:
                packet = packet[:2] + b"\xff\xff\xff" + packet[5:]
                self.spoilt += 1
            yield packet


def sensors() -> dict[str, Sensor]:
    period_us = 1_000_000 // RATE_HZ
    return {
        "witmotion": Sensor(lambda row, n: witmotion(row)[0]),
        "text": Sensor(lambda row, n: csv(row, first_us=n * period_us)[0]),
    }


@dataclass(frozen=True)
class Story:
    """Seated, with bytes corrupted for a while; a walk; unplugged and back; another walk.

    `walks` are from when to when, UTC ns; `notes` what the drivers counted before and after the
    corruption; `spoilt` how many packets were corrupted, from when to when.
    """

    run: Run
    said: dict[str, Any]
    walks: tuple[tuple[int, int], ...]
    notes: tuple[dict[str, dict[str, int]], dict[str, dict[str, int]]]
    spoilt: dict[str, int]
    spoilt_ns: tuple[int, int]
    dropped: tuple[dict[str, int], dict[str, int]]
    readers: tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]
    unplugged_ns: int
    plugged_ns: int


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("imu")
    lines = {name: SerialLine(folder / name) for name in SENSORS}
    options: dict[str, dict[str, Any]] = {"witmotion": {"format": "witmotion"}, "text": TIMED}
    config = {
        "streams": [
            {
                "name": name,
                "source": {"kind": "imu", "port": str(lines[name].path), **options[name]},
            }
            for name in SENSORS
        ],
        "queries": [{"id": name, "text": text} for name, text in QUERIES.items()],
    }
    person, worn = Person(), sensors()
    try:
        for name, line in lines.items():
            line.feed(worn[name].packets(person), RATE_HZ)
        with running(config) as run:
            return _told(run, lines, worn, person)
    finally:
        for line in lines.values():
            line.close()


def _told(run: Run, lines: dict[str, SerialLine], worn: dict[str, Sensor], person: Person) -> Story:
    more(run, 3, within_s=180)
    notes, dropped = notes_of(run), dropped_of(run)
    began_ns = time.time_ns()
    for sensor in worn.values():
        sensor.spoils.set()
    more(run, 6)
    for sensor in worn.values():
        sensor.spoils.clear()
    ended_ns = time.time_ns()
    more(run, WARM_UP - 3)
    told = notes, notes_of(run)
    lost = dropped, dropped_of(run)
    first = walk(run, person)
    more(run, 14)  # she turns, walks back, turns and sits down
    before = {name: run.reader(name) for name in SENSORS}
    for line in lines.values():
        line.unplug()
    unplugged_ns = time.time_ns()
    for name in SENSORS:
        gone = before[name]["losses"]
        run.wait(lambda n=name, g=gone: run.reader(n)["losses"] > g, 60, f"loss of {name}")
    for line in lines.values():
        line.plug()
    plugged_ns = time.time_ns()
    more(run, 2, within_s=120)
    second = walk(run, person)
    after = {name: run.reader(name) for name in SENSORS}
    return Story(
        run=run,
        said=run.drain(),
        walks=(first, second),
        notes=told,
        spoilt={name: sensor.spoilt for name, sensor in worn.items()},
        spoilt_ns=(began_ns, ended_ns),
        dropped=lost,
        readers=(before, after),
        unplugged_ns=unplugged_ns,
        plugged_ns=plugged_ns,
    )


def more(run: Run, count: int, within_s: float = 120) -> None:
    """Wait for so many more windows of both sensors."""
    seen = {name: run.seen(name) for name in SENSORS}
    for name in SENSORS:
        why = f"{count} more windows of {name}"
        run.wait(lambda n=name: run.seen(n) >= seen[n] + count, within_s, why)


def walk(run: Run, person: Person) -> tuple[int, int]:
    """Walk until windows hold nothing else; returns from when to when."""
    began_ns = time.time_ns()
    person.walks.set()
    more(run, 10)
    person.walks.clear()
    return began_ns, time.time_ns()


def notes_of(run: Run) -> dict[str, dict[str, int]]:
    streams = run.status()["streams"]
    return {name: dict(streams[name]["intake"]["notes"]) for name in SENSORS}


def dropped_of(run: Run) -> dict[str, int]:
    return {name: sum(run.accounts(name)["dropped"].values()) for name in SENSORS}


@pytest.mark.parametrize("sensor", SENSORS)
@pytest.mark.parametrize("number", [0, 1], ids=["before-unplugging", "after-it"])
def test_a_walk_is_alerted_when_it_happens(story: Story, sensor: str, number: int) -> None:
    began_ns, ended_ns = story.walks[number]
    starts = [a for a in story.run.alerts if a.state == "started" and a.stream == sensor]
    (alert,) = (a for a in starts if began_ns < a.end_ns and a.start_ns < ended_ns)
    assert (alert.query, alert.modality) == ("walking", "imu")
    assert alert.peak_z >= alert.on


def test_no_other_query_is_alerted(story: Story) -> None:
    assert set(story.run.started()) == {"walking"}


@pytest.mark.parametrize(
    ("sensor", "counter"), [("witmotion", "unpaired"), ("text", "lines skipped")]
)
def test_corrupted_bytes_cost_only_their_own_readings(
    story: Story, sensor: str, counter: str
) -> None:
    before, after = (notes[sensor].get(counter, 0) for notes in story.notes)
    assert story.spoilt[sensor] > 20
    assert after - before == story.spoilt[sensor]
    assert story.dropped[0][sensor] == story.dropped[1][sensor]
    began_ns, ended_ns = story.spoilt_ns
    spoilt = [
        e
        for e in story.run.embeddings
        if e.stream == sensor and began_ns < e.end_ns and e.start_ns < ended_ns
    ]
    assert len(spoilt) > 6
    assert {e.coverage for e in spoilt} == {1.0}


@pytest.mark.parametrize("sensor", SENSORS)
def test_an_unplugged_sensor_is_opened_again_and_the_hole_is_marked(
    story: Story, sensor: str
) -> None:
    before, after = (said[sensor] for said in story.readers)
    assert after["losses"] > before["losses"]
    assert after["opens"] > before["opens"]
    assert after["state"] == "live"
    # A window may lack a fifth of its 5 s, and says so.
    gone_s = (story.plugged_ns - story.unplugged_ns) / 1e9
    for embedding in story.run.embeddings:
        if embedding.stream == sensor:
            inside_ns = min(embedding.end_ns, story.plugged_ns) - max(
                embedding.start_ns, story.unplugged_ns
            )
            if inside_ns > 0.5e9:
                assert embedding.coverage < 1
            assert embedding.coverage >= 0.8
    accounts = story.said["streams"][sensor]["intake"]["accounts"]
    assert accounts["dropped"]["void"] >= 1 or gone_s < 1
    assert sum(accounts["dropped"].values()) == accounts["dropped"]["void"]


def test_nothing_is_lost_on_the_way(story: Story) -> None:
    assert_nothing_was_lost(story.said)
