"""A model that is too slow: the newest windows win, the sensors go on, and every one is counted."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bindstream.bus import Subscriber
from bindstream.config import Config
from bindstream.flight import IN_FLIGHT, WAITING
from bindstream.records import Embedding
from nodes.supervisor import Supervisor
from tests.devices.imu_bytes import TIMED, csv
from tests.nodes.test_supervisor import ANY, accounts, embedded, wait_for

pytest.importorskip("serial")
pytestmark = pytest.mark.slow

STREAMS = ("left", "middle", "right")
HOP_S = 0.05
TOWER_S = 0.1  # what a window costs; 60 a second come
WATCHED_S = 12.0
AT_ONCE = 4  # windows an intake hands out at a time, before one of them is offered to the flight


@pytest.fixture(scope="module")
def slow_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory whose IMU tower takes about `TOWER_S` a window on one thread.

    No mock: it is as deep as that takes on this machine.
    """
    import torch

    from bindstream.modalities import MODALITIES
    from bindstream.models.directory import ModelSpec
    from bindstream.models.imagebind import Tower
    from bindstream.models.saving import save_model
    from bindstream.models.sizes import TowerConfig
    from bindstream.models.tokenizer import word_tokenizer

    def tower(blocks: int) -> Tower:
        return Tower(TowerConfig(modality="imu", width=256, blocks=blocks, heads=4, dim=16))

    torch.manual_seed(7)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    probe, x = tower(4).eval(), torch.zeros(1, *MODALITIES["imu"].model_input)
    took_s = []
    with torch.inference_mode():
        for _ in range(6):
            begun = time.perf_counter()
            probe(x)
            took_s.append(time.perf_counter() - begun)
    torch.set_num_threads(threads)
    deep = tower(min(max(round(4 * TOWER_S / min(took_s)), 4), 64))
    tokenizer = word_tokenizer(["anything"])
    text = TowerConfig(
        modality="text",
        width=32,
        blocks=1,
        heads=2,
        dim=16,
        vocabulary=tokenizer.vocabulary,
        end_id=tokenizer.end_id,
    )
    spec = ModelSpec(
        name="slow",
        licence="Apache-2.0",
        dim=16,
        towers={"imu": deep.config, "text": text},
        trained_words=("anything",),
    )
    folder = tmp_path_factory.mktemp("models") / "slow"
    save_model(folder, spec, {"imu": deep, "text": Tower(text)}, tokenizer)
    return folder


@dataclass
class Sensor:
    """A network IMU of 100 Hz, for one client after another."""

    port: int = 0
    sent: int = 0
    late_s: list[float] = field(default_factory=list)

    def serve(self, server: socket.socket, stop: threading.Event) -> None:
        rows = np.zeros((1, 6), np.float32)
        while not stop.is_set():
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                began_s = time.monotonic()
                for n in count():
                    if stop.wait(max(began_s + n / 100 - time.monotonic(), 0)):
                        return
                    rows[0] = [np.sin(n / 9), np.cos(n / 7), 9.81, 0.1, np.sin(n / 5), 0]
                    line = csv(rows, first_us=n * 10_000)[0]
                    begun = time.monotonic()
                    try:
                        client.sendall(line)
                    except OSError:
                        break
                    self.late_s.append(time.monotonic() - begun)
                    self.sent += 1


@pytest.fixture(scope="module")
def sensors() -> Iterator[dict[str, Sensor]]:
    made: dict[str, Sensor] = {}
    stop = threading.Event()
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in STREAMS]
    for name, server in zip(STREAMS, servers, strict=True):
        made[name] = Sensor(server.getsockname()[1])
        threading.Thread(target=made[name].serve, args=(server, stop), daemon=True).start()
    yield made
    stop.set()
    for server in servers:
        server.close()


@dataclass
class Seen:
    """What a run under overload showed in `WATCHED_S`."""

    vectors: list[Embedding] = field(default_factory=list)
    pending: list[int] = field(default_factory=list)
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    lasted_s: float = 0.0
    drained: dict[str, Any] = field(default_factory=dict)
    drain_s: float = 0.0

    def latency_s(self, since: str, until: str) -> np.ndarray[Any, Any]:
        return np.array([(v.stages[until] - v.stages[since]) / 1e9 for v in self.vectors])

    def more(self, name: str, key: str) -> int:
        return int(accounts(self.after, name)[key] - accounts(self.before, name)[key])

    @property
    def per_second(self) -> float:
        return len(self.vectors) / self.lasted_s


