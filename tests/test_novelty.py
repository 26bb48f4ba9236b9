"""Novelty: what a stream gave often is usual, what it never gave is not."""

from __future__ import annotations

import numpy as np
import pytest

from bindstream.budget.heard import Heard
from bindstream.config import QueryConfig
from bindstream.matcher import Query, Vectors
from bindstream.novelty import APART_NS, LEAST, Novelty
from bindstream.records import Alert, Embedding
from bindstream.watch import Watch

DIM = 32
SECOND_NS = 10**9


def room(n: int, seed: int, *, states: int = 3) -> Vectors:
    """Windows of a room that is in one of a few states, each with its noise."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((states, DIM))
    found = centres[rng.integers(states, size=n)] + 0.4 * rng.standard_normal((n, DIM))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def heard(vectors: Vectors) -> Heard:
    found = Heard(DIM)
    starts = np.arange(len(vectors), dtype=np.int64) * SECOND_NS
    found.extend([(starts, starts + 2 * SECOND_NS, vectors)])
    return found


def stranger() -> Vectors:
    vector = np.random.default_rng(5).standard_normal(DIM)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def test_nothing_can_be_said_of_a_stream_that_was_hardly_heard() -> None:
    novelty = Novelty()
    assert np.isnan(novelty.push(room(3, 1), np.zeros(3, np.int64))).all()
    novelty.draw(heard(room(LEAST - 1, 0)))
    assert np.isnan(novelty.push(room(3, 1), np.zeros(3, np.int64))).all()


def test_what_was_never_heard_is_far_from_everything() -> None:
    novelty = Novelty()
    novelty.draw(heard(room(3000, 0)))
    later = np.full(200, 10**6 * SECOND_NS)
    usual = novelty.push(room(200, 1), later)
    assert novelty.push(stranger()[None], later[:1])[0] < usual.min() - 0.1


def test_a_window_is_not_held_against_those_around_it() -> None:
    vectors = room(1000, 0)
    vectors[500:520] = stranger()  # an event, like itself alone
    novelty = Novelty()
    novelty.draw(heard(vectors))
    starts = np.arange(1000, dtype=np.int64) * SECOND_NS
    found = novelty.push(vectors, starts)
    assert found[500:520].max() < np.delete(found, range(500, 520)).min()
    assert novelty.push(stranger()[None], starts[:1] + 10 * APART_NS)[0] == pytest.approx(
        1, abs=1e-2
    )


def watched(vectors: Vectors, budget: float) -> list[Alert]:
    query = QueryConfig.model_validate({"unusual": True, "budget": budget})
    watch = Watch({})
    watch.put(Query(query, np.zeros(DIM, np.float32), np.zeros((0, DIM), np.float32), "m", 0.0))
    alerts: list[Alert] = []
    for seq, vector in enumerate(vectors):
        at = seq * SECOND_NS
        window = Embedding("hall", "audio", seq, at, at + 2 * SECOND_NS, vector, "m")
        alerts += watch.push(window)[1]
    return [alert for alert in alerts if alert.state == "started"]


def test_something_unusual_raises_an_alert_within_its_budget() -> None:
    vectors = room(3600, 2)
    vectors[3000:3004] = stranger()
    alerts = watched(vectors, 1.0)
    (alert,) = (a for a in alerts if abs(a.start_ns / SECOND_NS - 3000) < 3)
    assert alert.text == "something unusual"
    assert len([a for a in alerts if a.start_ns / SECOND_NS > 1000]) <= 3  # of one an hour


def test_a_query_for_the_unusual_takes_no_words() -> None:
    config = QueryConfig.model_validate({"unusual": True})
    assert (config.id, config.shown, config.texts) == (
        "something-unusual",
        ("something unusual",),
        (),
    )
    for other in ({"negatives": "rain"}, {"plus": "rain"}, {"taught": "x.json"}):
        with pytest.raises(ValueError, match="what the stream gave before"):
            QueryConfig.model_validate({"unusual": True, **other})
