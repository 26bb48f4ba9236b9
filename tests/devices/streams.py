"""Reading sources in tests: with a limit on how long it may take."""

from __future__ import annotations

import time

from bindstream.clocks.host import Clock
from bindstream.errors import SourceError
from bindstream.records import ModalityName, Sample
from bindstream.sources import Source, SourceContext
from bindstream.sources.reader import Reader


def context(modality: ModalityName, stream: str = "s") -> SourceContext:
    clock = Clock.read()
    return SourceContext(stream, modality, clock, clock.now_ns())


def read_for(source: Source, seconds: float) -> list[Sample]:
    """Every sample an opened source gives in so many seconds."""
    until_s = time.monotonic() + seconds
    got: list[Sample] = []
    while time.monotonic() < until_s:
        got += source.read()
    return got


def read_some(source: Source, count: int, within_s: float = 10.0) -> list[Sample]:
    """At least `count` samples of an opened source."""
    until_s = time.monotonic() + within_s
    got: list[Sample] = []
    while len(got) < count:
        assert time.monotonic() < until_s, f"{len(got)} of {count} samples in {within_s} s"
        got += source.read()
    return got


def read_until_lost(source: Source, within_s: float = 10.0) -> tuple[SourceError, float]:
    """The error an opened source ends with, and after how many seconds."""
    began_s = time.monotonic()
    try:
        while time.monotonic() < began_s + within_s:
            source.read()
    except SourceError as error:
        return error, time.monotonic() - began_s
    raise AssertionError(f"no error within {within_s} s")


def take_some(reader: Reader, count: int, within_s: float = 15.0) -> list[Sample]:
    """At least `count` samples of a started reader."""
    until_s = time.monotonic() + within_s
    got: list[Sample] = []
    while len(got) < count:
        health = reader.health()
        assert time.monotonic() < until_s, f"{len(got)} of {count} samples; {health}"
        got += reader.take(0.1)
    return got
