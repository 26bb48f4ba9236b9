"""The ring gives back what was written, and says what it could not keep."""

from __future__ import annotations

import time

import numpy as np

from bindstream.sources.sound_ring import SoundRing


def block(first: int, size: int) -> np.ndarray:
    ramp = np.arange(first, first + size, dtype=np.float32)
    return np.stack([ramp, -ramp], axis=1)


def test_blocks_come_back_in_order_around_the_end_of_the_ring() -> None:
    ring = SoundRing(100, 2)
    written = 0
    for _ in range(20):
        for size in (7, 13, 30):
            ring.write(block(written, size), 0.0, False)
            written += size
        blocks = ring.read(48000)
        assert [len(b.data) for b in blocks] == [7, 13, 30]
        assert blocks[-1].end == written == ring.written
        np.testing.assert_array_equal(
            np.concatenate([b.data for b in blocks]), block(written - 50, 50)
        )
        assert not any(b.lost for b in blocks)
    assert ring.read(48000) == []


def test_what_was_overwritten_before_it_was_read_is_told() -> None:
    ring = SoundRing(100, 2)
    for n in range(15):
        ring.write(block(n * 10, 10), 0.0, False)
    blocks = ring.read(48000)
    assert [b.end for b in blocks] == list(range(60, 160, 10))
    assert [b.lost for b in blocks] == [True] + [False] * 9


def test_an_overflow_is_handed_on() -> None:
    ring = SoundRing(100, 2)
    ring.write(block(0, 10), 0.0, False)
    ring.write(block(10, 10), 0.0, True)
    assert [b.lost for b in ring.read(48000)] == [False, True]


def test_a_drivers_time_stamp_is_believed_only_where_it_can_be_true() -> None:
    before_ns = time.monotonic_ns()
    ring = SoundRing(1000, 2)
    for lag_s in (0.5, 0.1, 0.0, -3.0, 2.0, float("nan")):
        ring.write(block(0, 100), lag_s, False)
    late_ns = [b.arrival_ns - before_ns for b in ring.read(1000)]
    # The block is 0.1 s long: that it began 0.5 s ago means that it ended 0.4 s ago.
    assert -400_000_000 <= late_ns[0] < -300_000_000
    assert all(0 <= late < 100_000_000 for late in late_ns[1:])
