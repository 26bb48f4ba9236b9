"""The run's time: told where the run is, asked for elsewhere, and in all that comes of a stream."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bindstream.bus import Subscriber
from bindstream.clocks.exchange import TimeServer
from bindstream.clocks.host import Clock
from bindstream.config import BusConfig, Config
from bindstream.records import Embedding, on_run_clock
from nodes import supervisor as supervisor_module
from nodes import timekeeping
from nodes.supervisor import Supervisor
from nodes.timekeeping import Timekeeper, run_time
from nodes.wiring import Wiring
from tests.devices.mjpeg_server import MjpegServer

ANY = "tcp://127.0.0.1:0"
S, MS = 1_000_000_000, 1_000_000
LONG_S = 60.0
HERE = Clock.read()
BUS = BusConfig.model_validate({"address": ANY, "inbound": ANY, "control": ANY})


class FarTimekeeper(Timekeeper):
    """Of a run on another host, whose clock is 3.7 s ahead of this one's and 80 ppm fast."""

    def __init__(self, bus: BusConfig) -> None:
        self.clock = Clock(HERE.offset_ns + 3_700 * MS, "host:faraway")
        self._begun_ns = HERE.now_ns()
        self._server = TimeServer(bus.time_address, self.now_ns, bus.keys)
        self.address = self._server.address

    def now_ns(self) -> int:
        now_ns = HERE.now_ns()
        return now_ns + 3_700 * MS + (now_ns - self._begun_ns) * 80 // 10**6


def wiring(keeper: Timekeeper, folder: Path) -> Wiring:
    return Wiring(keeper.clock, folder, ANY, ANY, None, frozenset(), time=keeper.address)


def test_on_the_runs_own_host_nobody_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(timekeeping, "reachable", lambda address: address)
    keeper = Timekeeper(BUS)
    assert run_time(wiring(keeper, tmp_path)) is None
    assert keeper.troubles() == {}
    said = keeper.status()
    assert said["address"].startswith("tcp://127.0.0.1:")
    assert said["clock"] == keeper.clock.id
    keeper.close()


def test_a_clock_that_was_set_is_a_trouble_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timekeeping, "reachable", lambda address: address)
    keeper = Timekeeper(BUS)
    true = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: true() + 7200 * S)
    assert "set forward by 7200.0 s" in keeper.troubles()["clock"]
    keeper.close()


def test_on_another_host_the_runs_time_is_had_within_milliseconds(tmp_path: Path) -> None:
    keeper = FarTimekeeper(BUS)
    run = run_time(wiring(keeper, tmp_path))
    assert run is not None
    assert run.await_first(10)
    assert abs(run.now_ns() - keeper.now_ns()) < 20 * MS
    assert run.here.id == HERE.id
    run.close()
    keeper.close()


@pytest.mark.slow
def test_what_comes_of_a_stream_on_another_host_says_how_far_off_it_is(
    monkeypatch: pytest.MonkeyPatch, tiny_model: Path
) -> None:
    """All actors take this host for another one than the run's."""
    made: list[FarTimekeeper] = []

    def far(bus: BusConfig) -> FarTimekeeper:
        made.append(FarTimekeeper(bus))
        return made[-1]

    monkeypatch.setattr(supervisor_module, "Timekeeper", far)
    heard: list[tuple[Embedding, int]] = []
    with MjpegServer(fps=20) as camera:
        config = Config.model_validate(
            {
                "streams": [{"name": "door", "source": {"kind": "camera", "url": camera.url}}],
                "model": {"name": str(tiny_model), "threads": 1},
                "bus": {"address": ANY, "inbound": ANY, "control": ANY},
            }
        )
        until_s = time.monotonic() + LONG_S
        with Supervisor(config) as run, Subscriber(run.address, ["emb."]) as subscriber:
            while len(heard) < 3:
                assert time.monotonic() < until_s, run.status()
                record = subscriber.receive(1)
                if isinstance(record, Embedding):
                    heard.append((record, made[0].now_ns()))
            run.poll()
            status = run.status()
    assert status["time"]["clock"] == "host:faraway"
    assert status["streams"]["door"]["error"] == ""
    for record, now_ns in heard:
        ahead_ns = 3_700 * MS + (record.end_ns - made[0]._begun_ns) * 80 // 10**6
        assert abs(record.offset_ns - ahead_ns) < 50 * MS
        assert record.clock == HERE.id
        assert record.uncertainty_ns < S
        laid = on_run_clock(record)
        assert now_ns - LONG_S * S < laid.end_ns < now_ns
        stages = [record.stages[n] for n in ("received", "closed", "arrived", "published")]
        assert stages == sorted(stages)
        assert laid.end_ns - S < stages[0]
        assert stages[-1] < now_ns + 50 * MS
