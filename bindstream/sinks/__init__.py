"""Sinks: where alerts go. One file a sink, one registration line here."""

from __future__ import annotations

from typing import Protocol

from bindstream.bus import Publisher
from bindstream.config import BusSinkConfig, JsonlSinkConfig, SinkConfig
from bindstream.records import Alert
from bindstream.sinks.delivery import Delivery
from bindstream.sinks.jsonl import JsonlSink
from bindstream.sinks.terminal import TerminalSink

__all__ = ["Delivery", "JsonlSink", "Sink", "TerminalSink", "open_sink"]


class Sink(Protocol):
    """Takes alerts. `accept` must be quick: it runs between two windows."""

    def accept(self, alert: Alert) -> None: ...

    def close(self) -> None: ...


class BusSink:
    """Publishes alerts on the bus."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def accept(self, alert: Alert) -> None:
        self._publisher.publish(alert)

    def close(self) -> None:
        """The publisher is its owner's to close."""


def open_sink(config: SinkConfig, publisher: Publisher, *, again: bool = False) -> Sink:
    """The sink a configuration asks for; `again`: an earlier process of the run had it open."""
    if isinstance(config, JsonlSinkConfig):
        return JsonlSink(config.path, again=again)
    if isinstance(config, BusSinkConfig):
        return BusSink(publisher)
    return TerminalSink()
