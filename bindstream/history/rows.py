"""A window as a row of a table, and back. Vectors are kept as float16.

A unit vector's values are off by at most 2⁻¹² of themselves then, its cosines by about 1e-4: far
less than two computations of the same window in bfloat16 differ.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bindstream.records import Embedding

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = "1"
"""Of a row; raised when older versions could not read it."""
VECTOR = "vector"
Halves = NDArray[np.float16]
Vectors = NDArray[np.float32]
Times = NDArray[np.int64]

_SIGN_AND_NUMBER = np.int32(-0x70000001)  # all bits but the three uppermost of the exponent
_TO_FLOAT32_BIAS = np.float32(2.0**112)  # exponents of float32 count from 127, of float16 from 15


def schema(model: str, dim: int) -> pa.Schema:
    """Of windows of `model`: times in UTC ns, `run_ns` the beginning of the run that numbered them
    by `seq`, `readings` JSON, `vector` (dim,) float16 of unit length."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("stream", pa.string()),
            pa.field("modality", pa.string()),
            pa.field("run_ns", pa.int64()),
            pa.field("seq", pa.int64()),
            pa.field("start_ns", pa.int64()),
            pa.field("end_ns", pa.int64()),
            pa.field("coverage", pa.float64()),
            pa.field("uncertainty_ns", pa.int64()),
            pa.field("clock", pa.string()),
            pa.field("same_as", pa.int64()),
            pa.field("readings", pa.string()),
            pa.field(VECTOR, pa.list_(pa.float16(), dim)),
        ],
        metadata={"model": model, "format": FORMAT},
    )


DETAILS = (
    *("stream", "modality", "run_ns", "seq", "start_ns", "end_ns"),
    *("coverage", "uncertainty_ns", "clock", "same_as", "readings"),
)
"""All columns but the vector."""


def to_table(windows: Sequence[tuple[int, Embedding]], model: str) -> pa.Table:
    """Rows of windows, each with its `run_ns`; all of `model` and of one dimension."""
    import pyarrow as pa

    dim = len(windows[0][1].vector)
    vectors = np.stack([e.vector for _, e in windows]).astype(np.float16)
    columns: list[Any] = [
        [e.stream for _, e in windows],
        [e.modality for _, e in windows],
        [run_ns for run_ns, _ in windows],
        [e.seq for _, e in windows],
        [e.start_ns for _, e in windows],
        [e.end_ns for _, e in windows],
        [e.coverage for _, e in windows],
        [e.uncertainty_ns for _, e in windows],
        [e.clock for _, e in windows],
        [e.same_as for _, e in windows],
        [json.dumps(dict(e.readings)) if e.readings else "" for _, e in windows],
    ]
    kinds = schema(model, dim)
    arrays = [pa.array(c, kinds.field(i).type) for i, c in enumerate(columns)]
    arrays.append(pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), dim))
    return pa.Table.from_arrays(arrays, schema=kinds)


def to_embeddings(batch: pa.RecordBatch, model: str) -> list[Embedding]:
    """The windows of a batch with all columns; `stages` are not kept."""
    vectors = widened(halves_of(batch))
    return [
        Embedding(
            stream=row["stream"],
            modality=row["modality"],
            seq=row["seq"],
            start_ns=row["start_ns"],
            end_ns=row["end_ns"],
            vector=vector,
            model=model,
            coverage=row["coverage"],
            uncertainty_ns=row["uncertainty_ns"],
            clock=row["clock"],
            readings=json.loads(row["readings"] or "{}"),
            same_as=row["same_as"],
        )
        for row, vector in zip(batch.select(DETAILS).to_pylist(), vectors, strict=True)
    ]


def halves_of(batch: pa.RecordBatch) -> Halves:
    """The vectors of a batch, (n, dim) float16, not copied."""
    column = batch.column(VECTOR)
    flat: Halves = column.flatten().to_numpy(zero_copy_only=True)
    return flat.reshape(len(column), -1)


def numbers_of(batch: pa.RecordBatch, column: str) -> Times:
    """A column of whole numbers, (n,), copied: a view would keep all of the batch in memory."""
    return np.array(batch.column(column).to_numpy())


def widened(halves: Halves, out: Vectors | None = None) -> Vectors:
    """The same numbers as float32, exactly; all must be finite.

    Args:
        halves: (n, dim), contiguous.
        out: where they go, (n, dim); a new array if None.

    numpy converts one number at a time; moving the bits into place is six times as fast, and a
    search does little else.
    """
    wide = np.empty(halves.shape, np.float32) if out is None else out
    bits = wide.view(np.int32)
    np.copyto(bits, halves.view(np.int16))  # which copies the sign into all upper bits
    np.left_shift(bits, 13, out=bits)
    np.bitwise_and(bits, _SIGN_AND_NUMBER, out=bits)
    np.multiply(wide, _TO_FLOAT32_BIAS, out=wide)
    return wide
