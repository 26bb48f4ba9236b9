"""The reader keeps a source going: reconnects, abandons frozen drivers, bounds what it holds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from bindstream.errors import MissingPackageError, SourceError
from bindstream.records import Sample
from bindstream.sources import EndOfStream
from bindstream.sources.reader import MAILBOX_BYTES, MOST_FROZEN, Backoff, Reader


def sample(n: int, size: int = 1) -> Sample:
    return Sample("s", "depth", np.full((size, 1), n, np.float32), n, n, n)


class Scripted:
    """A driver whose reads are what a script yields; an exception in the script is raised."""

    def __init__(self, script: Iterator[list[Sample]], *, recorded: bool = False) -> None:
        self.recorded = recorded
        self.closed = threading.Event()
        self._script = script

    def open(self) -> None:
        pass

    def read(self) -> list[Sample]:
        return next(self._script)

    def close(self) -> None:
        self.closed.set()


def quick() -> Backoff:
    return Backoff(first_s=0.02, most_s=0.05)


def taken(reader: Reader, count: int, within_s: float = 5.0) -> list[Sample]:
    got: list[Sample] = []
    until_s = time.monotonic() + within_s
    while len(got) < count and time.monotonic() < until_s:
        got += reader.take(0.1)
    assert len(got) >= count, f"{len(got)} of {count} samples within {within_s} s"
    return got


def until(condition: Callable[[], bool], within_s: float = 5.0) -> None:
    end_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end_s, "did not come true in time"
        time.sleep(0.01)


@pytest.fixture
def started() -> Iterator[Callable[[Reader], Reader]]:
    readers: list[Reader] = []

    def start(reader: Reader) -> Reader:
        readers.append(reader)
        return reader.start()

    yield start
    for reader in readers:
        reader.stop()


def counting(first: int = 0) -> Iterator[list[Sample]]:
    n = first
    while True:
        time.sleep(0.005)
        yield [sample(n)]
        n += 1


def test_lost_device_is_opened_again_and_the_first_sample_says_why(started) -> None:
    opened: list[Scripted] = []

    def script() -> Iterator[list[Sample]]:
        yield [sample(len(opened))]
        raise SourceError("unplugged.", where="stream 's'", fix="Plug it in.")

    def make() -> Scripted:
        opened.append(Scripted(script()))
        return opened[-1]

    reader = started(Reader(make, backoff=quick()))
    got = taken(reader, 3)
    assert got[0].gap == ""
    assert [s.gap for s in got[1:3]] == ["stream 's': unplugged. Plug it in."] * 2
    assert reader.health().losses >= 2
    assert all(driver.closed.is_set() for driver in opened[:2])


def test_device_is_let_go_before_the_wait_for_the_next_try(started) -> None:
    opened: list[Scripted] = []

    def script() -> Iterator[list[Sample]]:
        raise SourceError("busy.")
        yield []

    def make() -> Scripted:
        opened.append(Scripted(script()))
        return opened[-1]

    reader = started(Reader(make, backoff=Backoff(first_s=30, most_s=30)))
    until(lambda: reader.health().state == "waiting")
    assert opened[0].closed.is_set()
    assert "busy." in reader.health().detail


def test_waits_double_up_to_the_most_and_start_over_after_data() -> None:
    backoff = Backoff(first_s=1, most_s=30)
    waits = [backoff.next_s() for _ in range(7)]
    for wait_s, nominal_s in zip(waits, [1, 2, 4, 8, 16, 30, 30], strict=True):
        assert nominal_s <= wait_s <= 1.2 * nominal_s
    backoff.reset()
    assert backoff.next_s() <= 1.2


def test_frozen_driver_is_left_behind_and_another_one_opened(started) -> None:
    thaw = threading.Event()
    opened: list[Scripted] = []

    def freezing() -> Iterator[list[Sample]]:
        yield [sample(0)]
        thaw.wait(30)
        yield [sample(999)]

    def make() -> Scripted:
        opened.append(Scripted(freezing() if not opened else counting(1)))
        return opened[-1]

    reader = started(Reader(make, stale_s=0.3, backoff=quick()))
    got = taken(reader, 3)
    assert got[1].gap.startswith("no data for 0.")
    assert reader.health().opens == 2
    thaw.set()
    until(opened[0].closed.is_set)
    numbers = [s.start_ns for s in got + taken(reader, 5)]
    assert 999 not in numbers, "a driver left behind still delivered"


def test_drivers_that_hang_for_ever_do_not_pile_up_threads(started) -> None:
    thaw = threading.Event()
    opened = 0

    def hanging() -> Iterator[list[Sample]]:
        yield [sample(0)]
        thaw.wait(30)
        raise SourceError("late.")

    def make() -> Scripted:
        nonlocal opened
        opened += 1
        return Scripted(hanging())

    reader = started(Reader(make, stale_s=0.1, backoff=quick()))
    until(lambda: "hang in the driver" in reader.health().detail)
    time.sleep(0.5)
    assert opened == MOST_FROZEN
    assert reader.health().state == "stalled"
    thaw.set()
    until(lambda: opened > MOST_FROZEN)


def test_an_unforeseen_error_in_a_driver_is_a_loss_and_not_the_end(started) -> None:
    def script() -> Iterator[list[Sample]]:
        yield [sample(0)]
        raise RuntimeError("driver bug")

    reader = started(Reader(lambda: Scripted(script()), backoff=quick()))
    assert taken(reader, 2)[1].gap == "RuntimeError: driver bug"


def test_a_driver_that_cannot_be_made_is_tried_again(started) -> None:
    tries = 0

    def make() -> Scripted:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise SourceError("not yet.")
        return Scripted(counting())

    assert taken(started(Reader(make, backoff=quick())), 1)[0].gap == "not yet."


def test_missing_package_ends_the_reader_with_its_words(started) -> None:
    def make() -> Scripted:
        raise MissingPackageError("video needs PyAV.", fix="pip install 'bindstream[camera]'")

    reader = started(Reader(make, backoff=quick()))
    until(lambda: reader.ended)
    assert reader.health().state == "failed"
    assert "pip install" in reader.health().detail


def test_live_source_keeps_the_newest_and_marks_the_hole(started) -> None:
    def script() -> Iterator[list[Sample]]:
        yield from ([sample(n)] for n in range(20))
        yield from counting(20)

    reader = started(Reader(lambda: Scripted(script()), capacity=8))
    until(lambda: reader.health().samples > 40)
    got = taken(reader, 1)
    numbers = [s.start_ns for s in got]
    assert len(got) <= 8
    assert numbers == list(range(numbers[0], numbers[0] + len(got)))
    assert numbers[-1] >= 30
    assert "faster than they were taken" in got[0].gap
    assert all(s.gap == "" for s in got[1:])
    assert reader.health().dropped >= numbers[0]


def test_live_mailbox_is_bounded_in_bytes(started) -> None:
    size = MAILBOX_BYTES // 4 // 4  # four such samples fill it

    def script() -> Iterator[list[Sample]]:
        yield from ([sample(n, size)] for n in range(12))
        yield from iter(lambda: [], None)

    reader = started(Reader(lambda: Scripted(script())))
    until(lambda: reader.health().samples == 12)
    assert [s.start_ns for s in taken(reader, 4)] == [8, 9, 10, 11]


def test_recording_waits_for_whoever_takes_and_loses_nothing(started) -> None:
    def script() -> Iterator[list[Sample]]:
        yield from ([sample(n)] for n in range(100))
        raise EndOfStream

    reader = started(Reader(lambda: Scripted(script(), recorded=True), capacity=4, stale_s=0.2))
    time.sleep(0.6)  # longer than stale_s: a recording that waits is not frozen
    assert reader.health().samples <= 4
    numbers: list[int] = []
    until_s = time.monotonic() + 20
    while not reader.ended and time.monotonic() < until_s:
        numbers += [s.start_ns for s in reader.take(0.1)]
    assert numbers == list(range(100))
    health = reader.health()
    assert (health.state, health.dropped, health.opens) == ("ended", 0, 1)


def test_what_has_waited_longest_is_known_and_stays(started) -> None:
    reader = Reader(lambda: Scripted(counting(), recorded=True), capacity=5)
    assert reader.oldest is None
    started(reader)
    until(lambda: reader.health().samples >= 5)
    assert [reader.oldest.start_ns, reader.oldest.start_ns] == [0, 0]
    taken(reader, 5)
    until(lambda: reader.oldest is not None)
    assert reader.oldest.start_ns >= 5


def test_a_broken_recording_fails_instead_of_playing_again(started) -> None:
    def script() -> Iterator[list[Sample]]:
        yield [sample(0)]
        raise SourceError("clip.mkv broke off.")

    reader = started(Reader(lambda: Scripted(script(), recorded=True), backoff=quick()))
    until(lambda: reader.health().state == "failed")
    assert not reader.ended, "the sample read before is still to be taken"
    assert len(taken(reader, 1)) == 1
    assert reader.ended
    assert reader.health().detail == "clip.mkv broke off."
    assert reader.health().opens == 1


def test_stop_closes_the_device_and_ends_the_threads() -> None:
    driver = Scripted(counting())
    reader = Reader(lambda: driver).start()
    taken(reader, 1)
    assert not reader.join(0.05), "it goes on until told to stop"
    reader.stop()
    assert reader.join(5)
    assert driver.closed.is_set()


def test_stop_ends_a_recording_that_waits_to_be_taken() -> None:
    def script() -> Iterator[list[Sample]]:
        yield from ([sample(n)] for n in range(100))

    reader = Reader(lambda: Scripted(script(), recorded=True), capacity=1).start()
    until(lambda: reader.health().samples == 1)
    reader.stop()
    assert reader.join(5)


def test_stop_during_the_wait_for_the_next_try_ends_at_once() -> None:
    def make() -> Scripted:
        raise SourceError("not there.")

    reader = Reader(make, backoff=Backoff(first_s=30, most_s=30)).start()
    until(lambda: reader.health().state == "waiting")
    reader.stop()
    assert reader.join(2)


def test_silence_counts_from_the_last_sample_across_tries(started) -> None:
    def make() -> Scripted:
        raise SourceError("not there.")

    reader = started(Reader(make, backoff=quick()))
    time.sleep(0.5)
    assert reader.health().silent_s >= 0.5
