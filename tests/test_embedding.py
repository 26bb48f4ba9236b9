"""Embedding: batches that wait no longer than they must, and vectors that cannot be right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindstream.clock import Clock
from bindstream.embedding import FROZEN_AFTER, REMEMBERED_NS, Batcher, Embedder, stamped
from bindstream.modalities import MODALITIES
from bindstream.models import load_model
from bindstream.records import ModalityName, Window

MS = 1_000_000
WAIT = 5 * MS


def window(
    seq: int, stream: str = "mic", modality: ModalityName = "audio", data: Any = None
) -> Window:
    data = np.zeros(1, np.float32) if data is None else data
    return Window(stream, modality, seq, seq * 10, seq * 10 + 20, data, 1.0, stages={"closed": 1})


def batches(batcher: Batcher, now_ns: int) -> list[list[tuple[str, int]]]:
    out = []
    while batch := batcher.due(now_ns):
        out.append([(w.stream, w.seq) for w in batch])
    return out


def knowing(*streams: str, most: int = 8) -> Batcher:
    """A batcher that has heard of these streams, with nothing waiting at time 0."""
    batcher = Batcher(most, WAIT)
    for stream in streams:
        batcher.push(window(0, stream), -WAIT)
    batches(batcher, 0)
    return batcher


def test_a_stream_that_is_alone_waits_for_nobody() -> None:
    batcher = Batcher(8, WAIT)
    batcher.push(window(0), 0)
    assert batcher.wait_ns(0) == 0
    assert batches(batcher, 0) == [[("mic", 0)]]
    assert batcher.wait_ns(0) is None


def test_a_batch_is_complete_when_every_stream_is_in_it() -> None:
    batcher = knowing("mic", "hall", "yard")
    batcher.push(window(1, "mic"), 0)
    batcher.push(window(1, "hall"), 0)
    assert batches(batcher, MS) == []
    assert batcher.wait_ns(MS) == WAIT - MS
    batcher.push(window(1, "yard"), 2 * MS)
    assert batcher.wait_ns(2 * MS) == 0
    assert batches(batcher, 2 * MS) == [[("mic", 1), ("hall", 1), ("yard", 1)]]


def test_nobody_waits_beyond_the_deadline() -> None:
    batcher = knowing("mic", "hall")
    batcher.push(window(1), 0)
    assert batches(batcher, WAIT - 1) == []
    assert batches(batcher, WAIT) == [[("mic", 1)]]


def test_a_full_batch_waits_for_nobody_whosever_windows_it_holds() -> None:
    batcher = knowing("mic", "hall", "yard", most=2)
    batcher.push(window(1), 0)
    assert batches(batcher, 0) == []
    batcher.push(window(2), 0)
    assert batches(batcher, 0) == [[("mic", 1), ("mic", 2)]]


def test_a_stream_that_is_gone_is_not_waited_for() -> None:
    batcher = knowing("mic", "gone")
    batcher.push(window(1), REMEMBERED_NS // 2)
    assert batches(batcher, REMEMBERED_NS // 2) == []
    batches(batcher, REMEMBERED_NS)
    batcher.push(window(2), REMEMBERED_NS)
    assert batches(batcher, REMEMBERED_NS) == [[("mic", 2)]]


pushes = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]), st.sampled_from(["audio", "imu"]), st.integers(0, 9)
    ),
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(pushes, st.integers(1, 5))
def test_every_window_comes_out_once_in_time_and_in_company_of_its_kind(
    arrivals: list[tuple[str, Any, int]], most: int
) -> None:
    batcher = Batcher(most, WAIT)
    now_ns = 0
    arrived: dict[int, int] = {}
    order: dict[tuple[str, str], list[int]] = {}

    def take() -> None:
        while batch := batcher.due(now_ns):
            assert len(batch) <= most
            assert len({w.modality for w in batch}) == 1
            for w in batch:
                assert now_ns - arrived.pop(w.seq) <= WAIT
                order.setdefault((w.stream, w.modality), []).append(w.seq)

    for seq, (stream, modality, ms) in enumerate(arrivals):
        until_ns = now_ns + ms * MS
        while ms and (wait_ns := batcher.wait_ns(now_ns)) is not None:
            if now_ns + wait_ns > until_ns:
                break
            now_ns += wait_ns  # the tower thread wakes when it was told to
            take()
        now_ns = until_ns
        arrived[seq] = now_ns
        batcher.push(window(seq, stream, modality), now_ns)
    while (wait_ns := batcher.wait_ns(now_ns)) is not None:
        now_ns += wait_ns
        take()
    assert not arrived
    assert all(seqs == sorted(seqs) for seqs in order.values())


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> Any:
    return load_model(tiny_model, modalities=("audio", "text"), device="cpu")


def sound(seed: int) -> np.ndarray:
    shape = MODALITIES["audio"].model_input
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_an_embedding_says_which_window_it_is_of_and_how_long_it_took(model: Any) -> None:
    clock = Clock.read()
    before = clock.now_ns()
    made = Embedder(model, clock).embed([window(s, data=sound(s)) for s in range(3)])
    for seq, embedding in enumerate(made):
        assert embedding is not None
        assert (embedding.stream, embedding.modality, embedding.seq) == ("mic", "audio", seq)
        assert (embedding.start_ns, embedding.end_ns) == (seq * 10, seq * 10 + 20)
        assert embedding.model == model.fingerprint
        assert float(np.linalg.norm(embedding.vector)) == pytest.approx(1, abs=1e-5)
        stages = embedding.stages
        assert stages["closed"] == 1
        assert before <= stages["batched"] <= stages["embedded"] <= clock.now_ns()
        assert stamped(embedding, "published", 7).stages == {**stages, "published": 7}
    alone = Embedder(model, clock).embed([window(1, data=sound(1))])[0]
    assert alone is not None
    assert made[1] is not None
    np.testing.assert_allclose(made[1].vector, alone.vector, atol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_window_that_cannot_be_embedded_costs_the_others_nothing(model: Any, bad: float) -> None:
    embedder = Embedder(model, Clock.read())
    spoiled = sound(0)
    spoiled[0, 5, 5] = bad
    made = embedder.embed(
        [
            window(0, "hall", data=sound(1)),
            window(0, data=spoiled),
            window(0, "yard", data=sound(2)),
        ]
    )
    assert [e.stream if e else None for e in made] == ["hall", None, "yard"]
    assert list(embedder.warnings) == ["mic"]
    assert "NaN" in embedder.warnings["mic"]
    assert embedder.embed([window(1, data=sound(3))])[0] is not None
    assert embedder.warnings == {}


def test_a_tower_that_answers_nonsense_gives_no_vectors_and_says_so(tiny_model: Path) -> None:
    import torch

    broken = load_model(tiny_model, modalities=("audio",), device="cpu")
    with torch.no_grad():
        next(broken._towers["audio"].parameters()).fill_(float("nan"))
    embedder = Embedder(broken, Clock.read())
    made = embedder.embed([window(0, data=sound(0)), window(0, "hall", data=sound(1))])
    assert made == [None, None]
    assert set(embedder.warnings) == {"mic", "hall"}
    assert "NaN" in embedder.warnings["hall"]


def test_a_stream_that_shows_the_same_again_and_again_is_called_frozen(model: Any) -> None:
    embedder = Embedder(model, Clock.read())
    still = sound(0)
    for i in range(FROZEN_AFTER):
        assert embedder.warnings == {}
        # In batches of changing size, in which the same input gives vectors that differ a little.
        others = [window(i, "hall", data=sound(100 + i + k)) for k in range(i % 3)]
        embedder.embed([window(i, data=still.copy()), *others])
    assert list(embedder.warnings) == ["mic"]
    assert f"last {FROZEN_AFTER} windows" in embedder.warnings["mic"]
    embedder.embed([window(99, data=sound(1))])
    assert embedder.warnings == {}
