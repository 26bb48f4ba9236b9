from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bindstream.history.journal import Tally
from bindstream.history.numbers import PAGE, PAGES_MOST, Numbers, Seen
from bindstream.history.store import Store
from tests.history.windows import NOON_NS, RUN_NS, window


@given(st.lists(st.integers(0, 3 * PAGE)))
def test_it_is_a_set(numbers: list[int]) -> None:
    seen, expected = Seen(), set[int]()
    for number in numbers:
        assert seen.add(number) == (number not in expected)
        expected.add(number)


def test_what_is_long_past_counts_as_seen_and_memory_stays_bounded() -> None:
    seen = Seen()
    for page in range(3 * PAGES_MOST):
        assert seen.add(page * PAGE)
    assert not seen.add(5)
    assert seen.add((2 * PAGES_MOST + 1) * PAGE + 5)
    assert len(seen._pages) == PAGES_MOST


@given(st.permutations(range(12)), st.sets(st.integers(0, 11)))
def test_missed_is_what_never_came_in_whatever_order(order: list[int], lost: set[int]) -> None:
    numbers, tally = Numbers(Store.__new__(Store)), Tally(RUN_NS)
    # Capture times rise with numbers, and two workers may finish in any order.
    came = [number for number in order if number not in lost]
    assert all(numbers.take(tally, window(seq=number)) for number in came)
    assert not any(numbers.take(tally, window(seq=number)) for number in came)
    assert tally.missed == max(came, default=-1) + 1 - len(came)


def test_a_stream_that_counts_from_the_beginning_again_is_numbered_anew() -> None:
    numbers, tally = Numbers(Store.__new__(Store)), Tally(RUN_NS)
    for seq in range(5):
        assert numbers.take(tally, window(seq=seq))
    again_ns = NOON_NS + 60 * 10**9
    assert numbers.take(tally, window(seq=1, start_ns=again_ns))
    assert tally.numbered_ns == again_ns
    assert (tally.newest, tally.missed) == (1, 1)
    assert not numbers.take(tally, window(seq=1, start_ns=again_ns))


def test_numbers_that_an_earlier_process_stored_are_known(tmp_path: Path) -> None:
    from tests.history.windows import written

    written(tmp_path, [window(seq=i) for i in (0, 1, 3)])
    tally = Tally(RUN_NS, newest=3, newest_start_ns=window(seq=3).start_ns, stored=3)
    numbers = Numbers(Store(tmp_path))
    assert [numbers.take(tally, window(seq=i)) for i in range(5)] == [
        False,
        False,
        True,
        False,
        True,
    ]
    other = Numbers(Store(tmp_path))
    assert other.take(Tally(RUN_NS + 1, newest=3, newest_start_ns=0, stored=3), window(seq=1))
