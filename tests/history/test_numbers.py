"""What is new, what came twice, and what never came."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bindstream.history.journal import Tally
from bindstream.history.numbers import LATE_MOST, Numbers
from tests.history.windows import NOON_NS, RUN_NS, window


@settings(deadline=None)
@given(st.permutations(range(12)), st.sets(st.integers(0, 11)))
def test_missed_is_what_never_came_in_whatever_order(order: list[int], lost: set[int]) -> None:
    numbers, tally = Numbers(), Tally(RUN_NS)
    # Capture times rise with numbers, and two workers may finish in any order.
    came = [number for number in order if number not in lost]
    assert all(numbers.take(tally, window(seq=number)) for number in came)
    assert not any(numbers.take(tally, window(seq=number)) for number in came)
    assert tally.missed == max(came, default=-1) + 1 - len(came)


def test_what_comes_far_too_late_stays_missed_and_memory_stays_bounded() -> None:
    numbers, tally = Numbers(), Tally(RUN_NS)
    count = 3 * LATE_MOST
    for seq in range(0, 2 * count, 2):  # every other one is missing
        assert numbers.take(tally, window(seq=seq))
    assert tally.missed == count - 1
    assert len(numbers._missing["door"]) == LATE_MOST
    assert not numbers.take(tally, window(seq=1))
    assert tally.missed == count - 1
    assert numbers.take(tally, window(seq=2 * count - 3))
    assert tally.missed == count - 2


def test_a_stream_that_counts_from_the_beginning_again_is_numbered_anew() -> None:
    numbers, tally = Numbers(), Tally(RUN_NS)
    for seq in range(5):
        assert numbers.take(tally, window(seq=seq))
    again_ns = NOON_NS + 60 * 10**9
    assert numbers.take(tally, window(seq=1, start_ns=again_ns))
    assert tally.numbered_ns == again_ns
    assert (tally.newest, tally.missed) == (1, 1)
    assert not numbers.take(tally, window(seq=1, start_ns=again_ns))


def test_streams_are_numbered_apart() -> None:
    numbers, door, mic = Numbers(), Tally(RUN_NS), Tally(RUN_NS)
    assert numbers.take(door, window("door", 3))
    assert numbers.take(mic, window("mic", 0))
    assert (door.missed, mic.missed) == (3, 0)


def test_a_later_process_of_the_run_goes_on_from_the_newest_number() -> None:
    tally = Tally(RUN_NS, newest=3, newest_start_ns=window(seq=3).start_ns, stored=3, missed=1)
    numbers = Numbers()
    assert [numbers.take(tally, window(seq=seq)) for seq in (2, 3, 4, 6)] == [0, 0, 1, 1]
    assert tally.missed == 2
