"""Embedding: batches that wait no longer than they must, and vectors that cannot be right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindstream.clocks.host import Clock
from bindstream.embedding import KEPT, REMEMBERED_NS, Batcher, Embedder, stamped
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


class Counting:
    """A model whose tower calls are counted, by the size of each batch."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.fingerprint = model.fingerprint
        self.batches: list[int] = []

    def encode(self, modality: ModalityName, batch: np.ndarray) -> Any:
        self.batches.append(len(batch))
        return self._model.encode(modality, batch)


def test_three_streams_that_close_together_cost_one_tower_call(model: Any) -> None:
    tower = Counting(model)
    embedder = Embedder(tower, Clock.read())
    batcher = knowing("hall", "yard", "door")
    for seq in range(1, 5):
        now_ns = seq * 1000 * MS
        for late, stream in enumerate(("yard", "door", "hall")):
            batcher.push(window(seq, stream, data=sound(seq)), now_ns + late * MS)
        made = embedder.embed(batcher.due(now_ns + 2 * MS))
        assert [(e.stream, e.seq) for e in made if e] == [
            (stream, seq) for stream in ("yard", "door", "hall")
        ]
    assert tower.batches == [3] * 4


def test_a_stream_whose_windows_are_reused_is_not_waited_for() -> None:
    batcher = knowing("mic", "hall", "yard")
    batcher.push(window(1, "mic"), 0)
    batcher.push(window(1, "hall"), 0)
    assert batches(batcher, MS) == []
    batcher.excuse("yard", "audio")
    assert batcher.wait_ns(MS) == 0
    assert batches(batcher, MS) == [[("mic", 1), ("hall", 1)]]
    batcher.push(window(2, "mic"), 10 * MS)
    batcher.push(window(2, "hall"), 10 * MS)
    assert batches(batcher, 10 * MS) == [[("mic", 2), ("hall", 2)]]  # and stays so
    batcher.push(window(3, "yard"), 20 * MS)
    assert batches(batcher, 20 * MS) == []  # it speaks again: the others are worth waiting for


def test_an_excuse_completes_no_batch_that_others_are_missing_from() -> None:
    batcher = knowing("mic", "hall")
    batcher.excuse("nobody", "audio")
    batcher.excuse("mic", "vision")
    batcher.push(window(1, "mic"), 0)
    batcher.excuse("mic", "audio")  # its own window is in the batch all the same
    assert batches(batcher, 0) == []
    assert batches(batcher, WAIT) == [[("mic", 1)]]


def same(seq: int, as_: int, stream: str = "mic") -> Window:
    """A window for which the vector of window `as_` stands, without data."""
    return Window(
        *(stream, "audio", seq, seq * 10, seq * 10 + 20, np.zeros(0, np.float32), 0.97),
        readings={"max_c": 40.0 + seq},
        stages={"gated": seq},
        same_as=as_,
    )


def test_a_reused_vector_is_the_first_ones_and_all_else_the_new_windows(model: Any) -> None:
    embedder = Embedder(model, Clock.read())
    (first,) = embedder.embed([window(3, data=sound(3))])
    again = embedder.reuse(same(5, 3))
    assert first is not None
    assert again is not None
    np.testing.assert_array_equal(again.vector, first.vector)
    assert (again.same_as, first.same_as) == (3, None)
    assert (again.seq, again.start_ns, again.end_ns, again.coverage) == (5, 50, 70, 0.97)
    assert again.readings == {"max_c": 45.0}
    assert again.stages == {"gated": 5}
    assert again.model == first.model


def test_a_vector_that_is_not_kept_is_not_made_up(model: Any) -> None:
    embedder = Embedder(model, Clock.read())
    spoiled = sound(0)
    spoiled[0, 0, 0] = np.nan
    assert embedder.reuse(same(1, 0)) is None
    assert embedder.embed([window(0, data=spoiled)]) == [None]
    assert embedder.reuse(same(1, 0)) is None  # it failed
    for seq in range(1, KEPT + 2):
        embedder.embed([window(seq, data=sound(seq)), window(seq, "hall", data=sound(seq))])
    assert embedder.reuse(same(99, 1)) is None  # forgotten
    assert embedder.reuse(same(99, 2)) is not None
    assert embedder.reuse(same(99, 2, "yard")) is None  # another stream's


def test_the_tower_time_of_a_stream_is_its_share_of_its_batches(model: Any) -> None:
    embedder = Embedder(model, Clock.read())
    made = [
        *embedder.embed([window(0, data=sound(0))]),
        *embedder.embed([window(1, data=sound(1)), window(1, "hall", data=sound(2))]),
    ]
    took_s = [(e.stages["embedded"] - e.stages["batched"]) / 1e9 for e in made if e is not None]
    embedder.reuse(same(2, 1))
    said = embedder.tower_s()
    assert said["mic"] == pytest.approx((took_s[0] + took_s[1] / 2) / 2, abs=1e-8)
    assert said["hall"] == pytest.approx(took_s[1] / 2, abs=1e-8)
