"""The offset of two hosts: within what it says, without a step, and found again after sleep."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindstream.clocks.offset import PARTED_NS, Exchange, HostOffset

S, MS, US = 1_000_000_000, 1_000_000, 1_000
NOW = 1_790_000_000 * S
UNKNOWN = 60 * S


def exchanged(
    rng: np.random.Generator, at_ns: int, ahead_ns: int, out_ms: float, back_ms: float
) -> Exchange:
    """The best of a burst of eight, on ways that delay exponentially by so much, unlike."""
    best = None
    for _ in range(8):
        out_ns, back_ns = (round((0.2 + rng.exponential(ms)) * MS) for ms in (out_ms, back_ms))
        received_ns = at_ns + out_ns + ahead_ns
        made = Exchange.of(
            at_ns, received_ns, received_ns + 20 * US, at_ns + out_ns + 20 * US + back_ns
        )
        assert made is not None
        if best is None or made.round_trip_ns < best.round_trip_ns:
            best = made
    assert best is not None
    return best


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    ahead_s=st.floats(-(10**6), 10**6),
    ppm=st.floats(-100, 100),
    out_ms=st.floats(0.05, 10),
    back_ms=st.floats(0.05, 10),
)
def test_the_offset_lies_within_what_it_says_and_times_never_go_back(
    seed: int, ahead_s: float, ppm: float, out_ms: float, back_ms: float
) -> None:
    rng, line = np.random.default_rng(seed), HostOffset(UNKNOWN)
    last_ns = 0
    for step in range(4 * 120):  # a burst every 4 s for 8 minutes, looked at four times a burst
        at_ns = NOW + step * S
        ahead_ns = round(ahead_s * S + (at_ns - NOW) * ppm * 1e-6)
        if step % 4 == 0:
            line.push(exchanged(rng, at_ns, ahead_ns, out_ms, back_ms))
        got = line.at(at_ns + 20 * MS)
        assert abs(got.offset_ns - ahead_ns) <= got.uncertainty_ns + US
        assert at_ns + got.offset_ns > last_ns
        last_ns = at_ns + got.offset_ns
    assert line.parted == 0
    assert got.uncertainty_ns < (out_ms + back_ms + 2) * MS


def test_a_host_3_7_s_off_and_80_ppm_fast_is_met_within_half_a_millisecond() -> None:
    rng, line = np.random.default_rng(7), HostOffset(UNKNOWN)
    assert line.at(NOW) == HostOffset(UNKNOWN).at(NOW + 9)
    off_us = []
    for step in range(150):
        at_ns = NOW + step * 4 * S
        ahead_ns = 3_700 * MS + (at_ns - NOW) * 80 // 10**6
        line.push(exchanged(rng, at_ns, ahead_ns, 1, 4))
        off_us.append((line.at(at_ns + 20 * MS).offset_ns - ahead_ns) / US)
    assert np.abs(off_us[3:]).max() < 1500
    assert np.percentile(np.abs(off_us[15:]), 95) < 500
    # Nothing is heard for ten minutes: the drift is carried on, and the doubt grows.
    later_ns = NOW + 1200 * S
    got = line.at(later_ns)
    off_ns = abs(got.offset_ns - 3_700 * MS - 1200 * S * 80 // 10**6)
    assert off_ns <= got.uncertainty_ns
    assert 5 * MS < got.uncertainty_ns < 40 * MS


def test_clocks_that_parted_are_said_and_met_anew_at_once() -> None:
    rng, line = np.random.default_rng(2), HostOffset(UNKNOWN)
    for step in range(40):
        line.push(exchanged(rng, NOW + step * 4 * S, 3_700 * MS, 1, 1))
        line.at(NOW + step * 4 * S)
    at_ns = NOW + 200 * S
    line.push(exchanged(rng, at_ns, 93_700 * MS, 1, 1))
    assert line.parted == 1
    assert "parted by 90.0" in line.parting
    assert abs(line.at(at_ns).offset_ns - 93_700 * MS) < 2 * MS


def test_a_slow_answer_after_many_fast_ones_moves_little_and_parts_nothing() -> None:
    rng, line = np.random.default_rng(3), HostOffset(UNKNOWN)
    for step in range(20):
        line.push(exchanged(rng, NOW + step * 4 * S, 0, 0.1, 0.1))
    before = line.at(NOW + 77 * S)
    line.push(Exchange(NOW + 80 * S, 60 * MS, 120 * MS))
    assert line.parted == 0
    assert abs(line.at(NOW + 80 * S).offset_ns - before.offset_ns) < 0.1 * MS
    assert 60 * MS + before.uncertainty_ns > PARTED_NS  # it would have, were it not so slow


@pytest.mark.parametrize(
    "stamps",
    [
        (0, 10, 5, 20),  # answered before it was received
        (0, 0, 100, 20),  # held for longer than it was away
        (20, 0, 0, 0),  # back before it was sent
        (0, 2**62, 2**62, 0),  # of no host's clock
    ],
)
def test_answers_that_cannot_be_are_none(stamps: tuple[int, int, int, int]) -> None:
    assert Exchange.of(*stamps) is None
