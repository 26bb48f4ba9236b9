"""Stamps of senders with all kinds of clocks end up at the time of capture, or say how far off."""

from __future__ import annotations

import numpy as np

from bindstream.clocks.sender import (
    LEAST_UNCERTAINTY_NS,
    UNKNOWN_DELAY_NS,
    Placed,
    SenderClock,
)

S, MS = 1_000_000_000, 1_000_000
NOW = 1_790_000_000 * S


def place(
    stamps_ns: np.ndarray, arrivals_ns: np.ndarray, clock: SenderClock | None = None
) -> list[Placed]:
    clock = clock or SenderClock()
    return [clock.place(int(s), int(a)) for s, a in zip(stamps_ns, arrivals_ns, strict=True)]


def jittered(count: int, seed: int, fps: float = 30.0) -> tuple[np.ndarray, np.ndarray]:
    """Capture times, and arrivals 30 ms or more later."""
    captured = NOW + (np.arange(count) * S / fps).astype(np.int64)
    delay = 30 * MS + np.random.default_rng(seed).exponential(20 * MS, count)
    return captured, captured + delay.astype(np.int64)


def test_sender_in_step_with_utc_is_believed_within_its_least_delay() -> None:
    captured, arrivals = jittered(300, 1)
    placed = place(captured, arrivals)
    assert [p.capture_ns for p in placed] == captured.tolist()
    assert all(30 * MS <= p.uncertainty_ns < 150 * MS for p in placed)
    assert placed[-1].uncertainty_ns < 32 * MS
    assert {p.gap for p in placed} == {""}


def test_uncertainty_never_claims_more_than_clocks_on_a_network_can_do() -> None:
    assert SenderClock().place(NOW, NOW + MS).uncertainty_ns == LEAST_UNCERTAINTY_NS


def test_clock_since_boot_is_laid_on_the_least_delayed_arrival() -> None:
    captured, arrivals = jittered(600, 2)
    placed = place(captured - NOW + 77 * S, arrivals)
    late_ms = [(p.capture_ns - c) / MS for p, c in zip(placed, captured.tolist(), strict=True)]
    assert min(late_ms[100:]) >= 30
    assert max(late_ms[100:]) < 33, "jitter of the arrival must not be in the capture times"
    assert {p.uncertainty_ns for p in placed} == {UNKNOWN_DELAY_NS}
    assert {p.gap for p in placed} == {""}


def test_drift_of_100_ppm_is_followed() -> None:
    captured, arrivals = jittered(30 * 600, 3)
    stamps = ((captured - NOW) * (1 + 100e-6)).astype(np.int64)
    placed = place(stamps, arrivals)
    late_ms = [(p.capture_ns - c) / MS for p, c in zip(placed, captured.tolist(), strict=True)]
    assert all(25 < late < 40 for late in late_ms[1000:])


def test_sender_that_restarts_its_clock_is_marked_once_and_laid_anew() -> None:
    captured, arrivals = jittered(600, 4)
    stamps = captured - NOW + 500 * S
    stamps[300:] -= 480 * S
    placed = place(stamps, arrivals)
    gaps = [i for i, p in enumerate(placed) if p.gap]
    assert gaps == [301], "the second frame tells"
    assert "went back by 480.0 s" in placed[301].gap
    late_ms = [(p.capture_ns - c) / MS for p, c in zip(placed, captured.tolist(), strict=True)]
    assert min(late_ms) > 25
    assert max(late_ms[301:]) < 150
    assert late_ms[-1] < 60


def test_one_broken_stamp_moves_no_other_frame() -> None:
    captured, arrivals = jittered(600, 8)
    for wrong_s in (15, -15, 10**6, -(10**6)):
        for zero_ns in (0, NOW - 500 * S):
            stamps = captured - zero_ns
            right = place(stamps, arrivals)
            stamps[300] += wrong_s * S
            placed = place(stamps, arrivals)
            assert {p.gap for p in placed} == {""}
            assert abs(placed[300].capture_ns - int(captured[300])) < 200 * MS
            del right[300], placed[300]
            assert [p.capture_ns for p in placed] == [p.capture_ns for p in right]


def test_a_clock_that_stood_still_is_found_once_frames_are_late_for_long() -> None:
    captured, arrivals = jittered(900, 9)
    stamps = captured - NOW + 500 * S
    captured[300:] += 20 * S  # it slept, and its clock with it
    arrivals[300:] += 20 * S
    placed = place(stamps, arrivals)
    gaps = [i for i, p in enumerate(placed) if p.gap]
    assert len(gaps) == 1
    assert 300 <= gaps[0] <= 300 + 6 * 30
    assert "went back by 20.0 s" in placed[gaps[0]].gap


def test_sender_that_gets_the_time_is_marked_once_and_then_believed() -> None:
    captured, arrivals = jittered(400, 5)
    stamps = captured.copy()
    stamps[:200] -= NOW - 3 * S
    placed = place(stamps, arrivals)
    assert [i for i, p in enumerate(placed) if p.gap] == [201]
    assert "went forward" in placed[201].gap
    assert [p.capture_ns for p in placed[201:]] == captured[201:].tolist()


def test_frames_held_up_on_the_way_are_not_a_jump() -> None:
    captured, arrivals = jittered(600, 6)
    held = slice(300, 390)
    arrivals[held] = arrivals[389] + np.arange(90) * MS
    for stamps in (captured, captured - NOW):
        assert {p.gap for p in place(stamps, arrivals)} == {""}
