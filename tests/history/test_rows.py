from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bindstream.history.rows import (
    DETAILS,
    VECTOR,
    halves_of,
    schema,
    to_embeddings,
    to_table,
    widened,
)
from bindstream.records import Embedding
from tests.history.windows import DIM, MODEL, halved, same, unit, window

names = st.text("abc-_9", min_size=1, max_size=8)
int64 = st.integers(-(2**63), 2**63 - 1)
embeddings = st.builds(
    Embedding,
    stream=names,
    modality=st.sampled_from(["vision", "audio", "imu"]),
    seq=st.integers(0, 2**62),
    start_ns=int64,
    end_ns=int64,
    vector=st.integers(0, 9).map(unit),
    model=st.just(MODEL),
    coverage=st.floats(0, 1),
    uncertainty_ns=st.integers(0, 2**62),
    clock=st.text(max_size=20),
    readings=st.dictionaries(st.text(max_size=9), st.floats(allow_nan=False), max_size=3),
    same_as=st.none() | st.integers(0, 2**62),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(embeddings, min_size=1, max_size=5))
def test_a_window_comes_back_as_it_was_but_for_its_vectors_precision(
    given: list[Embedding],
) -> None:
    table = to_table([(7, each) for each in given], MODEL)
    assert table.schema.equals(schema(MODEL, DIM), check_metadata=True)
    back = [e for batch in table.to_batches() for e in to_embeddings(batch, MODEL)]
    assert len(back) == len(given)
    assert all(same(a, halved(b)) for a, b in zip(back, given, strict=True))
    assert table.column("run_ns").to_pylist() == [7] * len(given)


def test_a_reading_that_is_no_number_stays_none() -> None:
    table = to_table([(0, window(readings={"max_c": float("nan"), "min_c": float("inf")}))], MODEL)
    (back,) = to_embeddings(table.to_batches()[0], MODEL)
    assert np.isnan(back.readings["max_c"])
    assert back.readings["min_c"] == float("inf")


def test_columns_are_those_that_are_named() -> None:
    assert schema(MODEL, DIM).names == [*DETAILS, VECTOR]


def test_every_finite_half_is_widened_exactly() -> None:
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    halves = every[np.isfinite(every)].reshape(-1, 16)
    expected = halves.astype(np.float32)
    assert np.array_equal(widened(halves).view(np.uint32), expected.view(np.uint32))
    out = np.empty(halves.shape, np.float32)
    assert widened(halves, out) is out
    assert np.array_equal(out, expected)


def test_the_vectors_of_a_part_of_a_batch_are_its_own() -> None:
    table = to_table([(0, window(seq=i)) for i in range(10)], MODEL)
    batch = table.to_batches()[0].slice(3, 4)
    expected = np.stack([unit(i) for i in range(3, 7)]).astype(np.float16)
    assert np.array_equal(halves_of(batch), expected)