@pytest.fixture(scope="module")
def seen(slow_model: Path, sensors: dict[str, Sensor]) -> Seen:
    streams = [
        {
            "name": name,
            "source": {"kind": "imu", "port": f"socket://127.0.0.1:{sensor.port}", **TIMED},
            "window_s": 1,
            "hop_s": HOP_S,
        }
        for name, sensor in sensors.items()
    ]
    config = Config.model_validate(
        {
            "streams": streams,
            "model": {"name": str(slow_model), "device": "cpu", "threads": 1},
            "bus": {"address": ANY, "inbound": ANY, "control": ANY},
        }
    )
    found = Seen()
    with Supervisor(config) as run, Subscriber(run.address, ["emb."]) as bus:
        wait_for(run, lambda s: all(embedded(s, name) >= 3 for name in STREAMS), 60)
        while bus.receive(0) is not None:
            pass
        run.poll()
        found.before, begun = run.status(), time.monotonic()
        while time.monotonic() - begun < WATCHED_S:
            run.poll()
            found.pending += [accounts(run.status(), name)["pending"] for name in STREAMS]
            while isinstance(record := bus.receive(0.1), Embedding):
                found.vectors.append(record)
                if time.monotonic() - begun > WATCHED_S:
                    break
        run.poll()
        found.after, found.lasted_s = run.status(), time.monotonic() - begun
        begun = time.monotonic()
        run.drain()
        found.drained, found.drain_s = run.status(), time.monotonic() - begun
    return found


def test_what_is_too_much_is_dropped_and_nothing_else_is_lost(seen: Seen) -> None:
    for name in STREAMS:
        dropped = accounts(seen.after, name)["dropped"]
        assert dropped["overload"] > 10
        assert (dropped["failed"], dropped["killed"]) == (0, 0)
        assert seen.more(name, "embedded") > 3  # and every stream has its share


def test_sensors_are_read_as_fast_as_they_speak(seen: Seen, sensors: dict[str, Sensor]) -> None:
    for name in STREAMS:
        reader = seen.after["streams"][name]["intake"]["reader"]
        assert (reader["opens"], reader["losses"], reader["dropped"]) == (1, 0, 0)
        assert seen.more(name, "captured") == pytest.approx(seen.lasted_s / HOP_S, rel=0.15)
        assert max(sensors[name].late_s) < 1.0


def test_what_is_pending_stays_bounded(seen: Seen) -> None:
    assert len(seen.pending) > 30
    assert max(seen.pending) <= IN_FLIGHT + WAITING + AT_ONCE
    assert np.median(seen.pending) <= IN_FLIGHT + WAITING


def test_the_newest_windows_win(seen: Seen) -> None:
    # A queue that dropped the newest would let its oldest wait for as long as it takes to embed
    # `WAITING` windows of each stream.
    waited_s = seen.latency_s("features", "arrived")
    assert np.median(waited_s) < (WAITING + 2) * HOP_S
    assert np.median(waited_s) < WAITING * len(STREAMS) / seen.per_second


def test_what_gets_through_is_not_old_and_does_not_grow_older(seen: Seen) -> None:
    to_bus_s = seen.latency_s("closed", "published")
    # What waits gives way after `WAITING` hops; what flies has all streams' flights before it, and
    # a batch that was begun before.
    bound_s = (WAITING + 1) * HOP_S + 2 * IN_FLIGHT * len(STREAMS) / seen.per_second
    assert np.percentile(to_bus_s, 99) < 1.5 * bound_s
    third = len(to_bus_s) // 3
    assert np.median(to_bus_s[-third:]) < 1.5 * np.median(to_bus_s[:third]) + 2 * HOP_S


def test_what_is_counted_as_embedded_was_published_and_all_is_settled_in_the_end(
    seen: Seen,
) -> None:
    for name in STREAMS:
        heard = [v.seq for v in seen.vectors if v.stream == name]
        assert len(set(heard)) == len(heard)
        # At either end of the time watched a few are published and not yet counted.
        assert abs(seen.more(name, "embedded") - len(heard)) <= 2 * IN_FLIGHT + 1
    assert [accounts(seen.drained, name)["pending"] for name in STREAMS] == [0] * len(STREAMS)
    assert seen.drain_s < 5
