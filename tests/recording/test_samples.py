"""Whatever a sensor gives comes back as it was, with every time, mark and number that is none."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bindstream.recording.samples import Encoded, decode_sample, encode_sample
from bindstream.records import ModalityName, Sample
from tests.recording.made import BEGIN_NS, STREAMS, assert_same, sample

MOST_NS = 2**62


def back(given: Sample, encoded: Encoded) -> Sample:
    about = msgspec.json.decode(encoded.about)
    return decode_sample(given.stream, given.modality, about, [d for _, d in encoded.data])


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    modality: ModalityName = draw(st.sampled_from(["vision", "audio", "thermal", "depth", "imu"]))
    ns = st.integers(-(10**12), MOST_NS)
    times_ns = None
    data: Any
    any_float = st.floats(width=32, allow_nan=True, allow_infinity=True)
    if modality == "vision":
        sides = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
        data = draw(arrays.arrays(np.uint8, (*sides, 3)))
    elif modality == "audio":
        data = draw(arrays.arrays(np.float32, st.integers(0, 40), elements=any_float))
    elif modality == "imu":
        n = draw(st.integers(0, 5))
        data = draw(arrays.arrays(np.float32, (n, 6), elements=any_float))
        times_ns = draw(arrays.arrays(np.int64, n, elements=ns))
    else:
        counts = arrays.arrays(np.uint16, (3, 4))
        metres = counts.map(lambda c: (c * np.float64(0.001)).astype(np.float32))
        loose = arrays.arrays(np.float32, (3, 4), elements=any_float)
        data = draw(metres | loose)
    return Sample(
        "door",
        modality,
        data,
        draw(ns),
        draw(ns),
        draw(ns),
        uncertainty_ns=draw(st.integers(0, MOST_NS)),
        clock=draw(st.text(max_size=9)),
        times_ns=times_ns,
        gap=draw(st.text(max_size=9)),
        offset_ns=draw(st.integers(-(10**15), 10**15)),
    )


@settings(max_examples=150, deadline=None)
@drawn(samples())
def test_a_sample_comes_back_bit_for_bit_but_for_sound_which_has_16_bits(given: Sample) -> None:
    got = back(given, encode_sample(given, lossless=True))
    finite = given.modality == "audio" and bool(np.isfinite(given.data).all())
    assert_same(got, given, data=not finite)
    if finite:
        within = np.clip(given.data, -1, 1)
        np.testing.assert_allclose(got.data, within, atol=1.001 / 32768, rtol=0)


@settings(max_examples=30, deadline=None)
@drawn(samples())
def test_what_was_stored_once_is_stored_the_same_again(given: Sample) -> None:
    once = back(given, encode_sample(given, lossless=True))
    again = back(once, encode_sample(once, lossless=True))
    assert_same(again, once)


def test_sound_of_16_bits_is_exact() -> None:
    every = (np.arange(-32768, 32768) / 32768).astype(np.float32)
    given = dataclasses.replace(sample("kitchen", 0), data=every)
    assert_same(back(given, encode_sample(given)), given)


def test_a_jpeg_is_a_picture_of_the_same_size_and_near_colours() -> None:
    given = sample("door", 1)
    encoded = encode_sample(given, quality=95)
    got = back(given, encoded)
    assert_same(got, given, data=False)
    assert np.abs(got.data.astype(int) - given.data.astype(int)).mean() < 8
    assert len(encoded.data[0][1]) < given.data.nbytes


def test_depth_in_millimetres_takes_16_bits_a_pixel_and_any_other_depth_32() -> None:
    millimetres = sample("hall", 1)
    odd = dataclasses.replace(millimetres, data=millimetres.data + np.float32(0.0003))
    for given, bits in ((millimetres, 16), (odd, 32)):
        encoded = encode_sample(given)
        size = given.data.size * bits // 8
        assert size <= len(encoded.data[0][1]) < size + 100
        assert_same(back(given, encoded), given)


@pytest.mark.parametrize("stream", STREAMS)
def test_data_of_another_kind_than_the_modality_has_come_back_too(stream: str) -> None:
    for data in (np.zeros((0, 3), np.uint8), np.arange(6.0).reshape(1, 2, 3), np.zeros((2, 6))):
        given = dataclasses.replace(sample(stream, 0), data=data)
        assert_same(back(given, encode_sample(given)), given)


def test_a_sample_of_another_clock_is_filed_on_the_line_of_the_run() -> None:
    given = sample("wrist", 0, offset_ns=7_000)
    encoded = encode_sample(given)
    assert encoded.log_ns == BEGIN_NS + 7_000
    assert [log for log, _ in encoded.data][1] == BEGIN_NS + 10_000_000 + 7_000
    assert_same(back(given, encoded), given)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"shape": [2**20, 2**20]}, "shape"),
        ({"shape": [-1, 2]}, "shape"),
        ({"codec": "nothing"}, "codec"),
        ({"messages": 3}, "messages"),
    ],
)
def test_what_is_no_sample_is_refused_before_anything_is_made_of_it(
    changed: dict[str, object], why: str
) -> None:
    given = sample("stove", 0)
    encoded = encode_sample(given)
    about = {**msgspec.json.decode(encoded.about), **changed}
    with pytest.raises(ValueError, match=why):
        decode_sample("stove", "thermal", about, [d for _, d in encoded.data])
