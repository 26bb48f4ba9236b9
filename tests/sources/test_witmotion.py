"""WitMotion frames: pairs, sums, sliding, the Bluetooth variant; any bytes, cut anyhow."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindstream.sources.imu_reading import Reading
from bindstream.sources.witmotion import WitMotionParser

ACCEL, GYRO, ANGLE = 0x51, 0x52, 0x53


def frame(kind: int, *values: int) -> bytes:
    body = struct.pack("<BB4h", 0x55, kind, *values, *[0] * (4 - len(values)))
    return body + bytes([sum(body) & 0xFF])


def bluetooth(*values: int) -> bytes:
    return struct.pack("<BB9h", 0x55, 0x61, *values, *[0] * (9 - len(values)))


def pair(n: int = 1) -> bytes:
    return frame(ACCEL, n, 2, 2048) + frame(GYRO, 3, 4, 5)


def parsed(data: bytes, size: int | None = None) -> tuple[list[Reading], WitMotionParser]:
    """What a parser makes of `data` given at one go, or in pieces of `size`."""
    parser = WitMotionParser()
    readings = []
    for at in range(0, len(data), size or max(len(data), 1)):
        readings += parser.push(data[at : at + (size or len(data))])
    return readings, parser


def test_a_pair_of_frames_is_a_reading_in_si_units() -> None:
    # The protocol's own figures: 32768 is 16 g and 2000 °/s.
    data = frame(ACCEL, 16384, -2048, 2048) + frame(GYRO, 16384, -32768, 0)
    (reading,), _ = parsed(data)
    assert reading.values[:3] == pytest.approx((8 * 9.80665, -9.80665, 9.80665))
    assert reading.values[3:] == pytest.approx((math.radians(1000), -math.radians(2000), 0))
    assert reading.time_ns is None


def test_other_frames_between_are_passed_over() -> None:
    data = frame(0x50, 1, 2, 3, 4) + frame(ACCEL) + frame(ANGLE, 9) + frame(GYRO) + frame(0x54)
    readings, parser = parsed(data)
    assert len(readings) == 1
    assert not parser.counts


def test_a_frame_head_within_a_payload_does_not_mislead() -> None:
    tricky = frame(ACCEL, 0x5155, 0x5255, 0x5555) + frame(GYRO, 0x5155, 0x5255, 0x5155)
    for skipped in range(11):
        readings, _ = parsed((tricky * 20)[skipped:])
        assert len(readings) >= 18
        assert set(readings[1:]) == {readings[-1]}


def test_a_spoilt_frame_costs_its_own_reading_alone() -> None:
    data = bytearray(pair(1) + pair(2) + pair(3))
    data[22 + 5] ^= 0x10
    readings, parser = parsed(bytes(data))
    assert [round(r.values[0] / (16 * 9.80665 / 32768)) for r in readings] == [1, 3]
    assert [r.lost for r in readings] == [0, 1]
    assert parser.counts["bad sums"] >= 1
    assert parser.counts["unpaired"] == 1


def test_bytes_that_are_missing_cost_one_reading() -> None:
    data = pair(1) + pair(2)[:7] + pair(3) + pair(4)
    readings, _ = parsed(data)
    assert len(readings) == 3


def test_bluetooth_frames_need_no_sum_but_a_successor() -> None:
    data = bluetooth(2048, 0, 0, 16384) * 3
    readings, parser = parsed(data)
    assert len(readings) == 3
    assert readings[0].values[0] == pytest.approx(9.80665)
    assert readings[0].values[3] == pytest.approx(math.radians(1000))
    assert not parser.counts
    assert parsed(bluetooth(2048) + bytes(22))[0] == []


def test_noise_holds_few_frames() -> None:
    noise = np.random.default_rng(0).integers(0, 256, 100_000, np.uint8).tobytes()
    readings, parser = parsed(noise)
    assert len(readings) <= 2
    assert parser.counts["bad sums"] > 10


bits = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([pair(), pair(-1), bluetooth(1), b"\x55", b"\x55\x51", b"\x55\x61"]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(bits, max_size=12), st.integers(1, 30))
def test_any_bytes_cut_anyhow_give_the_same_readings(parts: list[bytes], size: int) -> None:
    data = b"".join(parts)
    whole, whole_parser = parsed(data)
    cut, cut_parser = parsed(data, size)
    assert whole == cut
    assert whole_parser.counts == cut_parser.counts
    assert all(np.isfinite(r.values).all() and len(r.values) == 6 for r in whole)
