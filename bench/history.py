"""The history of vectors: what it takes to write, keep and search it, and whether an index pays.

    python bench/history.py [--sizes 1e5,1e6] [--huge] [--dims 256,1024] [--index sq,pq] [--at DIR]

For each dimension, first what a run does: four streams, a window a second each, flushed every two
seconds; then an hour's files merged, a day made of its hours, and that day read back. For each
size, days of four streams are made up, and searched by brute force as `bindstream search` does:
without and with phrases to hold words against. With --index the same vectors go into one table with
an index (IVF_SQ, IVF_PQ), and what it finds for each stream is held against brute force. --huge
adds ten million vectors: 5 GB at 256 dimensions, 20 GB at 1024, the double with an index.

Vectors are seeded: each stream has scenes of its own, some frequent and most rare. A question is
either like a stored window, or like words: at an angle to everything.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from arguments import some_of
from memory import peak_bytes

from bindstream.history import History, Writer
from bindstream.history.parts import DAY_NS, HOUR_NS, Part, hour_of
from bindstream.history.rows import VECTOR, Vectors, schema
from bindstream.history.search import Question, Scope, score, search
from bindstream.history.store import Kind, Store
from bindstream.history.upkeep import FILES_MOST
from bindstream.records import Embedding

MODEL, STREAMS, SECOND_NS = "bench", ("door", "hall", "mic", "wrist"), 10**9
A_DAY = 86400 * len(STREAMS)
BEGUN_NS = 20_000 * DAY_NS
SCENES, PHRASES, TOP = 200, 16, 100
BATCH = 8192


class World:
    """Streams that perceive scenes of their own."""

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self._rng = np.random.default_rng(dim)
        self._modality = self._units(len(STREAMS))
        self.scenes = self._units(len(STREAMS) * SCENES).reshape(len(STREAMS), SCENES, dim)

    def _units(self, count: int) -> Vectors:
        some = self._rng.standard_normal((count, self.dim), dtype=np.float32)
        return some / np.linalg.norm(some, axis=1, keepdims=True)

    def windows(self, stream: int, count: int) -> Vectors:
        """Unit vectors (count, dim) of what a stream perceives one after the other."""
        scene = (self._rng.pareto(1.0, count) * 3).astype(int) % SCENES
        noise = self._rng.standard_normal((count, self.dim), dtype=np.float32) / self.dim**0.5
        some = self._modality[stream] + 0.7 * self.scenes[stream, scene] + 0.6 * noise
        return some / np.linalg.norm(some, axis=1, keepdims=True)

    def words(self, stream: int, scene: int) -> Vectors:
        """The vector of words for a scene: they share little with what sensors perceive."""
        some = self.scenes[stream, scene] + 0.8 * self._units(1)[0]
        return (some / np.linalg.norm(some)).astype(np.float32)

    def phrases(self) -> Vectors:
        return self._units(PHRASES)


def rows(world: World, begun_ns: int, count: int) -> Iterator[pa.RecordBatch]:
    """`count` windows of four streams from then on, in the order in which a day's table holds
    them."""
    columns = schema(MODEL, world.dim)
    for stream, name in enumerate(STREAMS):
        share = count // len(STREAMS)
        for first in range(0, share, BATCH):
            n = min(BATCH, share - first)
            starts = begun_ns + np.arange(first, first + n) * SECOND_NS
            seq = (starts - BEGUN_NS) // SECOND_NS
            halves = world.windows(stream, n).astype(np.float16)
            arrays = [
                *(pa.array([name] * n), pa.array(["vision"] * n)),
                *(pa.array(np.full(n, BEGUN_NS)), pa.array(seq), pa.array(starts)),
                *(pa.array(starts + 2 * SECOND_NS), pa.array(np.ones(n)), pa.array([0] * n)),
                *(pa.array(["host"] * n), pa.nulls(n, pa.int64()), pa.array([""] * n)),
                pa.FixedSizeListArray.from_arrays(pa.array(halves.ravel()), world.dim),
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=columns)


@dataclass(frozen=True)
class Measured:
    """What a step gave, and the seconds and processor seconds it took."""

    result: Any
    wall_s: float
    cpu_s: float

    def __str__(self) -> str:
        return f"{self.wall_s:.2f} s ({self.cpu_s:.2f} s of processor)"


def measured(step: Callable[[], Any]) -> Measured:
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    result = step()
    return Measured(result, time.perf_counter() - wall_s, time.process_time() - cpu_s)


def print_writing(world: World, folder: Path) -> None:
    """As many flushes as are merged at a time, then the merging."""
    writer = Writer(folder, BEGUN_NS, keep_days=36500, keep_bytes=10**12)
    writer.open()
    seconds = 2 * FILES_MOST
    given = [world.windows(stream, seconds) for stream in range(len(STREAMS))]
    pushes, flushes = [], []
    for second in range(seconds):
        start_ns = BEGUN_NS + second * SECOND_NS
        end_ns = start_ns + 2 * SECOND_NS
        for name, vectors in zip(STREAMS, given, strict=True):
            made = Embedding(name, "vision", second, start_ns, end_ns, vectors[second], MODEL)
            pushes.append(measured(partial(writer.push, made)).wall_s)
        if second % 2:
            flushes.append(measured(partial(writer.flush, start_ns)).wall_s)
    writer.close(BEGUN_NS)
    store, count = Store(folder), seconds * len(STREAMS)
    (hour,) = store.parts()
    before = store.size_bytes(hour) / count
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of readers that there are not
        merge = partial(store.open(hour).optimize, cleanup_older_than=timedelta(0))
        took = measured(merge)
    print(f"  push: {np.mean(pushes) * 1e6:.0f} µs a window")
    print(f"  flush of 8 windows: {np.mean(flushes) * 1e3:.1f} ms, {8 / np.mean(flushes):,.0f} a s")
    print(f"  merging {FILES_MOST} flushes: {took}")
    print(f"  bytes a vector: {before:,.0f}, merged {store.size_bytes(hour) / count:,.0f}")


def print_day(world: World, folder: Path) -> None:
    """A day of four streams, made of its hours and read back."""
    store = Store(folder)
    for hour in range(24):
        begun_ns = BEGUN_NS + hour * HOUR_NS
        some = rows(world, begun_ns, A_DAY // 24)
        store.create(hour_of(MODEL, begun_ns), Kind(MODEL, world.dim), some)
    writer = Writer(folder, BEGUN_NS, keep_days=36500, keep_bytes=10**12)
    writer.open()
    took = measured(partial(writer.tidy, BEGUN_NS + 2 * DAY_NS))
    writer.close(BEGUN_NS)
    size = store.size_bytes(store.parts()[0]) / A_DAY
    print(f"  a day of {A_DAY:,} windows made of its hours: {took}; {size:,.0f} bytes a vector")
    history = History(folder)
    took = measured(lambda: sum(len(b.seq) for name in STREAMS for b in history.read(MODEL, name)))
    print(f"  that day read back in order, {took.result:,} vectors: {took}")


def print_searching(world: World, folder: Path, size: int) -> None:
    store = Store(folder)

    def fill() -> None:
        for day, first in enumerate(range(0, size, A_DAY)):
            begun_ns = BEGUN_NS + day * DAY_NS
            some = rows(world, begun_ns, min(A_DAY, size - first))
            store.create(hour_of(MODEL, begun_ns).day, Kind(MODEL, world.dim), some)

    took = measured(fill)
    each = sum(map(store.size_bytes, store.parts())) / size
    print(f"{size:,} vectors of {world.dim}: {each:,.0f} bytes each, made in {took.wall_s:.0f} s")
    words = world.words(1, 7)
    for what, others in (
        ("words alone", {}),
        (f"with {PHRASES} phrases", {"vision": world.phrases()}),
    ):
        with ProcessPoolExecutor(1, get_context("spawn")) as fresh:
            times, peak = fresh.submit(searched, folder, Question(words, MODEL, others)).result()
        first, best = times[0], min(times, key=lambda took: took.wall_s)
        print(f"  brute force, {what}: {best}, first {first.wall_s:.2f} s, {peak / 2**20:,.0f} MiB")


def searched(folder: Path, question: Question) -> tuple[list[Measured], int]:
    """A question three times in a process of its own, and the most memory that took."""
    history = History(folder)
    times = [measured(partial(search, history, question, Scope())) for _ in range(3)]
    return [replace(each, result=None) for each in times], peak_bytes()


def print_index(world: World, folder: Path, size: int, kind: str) -> None:
    """One table of the same vectors with an index: what it costs, takes and misses."""
    import lancedb
    from lancedb.index import IvfPq, IvfSq

    store, beside = Store(folder), folder / "indexed"
    columns = pa.schema([schema(MODEL, world.dim).field(n) for n in ("stream", "seq", VECTOR)])
    parts = store.parts()
    scans = (b for part in parts for b in store.scan(part, ("stream", "seq", VECTOR)))
    table = lancedb.connect(beside).create_table(
        "all", data=pa.RecordBatchReader.from_batches(columns, scans)
    )
    plain = table.stats()["total_bytes"]
    config = IvfSq("dot") if kind == "sq" else IvfPq("dot", num_sub_vectors=world.dim // 8)
    took = measured(partial(table.create_index, VECTOR, config=config))
    grown = sum(f.stat().st_size for f in beside.rglob("*") if f.is_file()) / plain - 1
    print(f"  IVF_{kind.upper()}: built in {took}, {grown:.0%} more on disk")
    for what, questions in _questions(world).items():
        nearest = [_nearest(store, parts, vector) for vector in questions]
        for probes in (20, 100):
            asked = [measured(partial(_indexed, table, vector, probes)) for vector in questions]
            recalls = [
                len(took.result[name] & best[name]) / TOP
                for took, best in zip(asked, nearest, strict=True)
                for name in STREAMS
            ]
            wall_s = min(took.wall_s for took in asked)
            print(
                f"    {what}, {probes} probes: {wall_s:.2f} s, recall of each stream's best ",
                end="",
            )
            print(f"{TOP}: {np.mean(recalls):.2f}, least {min(recalls):.2f}")
    shutil.rmtree(beside)


def _questions(world: World) -> dict[str, list[Vectors]]:
    return {
        "like a window": [world.windows(stream, 1)[0] for stream in (0, 2)],
        "like words": [world.words(stream, scene) for stream, scene in ((1, 7), (3, 50))],
    }


def _indexed(table: Any, vector: Vectors, probes: int) -> dict[str, set[int]]:
    """The best of each stream, as hits have to be found: z is of a stream."""
    found = {}
    for name in STREAMS:
        asked = (
            table.search(vector).distance_type("dot").where(f"stream = '{name}'", prefilter=True)
        )
        asked = asked.limit(TOP).nprobes(probes).refine_factor(10).select(["seq", "_distance"])
        found[name] = set(asked.to_arrow()["seq"].to_pylist())
    return found


def _nearest(store: Store, parts: list[Part], vector: Vectors) -> dict[str, set[int]]:
    best: dict[str, tuple[Any, Any]] = {}
    for part in parts:
        for batch in store.scan(part, ("stream", "seq", VECTOR)):
            halves = batch.column(VECTOR).flatten().to_numpy(zero_copy_only=True)
            scores = score(halves.reshape(batch.num_rows, -1), vector)[0]
            seq, of = batch.column("seq").to_numpy(), np.array(batch.column("stream").to_pylist())
            for name in np.unique(of):
                mine = of == name
                old = best.get(name, (np.zeros(0, np.float32), np.zeros(0, np.int64)))
                both = np.concatenate((old[0], scores[mine])), np.concatenate((old[1], seq[mine]))
                top = np.argsort(-both[0])[:TOP]
                best[name] = both[0][top], both[1][top]
    return {name: set(numbers.tolist()) for name, (_, numbers) in best.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sizes", default="1e5,1e6")
    parser.add_argument("--huge", action="store_true")
    parser.add_argument("--dims", type=some_of(("64", "256", "1024")), default=("256", "1024"))
    parser.add_argument("--index", type=some_of(("sq", "pq")), default=())
    parser.add_argument("--at", type=Path, help="a folder on the disk to measure")
    arguments = parser.parse_args()
    sizes = [round(float(size)) for size in arguments.sizes.split(",") if size]
    sizes += [10**7] if arguments.huge else []
    for dim in map(int, arguments.dims):
        world = World(dim)
        with tempfile.TemporaryDirectory(dir=arguments.at) as folder:
            print(f"{dim} dimensions, {len(STREAMS)} streams:")
            print_writing(world, Path(folder) / "hour")
            print_day(world, Path(folder) / "day")
        for size in sizes:
            with tempfile.TemporaryDirectory(dir=arguments.at) as folder:
                print_searching(world, Path(folder), size)
                for kind in arguments.index:
                    print_index(world, Path(folder), size, kind)


if __name__ == "__main__":
    main()
