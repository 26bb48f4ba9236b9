"""Device clocks are laid on the host's time: drift, jitter, bursts, losses, restarts."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bindstream.clocks.device import DeviceClock, Placed

MS = 1_000_000
S = 1_000_000_000
START_NS = 1_700_000_000 * S


def timed(**options: float) -> DeviceClock[int]:
    """For a device that tells nanoseconds of its own."""
    return DeviceClock(tick_ns=1.0, **options)


def counted() -> DeviceClock[int]:
    """For readings at an unknown rate, numbered as they come."""
    return DeviceClock(tick_ns=None, window_s=5, late_s=0.1, settle_s=1.0)


def fed(
    clock: DeviceClock[int], ticks: NDArray[np.int64], arrivals_ns: NDArray[np.int64]
) -> list[Placed[int]]:
    placed = []
    for n, (tick, arrival) in enumerate(zip(ticks.tolist(), arrivals_ns.tolist(), strict=True)):
        placed += clock.place(tick, arrival, n)
    return placed + clock.flush()


def errors_ms(placed: list[Placed[int]], true_ns: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.array([(p.host_ns - int(true_ns[p.item])) / MS for p in placed])


def jitter(n: int, seed: int = 1, scale_ms: float = 3.0) -> NDArray[np.int64]:
    """Delays of n arrivals: half a millisecond and, exponentially, some more."""
    rng = np.random.default_rng(seed)
    return (0.5 * MS + rng.exponential(scale_ms * MS, n)).astype(np.int64)


def in_order(true_ns: NDArray[np.int64], delays_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Arrivals on a line, where nothing overtakes."""
    return np.maximum.accumulate(true_ns + delays_ns)


@pytest.mark.parametrize("skew_ppm", [-3000, -100, 0, 100, 3000])
def test_a_drifting_clock_is_followed_through_jitter(skew_ppm: float) -> None:
    true_ns = START_NS + np.arange(12_000, dtype=np.int64) * 5 * MS  # a minute at 200 Hz
    ticks = 77 * S + ((true_ns - START_NS) * (1 + skew_ppm * 1e-6)).astype(np.int64)
    clock = timed()
    placed = fed(clock, ticks, in_order(true_ns, jitter(len(ticks))))
    assert len(placed) == len(ticks)
    error = errors_ms(placed, true_ns)
    assert np.abs(error[2000:]).max() < 2.0
    assert np.abs(error).max() < 20
    assert {p.gap for p in placed} == {""}
    assert clock.slope is not None
    assert abs(clock.slope * (1 + skew_ppm * 1e-6) - 1) < 200e-6
    assert clock.uncertainty_ns < 2 * MS


def test_an_unknown_rate_is_measured_and_its_readings_evened_out() -> None:
    true_ns = START_NS + np.round(np.arange(6000) * S / 198.3).astype(np.int64)
    placed = fed(counted(), np.arange(6000), in_order(true_ns, jitter(6000)))
    error = errors_ms(placed, true_ns)
    assert np.abs(error).max() < 15
    assert np.abs(error[1000:]).max() < 3
    steps = np.diff([p.host_ns for p in placed[1000:]]) / MS
    assert np.abs(steps - 1000 / 198.3).max() < 0.5  # arrivals wander by tens of them


