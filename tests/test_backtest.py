"""Backtests: what a query would have done is what the watch then does."""

from __future__ import annotations

import numpy as np
import pytest

from bindstream.backtest import NEAR, backtest
from bindstream.config import QueryConfig
from bindstream.matcher import Query, make_query
from bindstream.records import Embedding
from bindstream.watch import Watch

S = 1_000_000_000
DIM = 16
DOG, ROOM = np.eye(2, DIM, dtype=np.float32)
NOTHING = np.zeros((0, DIM), np.float32)


def query(**config: object) -> Query:
    given = {"id": "dog", "text": "a dog", "cooldown_s": 0, **config}
    return make_query(QueryConfig.model_validate(given), DOG[None], NOTHING, "m1")


def day(n: int, barks: dict[int, float], seed: int = 0) -> np.ndarray:
    """Vectors (n, DIM) of a room in which dogs bark at some seconds, so loud."""
    rng = np.random.default_rng(seed)
    found = ROOM + rng.normal(0, 0.05, (n, DIM))
    for at, loud in barks.items():
        found[at : at + 3] += loud * DOG
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def pieces(vectors: np.ndarray, size: int = 700) -> list[tuple[np.ndarray, ...]]:
    starts = np.arange(len(vectors), dtype=np.int64) * S
    return [
        (starts[a : a + size], starts[a : a + size] + 2 * S, vectors[a : a + size])
        for a in range(0, len(vectors), size)
    ]


def test_events_near_misses_and_the_promise_are_told() -> None:
    vectors = day(7200, {1000: 2.0, 5000: 2.0})
    tried = backtest(query(budget=2.0), ROOM[None], "mic", pieces(vectors))
    assert tried.promise.is_kept
    assert {1000, 5000} <= {one.start_ns // S for one in tried.found}
    assert len(tried.found) <= 2 + 2 * 2.0 * 2
    assert tried.per_hour == pytest.approx(len(tried.found) / 2, rel=0.02)
    assert tried.near
    assert all(NEAR * tried.promise.cut <= one.top < tried.promise.cut for one in tried.near)
    assert tried.levels[0] == max(one.top for one in tried.found)


def test_pieces_of_any_size_give_the_same() -> None:
    vectors = day(3000, {1000: 2.0}, 1)
    one, other = (
        backtest(query(), ROOM[None], "mic", pieces(vectors, size)) for size in (3000, 171)
    )
    assert one.found == other.found
    assert one.promise == other.promise


def test_what_was_confirmed_is_no_background() -> None:
    barks = dict.fromkeys(range(300, 7000, 240), 1.2)
    vectors = day(7200, barks, 2)
    spans = [(at * S - 2 * S, (at + 6) * S) for at in barks]
    blind = backtest(query(budget=1.0), ROOM[None], "mic", pieces(vectors))
    told = backtest(query(budget=1.0), ROOM[None], "mic", pieces(vectors), spans)
    assert told.promise.cut < blind.promise.cut
    assert len(told.found) >= len(barks) - 1


def test_a_watch_that_heard_the_same_has_the_same_level() -> None:
    vectors = day(2000, {}, 3)
    watch = Watch({"audio": ROOM[None]})
    for i, vector in enumerate(vectors):
        watch.push(Embedding("mic", "audio", i, i * S, (i + 2) * S, vector, "m1"))
    watch.put(query(budget=6))
    watch.push(Embedding("mic", "audio", 2000, 2000 * S, 2002 * S, vectors[0], "m1"))
    ((_, _, level),) = watch.levels()
    tried = backtest(query(budget=6), ROOM[None], "mic", pieces(vectors))
    assert level.promise == str(tried.promise)
    assert level.on == pytest.approx(tried.promise.cut, rel=0.02)


def test_nothing_heard_is_nothing_found() -> None:
    tried = backtest(query(), ROOM[None], "mic", [])
    assert (tried.found, tried.near, tried.per_hour) == ((), (), 0.0)
    assert "nothing can be promised yet" in str(tried.promise)
