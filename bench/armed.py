"""Very many armed queries: how fast windows are held against them, and what each query takes.

    OMP_NUM_THREADS=1 python bench/armed.py [--queries 100000] [--rate 200] [--streams 8]

Vectors come at a steady rate, from streams that take turns, and are taken as the match actor takes
them: all that have come at once. Prints how long each waited for its alerts (median and 99th
percentile), how busy the core was, the floor (the product of matrices alone), and memory a query.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from bench.memory import resident_bytes
from bindstream.config import QueryConfig
from bindstream.matcher import Query
from bindstream.records import Embedding
from bindstream.watch import TOGETHER, Watch

PHRASES = 200  # as many as the starter contrasts a sound with
HEARD_S = 60  # of every stream, before it counts


def drawn(n: int, dim: int, rng: np.random.Generator) -> np.ndarray:
    found = rng.standard_normal((n, dim), dtype=np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def window(stream: int, seq: int, room: np.ndarray, rng: np.random.Generator) -> Embedding:
    vector = room + 0.5 * drawn(1, len(room), rng)[0]
    vector /= np.linalg.norm(vector)
    start_ns = seq * 10**9
    return Embedding(f"s{stream}", "audio", seq, start_ns, start_ns + 2 * 10**9, vector, "m")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--queries", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=200.0, help="vectors a second")
    parser.add_argument("--streams", type=int, default=8)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=20.0)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    nothing = np.zeros((0, given.dim), np.float32)
    phrases = drawn(PHRASES, given.dim, rng)
    positives = drawn(given.queries, given.dim, rng)
    few = rng.random(given.queries) < 0.1  # mean the same as one of the phrases
    positives[few] = phrases[rng.integers(PHRASES, size=int(few.sum()))]
    before = resident_bytes()
    watch = Watch({"audio": phrases})
    for i, positive in enumerate(positives):
        config = QueryConfig.model_construct(
            **{**QueryConfig(text="a dog").__dict__, "id": f"q{i}"}
        )
        watch.put(Query(config, positive, nothing, "m"))
    rooms = drawn(given.streams, given.dim, rng)
    seqs = [0] * given.streams

    def some(n: int) -> list[Embedding]:
        found = []
        for _ in range(n):
            stream = sum(seqs) % given.streams
            found.append(window(stream, seqs[stream], rooms[stream], rng))
            seqs[stream] += 1
        return found

    for _ in range(round(HEARD_S * given.streams / TOGETHER)):
        watch.push_all(some(TOGETHER))
    took = (resident_bytes() - before) / given.queries

    waited, busy_s, floor_s, done, alerts = [], 0.0, 0.0, 0, 0
    began = time.perf_counter()
    while (now := time.perf_counter() - began) < given.seconds:
        due = int(now * given.rate) - done
        if not due:
            time.sleep(0.0005)
            continue
        batch = some(min(due, TOGETHER))
        start = time.perf_counter()
        np.stack([e.vector for e in batch]) @ positives.T
        middle = time.perf_counter()
        alerts += sum(len(found) for _, found in watch.push_all(batch))
        end = time.perf_counter()
        floor_s += middle - start
        busy_s += end - middle
        began += middle - start  # the floor is measured beside, not as part of the work
        waited += [end - began - (done + i + 1) / given.rate for i in range(len(batch))]
        done += len(batch)
    p50, p99 = 1e3 * np.percentile(waited, (50, 99))
    late = int((time.perf_counter() - began) * given.rate) - done
    print(f"{given.queries} queries, {given.streams} streams, {given.dim} numbers a vector")
    print(f"vectors a second: {done / given.seconds:.0f} of {given.rate:.0f} asked, {late} behind")
    print(f"from a vector to its alerts: median {p50:.1f} ms, 99th percentile {p99:.1f} ms")
    share = busy_s / given.seconds
    print(f"busy {share:.0%} of the time, {busy_s / floor_s:.1f} x the products alone")
    print(f"memory a query: {took / 1024:.1f} KiB, {took / 1024 / given.streams:.1f} a stream")
    print(f"alerts: {alerts}")


if __name__ == "__main__":
    main()