def test_bursts_of_bluetooth_are_spread_again() -> None:
    true_ns = START_NS + np.arange(2000, dtype=np.int64) * 10 * MS
    arrivals = -(-(true_ns + 3 * MS) // (200 * MS)) * 200 * MS
    placed = fed(counted(), np.arange(2000), arrivals)
    assert {p.gap for p in placed} == {""}
    error = errors_ms(placed, true_ns)[300:]
    assert error.max() - error.min() < 15
    assert 0 < error.mean() < 25


def test_a_stall_after_which_nothing_is_missing_is_no_gap() -> None:
    true_ns = START_NS + np.arange(3000, dtype=np.int64) * 5 * MS
    arrivals = true_ns + MS
    stall = (true_ns > START_NS + 8 * S) & (true_ns < START_NS + 9 * S)
    arrivals[stall] = START_NS + 9 * S
    for clock, ticks in ((counted(), np.arange(3000)), (timed(), true_ns - START_NS)):
        placed = fed(clock, ticks, arrivals)
        assert [p.item for p in placed] == list(range(3000))
        assert {p.gap for p in placed} == {""}
        assert np.abs(errors_ms(placed, true_ns)).max() < 3


def test_lost_readings_of_a_count_show_as_a_gap_with_true_times_after_it() -> None:
    true_ns = START_NS + np.arange(3000, dtype=np.int64) * 5 * MS
    kept = np.r_[0:1500, 1580:3000]  # 0.4 s are lost
    placed = fed(counted(), np.arange(len(kept)), true_ns[kept] + MS)
    assert [(p.item, p.gap) for p in placed if p.gap] == [(1500, "0.40 s of readings are missing")]
    assert np.abs(errors_ms(placed, true_ns[kept])).max() < 3


def test_a_silence_of_a_device_that_tells_the_time_is_marked_and_its_clock_kept() -> None:
    true_ns = START_NS + np.r_[0:1000, 1400:2400].astype(np.int64) * 5 * MS
    placed = fed(timed(), true_ns - START_NS, true_ns + MS)
    assert [(p.item, p.gap) for p in placed if p.gap] == [
        (1000, "the device was silent for 2.00 s")
    ]
    assert np.abs(errors_ms(placed, true_ns)).max() < 3


@pytest.mark.parametrize(
    ("jump_s", "gap"),
    [
        (-100, "the device began anew"),
        (20, "the device's clock jumped by 20.00 s"),
    ],
)
def test_a_clock_that_is_set_begins_a_new_fit(jump_s: int, gap: str) -> None:
    true_ns = START_NS + np.arange(3000, dtype=np.int64) * 5 * MS
    ticks = true_ns - START_NS + 200 * S
    ticks[2000:] += jump_s * S
    placed = fed(timed(), ticks, true_ns + MS)
    assert [p.item for p in placed] == list(range(3000))
    assert [(p.item, p.gap) for p in placed if p.gap] == [(2000, gap)]
    assert np.abs(errors_ms(placed, true_ns)).max() < 3


def test_one_impossible_stamp_is_dropped_and_moves_nothing() -> None:
    true_ns = START_NS + np.arange(2000, dtype=np.int64) * 5 * MS
    for wrong in (-5 * S, 5 * S):
        ticks = true_ns - START_NS + 10 * S
        ticks[1200] += wrong
        clock = timed()
        placed = fed(clock, ticks, true_ns + MS)
        assert [p.item for p in placed] == [n for n in range(2000) if n != 1200]
        assert clock.dropped == 1
        assert {p.gap for p in placed} == {""}
        assert np.abs(errors_ms(placed, true_ns)).max() < 3


def test_a_slow_first_second_is_corrected_without_stepping_back() -> None:
    true_ns = START_NS + np.arange(4000, dtype=np.int64) * 5 * MS
    delays = np.where(true_ns < START_NS + S, 80 * MS, MS)
    placed = fed(timed(), true_ns - START_NS, in_order(true_ns, delays))
    assert errors_ms(placed, true_ns)[0] > 70
    assert errors_ms(placed, true_ns)[-1] < 3
    assert (np.diff([p.host_ns for p in placed]) > 0).all()


def test_items_wait_until_the_first_line_is_settled_or_the_device_is_gone() -> None:
    clock = timed(settle_s=0.5)
    for n in range(50):
        assert clock.place(n * 10 * MS, START_NS + n * 10 * MS, n) == []
    assert len(clock.place(500 * MS, START_NS + 500 * MS, 50)) == 51
    late = timed()
    assert late.place(5, START_NS, 0) == []
    assert [(p.item, p.host_ns) for p in late.flush()] == [(0, START_NS)]
    assert late.flush() == []


def test_a_restart_marks_the_next_item() -> None:
    clock = timed(settle_s=0.05)
    for n in range(100):
        clock.place(n * 10 * MS, START_NS + n * 10 * MS, n)
    assert clock.restart("an overflow") == []
    later = START_NS + 3 * S
    placed = []
    for n in range(100, 110):
        placed += clock.place(n * 10 * MS, later + n * 10 * MS, n)
    assert [p.gap for p in placed] == ["an overflow"] + [""] * 9
    assert placed[0].host_ns == later + S


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-(2**62), 2**62), st.integers(0, 10**10)), max_size=60),
    st.booleans(),
)
def test_whatever_comes_each_item_comes_out_once_at_most_and_in_order(
    points: list[tuple[int, int]], known_rate: bool
) -> None:
    clock = timed() if known_rate else counted()
    arrivals = np.cumsum([START_NS] + [step for _, step in points])[1:]
    placed = fed(clock, np.array([t for t, _ in points], np.int64), arrivals.astype(np.int64))
    items = [p.item for p in placed]
    assert items == sorted(set(items))
    assert len(items) + clock.dropped == len(points)
    for before, after in itertools.pairwise(placed):
        assert after.gap or after.host_ns >= before.host_ns


def sides_of(clock: DeviceClock[int], side: dict[int, int]) -> set[int]:
    """On which sides of jumps the points lie that the line is fitted to."""
    return {side[point.arrival_ns] for point in clock.points}


