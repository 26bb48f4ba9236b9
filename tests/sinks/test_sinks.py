"""Opening sinks: every kind a configuration may name has one, and takes alerts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from bindstream.bus import Broker, Publisher, Subscriber
from bindstream.config.sinks import BusSinkConfig, JsonlSinkConfig, SinkConfig, TerminalSinkConfig
from bindstream.sinks import BusSink, JsonlSink, TerminalSink, open_sink
from tests.sinks.test_jsonl import ALERT

CONFIGS = {kind: kind.model_fields["kind"].annotation for kind in get_args(get_args(SinkConfig)[0])}


@pytest.fixture
def broker() -> Iterator[Broker]:
    broker = Broker("tcp://127.0.0.1:0", "tcp://127.0.0.1:0")
    yield broker
    broker.close()


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.__name__)
def test_every_kind_takes_alerts_and_closes_twice(
    config: type, broker: Broker, tmp_path: Path
) -> None:
    publisher = Publisher(broker.inbound)
    (kind,) = get_args(CONFIGS[config])
    options = {"path": tmp_path / "a.jsonl"} if "path" in config.model_fields else {}
    sink = open_sink(config(kind=kind, **options), publisher)
    sink.accept(ALERT)
    sink.close()
    sink.close()
    publisher.close()


def test_each_kind_opens_its_own_sink(broker: Broker, tmp_path: Path) -> None:
    publisher = Publisher(broker.inbound)
    made = [
        open_sink(TerminalSinkConfig(kind="terminal"), publisher),
        open_sink(JsonlSinkConfig(kind="jsonl", path=tmp_path / "a"), publisher),
        open_sink(BusSinkConfig(kind="bus"), publisher),
    ]
    assert [type(sink) for sink in made] == [TerminalSink, JsonlSink, BusSink]
    publisher.close()


def test_the_bus_sink_publishes_and_leaves_the_publisher_open(broker: Broker) -> None:
    publisher = Publisher(broker.inbound)
    with Subscriber(broker.address, ["alert."]) as subscriber:
        heard = None
        until_s = time.monotonic() + 10
        while heard is None and time.monotonic() < until_s:
            sink = open_sink(BusSinkConfig(kind="bus"), publisher)
            sink.accept(ALERT)
            sink.close()
            heard = subscriber.receive(0.05)
    assert heard == ALERT
    publisher.close()
