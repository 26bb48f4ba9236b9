"""Blocks become even pieces at 16 kHz: same sound, true and seamless times, marked gaps."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bindstream.sources.sound_pieces import PIECE, Piece, SoundPieces

pytest.importorskip("soxr")
START_NS = 1_700_000_000_000_000_000
RATES_HZ = (8000, 16000, 44100, 48000, 96000)


def tone(rate_hz: int, seconds: float, first_s: float = 0.0) -> NDArray[np.float32]:
    t = first_s + np.arange(round(rate_hz * seconds)) / rate_hz
    return (0.5 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)


def cut(rate_hz: int, sound: NDArray[np.float32], sizes: list[int]) -> list[Piece]:
    """`sound`, pushed in blocks of these sizes over and over, with a device 1 % slow."""
    pieces = SoundPieces(rate_hz)
    out, at = [], 0
    for size in itertools.cycle(sizes):
        block = sound[at : at + size]
        if not len(block):
            return out + pieces.flush()
        start_ns, end_ns = (START_NS + round(n * 1.01e9 / rate_hz) for n in (at, at + len(block)))
        out += pieces.push(block, start_ns, end_ns)
        at += size
    raise AssertionError


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_the_sound_is_the_same_at_16_khz(rate_hz: int) -> None:
    out = cut(rate_hz, tone(rate_hz, 2.0), [rate_hz // 50])
    data = np.concatenate([piece.data for piece in out])
    assert abs(len(data) - 32000) <= 1
    assert {p.data.dtype for p in out} == {np.dtype(np.float32)}
    assert {len(p.data) for p in out[:-1]} == {PIECE}
    inner = slice(500, -500)  # the resampler rings where the sound begins and ends
    np.testing.assert_allclose(data[inner], tone(16000, 2.0)[: len(data)][inner], atol=1e-3)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_times_are_those_of_the_input_whatever_the_resampler_keeps_back(rate_hz: int) -> None:
    out = cut(rate_hz, tone(rate_hz, 2.0), [rate_hz // 50])
    for n, piece in enumerate(out):
        assert abs(piece.start_ns - START_NS - n * 101_000_000) < 100_000
    assert abs(out[-1].end_ns - START_NS - 2_020_000_000) < 100_000


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(RATES_HZ),
    st.lists(st.integers(1, 3000), min_size=1, max_size=8),
    st.integers(1, 12000),
)
def test_pieces_have_no_seams_however_the_sound_was_cut(
    rate_hz: int, sizes: list[int], length: int
) -> None:
    sound = tone(rate_hz, length / rate_hz)
    out = cut(rate_hz, sound, sizes)
    for before, after in itertools.pairwise(out):
        assert before.end_ns == after.start_ns
    whole = cut(rate_hz, sound, [length])
    data = np.concatenate([np.zeros(0), *(p.data for p in out)])
    np.testing.assert_allclose(
        data, np.concatenate([np.zeros(0), *(p.data for p in whole)]), atol=2e-4
    )
    assert abs(len(data) - length * 16000 / rate_hz) <= 1


def test_a_gap_ends_a_piece_and_marks_the_next_at_its_own_time() -> None:
    pieces = SoundPieces(48000)
    out = []
    for n in range(8):
        start_ns = START_NS + n * 20_000_000 + (5_000_000_000 if n >= 3 else 0)
        gap = "an overflow" if n == 3 else ""
        out += pieces.push(tone(48000, 0.02), start_ns, start_ns + 20_000_000, gap)
    out += pieces.flush()
    assert [len(p.data) for p in out] == [960, 1600]
    assert [p.gap for p in out] == ["", "an overflow"]
    assert out[0].end_ns == START_NS + 60_000_000
    assert out[1].start_ns == START_NS + 5_060_000_000


def test_what_swings_over_in_resampling_is_clipped() -> None:
    square = np.sign(tone(48000, 0.5) + np.float32(1e-9))
    data = np.concatenate([p.data for p in cut(48000, square, [960])])
    assert np.abs(data).max() == 1