@pytest.mark.parametrize(
    ("jump_s", "within"), [(15.0, 2), (-12.0, 2), (0.3, 2), (-0.3, 8), (-400.0, 2)]
)
@pytest.mark.parametrize("at", [60, 2000])
@pytest.mark.parametrize("burst_ms", [0, 40])
def test_a_jump_is_found_with_the_second_reading_and_no_line_spans_it(
    jump_s: float, within: int, at: int, burst_ms: int
) -> None:
    true_ns = START_NS + np.arange(3000, dtype=np.int64) * 5 * MS
    ticks = true_ns - START_NS + 500 * S
    ticks[at:] += round(jump_s * S)
    arrivals = in_order(true_ns, jitter(3000, scale_ms=2))
    if burst_ms:
        arrivals = -(-arrivals // (burst_ms * MS)) * burst_ms * MS
    arrivals = arrivals + np.arange(3000)  # each tells its side
    side = {int(arrival): int(n >= at) for n, arrival in enumerate(arrivals)}
    clock, placed, found = timed(late_s=0.5), [], None
    for n, (tick, arrival) in enumerate(zip(ticks.tolist(), arrivals.tolist(), strict=True)):
        settled = clock.place(tick, arrival, n)
        assert not settled or len(sides_of(clock, side)) == 1
        placed += settled
        if found is None and clock.jumps:
            found = n - at + 1
    assert found is not None
    settling = at * 5 * MS < 0.5 * S  # the first line is awaited then, and tells
    assert found <= (100 if settling else within)
    assert clock.jumps == 1
    assert [p.item for p in placed] == list(range(3000))
    assert [p.item for p in placed if p.gap] == [at]
    assert np.abs(errors_ms(placed, true_ns)).max() < 15
    assert (np.diff([p.host_ns for p in placed]) >= 0).all()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    loss=st.floats(0, 0.3),
    twice=st.floats(0, 0.2),
    jitter_ms=st.floats(0, 20),
    jumps_s=st.lists(st.floats(-20, 20).filter(lambda s: abs(s) > 0.2), max_size=3),
)
def test_loss_repeats_and_jumps_never_turn_time_back_nor_move_it_far(
    seed: int, loss: float, twice: float, jitter_ms: float, jumps_s: list[float]
) -> None:
    rng = np.random.default_rng(seed)
    true_ns = START_NS + np.arange(3000, dtype=np.int64) * 5 * MS
    ticks = true_ns - START_NS + 500 * S
    for i, jump_s in enumerate(jumps_s):
        ticks[700 * (i + 1) :] += round(jump_s * S)
    arrivals = in_order(true_ns, (rng.uniform(0, jitter_ms, 3000) * MS).astype(np.int64))
    came = np.repeat(np.arange(3000), (rng.random(3000) >= loss) * (1 + (rng.random(3000) < twice)))
    clock = timed(late_s=0.5)
    placed = fed(clock, ticks[came], arrivals[came])
    assert clock.jumps == len(jumps_s)
    assert len(placed) + clock.dropped == len(came)
    assert len(placed) > 0.99 * len(came)
    assert np.abs(errors_ms(placed, true_ns[came])).max() < jitter_ms + 1
    assert (np.diff([p.host_ns for p in placed]) >= 0).all()


def test_readings_that_were_overtaken_are_dropped_and_counted_and_are_no_jump() -> None:
    true_ns = START_NS + np.arange(4000, dtype=np.int64) * 5 * MS
    arrivals = true_ns + np.random.default_rng(3).integers(0, 12 * MS, 4000)
    order = np.argsort(arrivals, kind="stable")
    clock = timed(late_s=0.5)
    placed = fed(clock, (true_ns - START_NS)[order], arrivals[order])
    assert (clock.jumps, {p.gap for p in placed}) == (0, {""})
    assert 0 < clock.dropped == 4000 - len(placed)
    items = order[[p.item for p in placed]]
    assert (np.diff(items) > 0).all()
    assert np.abs((np.array([p.host_ns for p in placed]) - true_ns[items]) / MS).max() < 13


def test_a_backlog_that_drains_slowly_is_waited_for() -> None:
    true_ns = START_NS + np.arange(6000, dtype=np.int64) * 5 * MS
    arrivals = true_ns + MS
    for n in range(2000, 6000):  # nothing for a second, then a reading every 3 ms
        arrivals[n] = max(arrivals[n], arrivals[n - 1] + 3 * MS, START_NS + 11 * S)
    for clock, ticks in (
        (counted(), np.arange(6000)),
        (timed(late_s=0.5), true_ns - START_NS),
    ):
        placed = fed(clock, ticks, arrivals)
        assert [p.item for p in placed] == list(range(6000))
        assert {p.gap for p in placed} == {""}
        assert np.abs(errors_ms(placed, true_ns)).max() < 8


def test_a_flood_of_impossible_stamps_costs_no_more_than_as_many_good_ones() -> None:
    clock, fits = timed(late_s=0.5), []
    true_fit = clock._follows
    clock._follows = lambda a, b: fits.append(1) or true_fit(a, b)  # type: ignore[method-assign, func-returns-value]
    for n in range(200):
        clock.place(n * 5 * MS, START_NS + n * 5 * MS, n)
    fits.clear()
    for n in range(20_000):  # all within the time that is waited for the next good one
        clock.place(-(n % 2) * 10**18, START_NS + S + n * 1000, n)
    assert len(fits) <= 4 * 20_000
