"""The embed actor, called as Ray calls it: vectors are reused at once, nobody waits for them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bindstream.bus import Broker, Subscriber
from bindstream.clocks.host import Clock
from bindstream.config import ModelConfig
from bindstream.embedding import Batcher
from bindstream.gate import bare
from bindstream.modalities import MODALITIES
from bindstream.records import Embedding, Window
from nodes.embed import EmbedNode
from nodes.wiring import Wiring

ANY = "tcp://127.0.0.1:0"
MOST_S = 60


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    broker = Broker(ANY, ANY)
    yield broker
    broker.close()


@pytest.fixture
def node(broker: Broker, tiny_model: Path, tmp_path: Path) -> EmbedNode:
    config = ModelConfig(name=str(tiny_model), device="cpu", threads=1)
    wiring = Wiring(
        Clock.read(), tmp_path, broker.inbound, broker.address, None, frozenset({"door"})
    )
    return EmbedNode(config, wiring, ["audio"])


def window(seq: int, stream: str = "mic", bad: bool = False) -> Window:
    shape = MODALITIES["audio"].model_input
    data = np.random.default_rng(seq).standard_normal(shape).astype(np.float32)
    data[0, 0, 0] = np.nan if bad else 0
    return Window(stream, "audio", seq, seq * 10, seq * 10 + 20, data, 1.0)


def same(seq: int, as_: int, stream: str = "mic") -> Window:
    empty = np.zeros(0, np.float32)
    return bare(Window(stream, "audio", seq, seq * 10, seq * 10 + 20, empty, 1.0, same_as=as_))


def asked(node: EmbedNode, *windows: Window) -> list[str]:
    """What becomes of windows that are sent without waiting in between."""

    async def all_of_them() -> Any:
        return await asyncio.wait_for(asyncio.gather(*map(node.embed, windows)), MOST_S)

    return list(asyncio.run(all_of_them()))


def test_a_vector_is_reused_even_while_it_is_still_being_computed(
    node: EmbedNode, broker: Broker
) -> None:
    with Subscriber(broker.address, ["emb.audio.mic"]) as bus:
        heard: list[Embedding] = []
        while not heard:  # until the subscription has reached everyone
            assert asked(node, window(0)) == ["embedded"]
            record = bus.receive(0.5)
            heard += [record] if isinstance(record, Embedding) else []
        while bus.receive(0.2) is not None:
            pass
        assert asked(node, window(5), same(6, 5), same(7, 5)) == ["embedded", "reused", "reused"]
        heard = [record for _ in range(3) if isinstance(record := bus.receive(20), Embedding)]
    assert [(e.seq, e.same_as) for e in heard] == [(5, None), (6, 5), (7, 5)]
    for again in heard[1:]:
        np.testing.assert_array_equal(again.vector, heard[0].vector)
        assert again.stages["arrived"] <= again.stages["published"]
        assert "embedded" not in again.stages
    known = asyncio.run(node.published("mic"))
    assert {seq: known[seq] for seq in (5, 6, 7)} == {5: "embedded", 6: "reused", 7: "reused"}
    assert asyncio.run(node.published("hall")) == {}


def test_what_is_not_known_is_said_to_be(node: EmbedNode) -> None:
    assert asked(node, same(1, 0)) == ["unknown"]
    assert asked(node, window(2, bad=True), same(3, 2)) == ["failed", "unknown"]
    assert asyncio.run(node.published("mic")) == {}


def test_neither_a_reused_window_waits_for_a_batch_nor_a_batch_for_it(node: EmbedNode) -> None:
    node._batcher = Batcher(8, 10**18)  # a batch that is not complete waits for ever
    assert asked(node, window(1, "mic")) == ["embedded"]
    assert asked(node, window(1, "mic"), window(1, "hall")) == ["embedded", "embedded"]

    async def hall_first() -> tuple[str, str]:
        hall = asyncio.ensure_future(node.embed(window(2, "hall")))
        await asyncio.sleep(0.2)
        assert not hall.done()  # it waits for the microphone
        reused = await asyncio.wait_for(node.embed(same(2, 1)), MOST_S)
        return reused, await asyncio.wait_for(hall, MOST_S)

    assert asyncio.run(hall_first()) == ("reused", "embedded")
    assert asked(node, window(3, "hall")) == ["embedded"]  # alone from now on


class Slow:
    """An embedder that takes until it is told."""

    def __init__(self) -> None:
        self.begun, self.done = threading.Event(), threading.Event()
        self.warnings: dict[str, str] = {}

    def embed(self, windows: list[Window]) -> list[Embedding | None]:
        self.begun.set()
        assert self.done.wait(MOST_S)
        return [None] * len(windows)

    def tower_s(self) -> dict[str, float]:
        return {}


def test_a_tower_at_work_does_not_stand_still_however_slow_it_is(
    node: EmbedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    node._embedder = slow = Slow()  # type: ignore[assignment]

    async def while_at_work() -> tuple[float, float]:
        asked = asyncio.ensure_future(node.embed(window(0)))
        await asyncio.to_thread(slow.begun.wait, MOST_S)
        await asyncio.sleep(1.5)  # longer than a turn without work takes
        at_work = (await node.health()).beat_s
        monkeypatch.setattr("nodes.embed.WORK_MOST_S", 1.0)
        too_long = (await node.health()).beat_s
        slow.done.set()
        await asyncio.wait_for(asked, MOST_S)
        return at_work, too_long

    at_work, too_long = asyncio.run(while_at_work())
    assert at_work == 0
    assert too_long > 1.4


def test_whoever_asks_what_was_published_hears_of_what_is_being_computed(node: EmbedNode) -> None:
    async def asked_at_once() -> Any:
        coming = asyncio.ensure_future(node.embed(window(4)))
        await asyncio.sleep(0)
        known = await node.published("mic")
        await coming
        return known

    assert asyncio.run(asked_at_once()) == {4: "embedded"}


def test_the_text_tower_is_read_when_the_first_query_comes(node: EmbedNode) -> None:
    async def towers() -> Any:
        return (await node.health()).towers

    assert asyncio.run(towers()) == ("audio",)
    vectors = asyncio.run(node.encode_text(["a dog"]))
    assert vectors.shape == (1, 16)
    assert asyncio.run(towers()) == ("audio", "text")


def test_three_streams_that_close_together_are_one_batch(node: EmbedNode) -> None:
    node._batcher = Batcher(8, 10**18)
    names = ("mic", "hall", "yard")
    node._batcher._streams["audio"] = dict.fromkeys(names, node._clock.now_ns())
    for seq in range(3):
        assert asked(node, *(window(seq, name) for name in names)) == ["embedded"] * 3
    health = asyncio.run(node.health())
    assert (health.windows, health.batches) == (9, 3)
    assert set(health.tower_s) == set(names)
    assert all(seconds > 0 for seconds in health.tower_s.values())


def test_what_a_stream_has_closed_its_accounts_of_is_published_no_more(
    node: EmbedNode, broker: Broker
) -> None:
    node._batcher = Batcher(8, 10**18)  # a batch that is not complete waits for ever
    assert asked(node, window(0, "mic")) == ["embedded"]
    assert asked(node, window(0, "mic"), window(0, "hall")) == ["embedded", "embedded"]

    async def closing() -> list[str]:
        """The microphone's process died; its next one asks, and goes on with the number 2."""
        late = asyncio.ensure_future(node.embed(window(1, "mic")))
        await asyncio.sleep(0.1)
        known = await node.published("mic", before=2, wait_s=0.1)
        assert 1 not in known
        others = await asyncio.gather(*map(node.embed, [window(1, "hall"), window(2, "mic")]))
        return [await late, *others]

    assert asyncio.run(closing()) == ["failed", "embedded", "embedded"]
    assert {1, 2} & set(asyncio.run(node.published("mic"))) == {2}


def test_a_vector_that_cannot_be_sent_is_counted_as_failed_and_stops_nothing(
    node: EmbedNode,
) -> None:
    node._publisher.close()
    assert asked(node, window(0), window(1)) == ["failed", "failed"]
    assert "Error" in asyncio.run(node.health()).error
