"""How long a backtest takes of what streams gave, from the history to its events and its cut.

    OMP_NUM_THREADS=1 python bench/backtesting.py [--hours 24] [--streams 4] [--dim 256]

Writes drawn vectors, one a second, to a history in a temporary folder: a room that drifts, with an
event every ten minutes or so. Then tries a query on all of it. Prints the time that takes (elapsed,
and of the core), beside the floor: reading the vectors and one product with the query's.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bindstream.backtest import backtest
from bindstream.config import HistoryConfig, QueryConfig
from bindstream.history import History
from bindstream.history.computed import computed
from bindstream.history.writer import writer_for
from bindstream.matcher import Query
from bindstream.records import Embedding

PHRASES = 200  # as many as the starter contrasts a sound with
EVENT_EVERY = 600
SECOND_NS = 10**9


def unit(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32)


def given(name: str, seconds: int, dim: int, event: NDArray[np.float32]) -> Iterator[Embedding]:
    """What a stream gave, ending now."""
    rng = np.random.default_rng(len(name) + ord(name[-1]))
    room = unit(rng.standard_normal(dim))
    begun_ns = (time.time_ns() // SECOND_NS - seconds) * SECOND_NS
    for k in range(seconds):
        room = unit(room + 0.002 * rng.standard_normal(dim))
        vector = room + 0.02 * rng.standard_normal(dim)
        if rng.random() < 1 / EVENT_EVERY:
            vector = vector + rng.uniform(0.2, 1) * event
        at_ns = begun_ns + k * SECOND_NS
        yield Embedding(name, "audio", k, at_ns, at_ns + 2 * SECOND_NS, unit(vector), "bench")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--streams", type=int, default=4)
    parser.add_argument("--dim", type=int, default=256)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    event, phrases = (
        unit(rng.standard_normal(options.dim)),
        rng.standard_normal((PHRASES, options.dim)),
    )
    config = QueryConfig(text=("glass breaking",))
    query = Query(config, event, np.zeros((0, options.dim), np.float32), "bench")
    names = [f"stream-{k}" for k in range(options.streams)]
    with tempfile.TemporaryDirectory() as folder:
        writer = writer_for(HistoryConfig(path=Path(folder)), time.time_ns())
        seconds = round(options.hours * 3600)
        for together in zip(
            *(given(name, seconds, options.dim, event) for name in names), strict=True
        ):
            for embedding in together:
                writer.push(embedding)
            if embedding.seq % 1000 == 0:
                writer.due(embedding.start_ns)
        writer.close(time.time_ns())
        history = History(Path(folder))
        floor_s = time.perf_counter()
        for name in names:
            for _, _, vectors in computed(history, "bench", name, 0, 2**62):
                vectors @ event
        floor_s = time.perf_counter() - floor_s
        elapsed_s, core_s = time.perf_counter(), time.process_time()
        found = [
            backtest(query, unit(phrases), name, computed(history, "bench", name, 0, 2**62))
            for name in names
        ]
        elapsed_s, core_s = time.perf_counter() - elapsed_s, time.process_time() - core_s
    windows = sum(len(each.series) for each in found)
    print(f"{options.streams} streams, {options.hours:g} h each: {windows} windows")
    print(f"backtest {elapsed_s:.1f} s ({core_s:.1f} s of the core), {elapsed_s / floor_s:.1f} x")
    print(f"reading and one product alone: {floor_s:.1f} s")
    for each in found:
        print(f"{each.stream}: {len(each.found)} events, {each.promise}")


if __name__ == "__main__":
    main()
