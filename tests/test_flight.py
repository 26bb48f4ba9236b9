"""What is in flight: bounded always; the newest wins live, nothing is lost from a recording."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bindstream.flight import IN_FLIGHT, WAITING, Flight
from bindstream.records import Window


def window(seq: int) -> Window:
    return Window("door", "vision", seq, seq, seq + 2, np.zeros(1), 1.0)


@settings(max_examples=80, deadline=None)
@given(st.booleans(), st.lists(st.sampled_from(["offer", "launch", "land"]), max_size=80))
def test_every_window_is_sent_once_or_dropped_and_the_bounds_hold(
    lossless: bool, steps: list[str]
) -> None:
    flight = Flight(lossless=lossless)
    offered = 0
    sent: list[int] = []
    flying: list[int] = []
    dropped: list[int] = []
    for step in steps:
        if step == "offer" and not flight.full:
            dropped += [w.seq for w in flight.offer(window(offered))]
            offered += 1
        elif step == "launch" and (launched := flight.launch()) is not None:
            sent.append(launched.seq)
            flying.append(launched.seq)
        elif step == "land" and flying:
            flight.land(flying.pop(0))
        waiting = offered - len(sent) - len(dropped)
        assert waiting <= WAITING
        assert len(flying) <= IN_FLIGHT + lossless
        assert flight.empty is (waiting == 0 and not flying)
    assert sent == sorted(sent)
    assert not set(sent) & set(dropped)
    if lossless:
        assert dropped == []


def test_a_live_streams_oldest_waiting_window_gives_way() -> None:
    flight = Flight(lossless=False)
    dropped = [w.seq for seq in range(WAITING + 3) for w in flight.offer(window(seq))]
    assert dropped == [0, 1, 2]
    first = flight.launch()
    assert first is not None
    assert first.seq == 3
    assert not flight.full
    flight.offer(window(9))
    assert flight.launch() is None  # it stays here, and a newer one may take its place


def test_every_worker_may_have_one() -> None:
    flight = Flight(lossless=False, workers=3)
    sent = []
    for seq in range(4):
        flight.offer(window(seq))
        sent.append(flight.launch())
    assert [w.seq if w else None for w in sent] == [0, 1, 2, None]


def test_a_recording_has_to_wait_and_loses_nothing() -> None:
    flight = Flight(lossless=True)
    for seq in range(WAITING):
        assert not flight.full
        assert flight.offer(window(seq)) == []
    assert flight.full
    assert flight.offer(window(WAITING)) == []  # windows that closed together are all kept
    flight.offer(window(WAITING + 1))
    launched = [flight.launch() for _ in range(IN_FLIGHT + 2)]
    assert [w.seq if w else None for w in launched] == [*range(IN_FLIGHT + 1), None]
    flight.land(0)
    again = flight.launch()
    assert again is not None
    assert again.seq == IN_FLIGHT + 1


def test_a_landing_that_was_not_in_flight_frees_no_place() -> None:
    flight = Flight(lossless=True)
    for seq in range(IN_FLIGHT + 2):
        flight.offer(window(seq))
    while flight.launch() is not None:
        pass
    flight.land(99)
    assert flight.launch() is None
