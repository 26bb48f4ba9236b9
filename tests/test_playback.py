"""Recordings played as a stream, and where in time they are put."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindstream import Config, Embedding, Pipeline
from bindstream.config import StreamConfig
from bindstream.errors import DataError
from bindstream.models import load_model
from bindstream.models.encoder import Model
from bindstream.playback import Recording, clock_of, hop_ns, numbered, pieces, placed, play
from tests.history.windows import NOON_NS, SECOND_NS, window
from tests.teaching import recordings


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> Model:
    return load_model(tiny_model, modalities=["audio", "vision"], device="cpu", threads=1)


def stream(source: object, **over: object) -> StreamConfig:
    return StreamConfig.model_validate({"name": "kitchen", "source": source, **over})


def made(count: int, start_s: int = 3600, **over: object) -> Recording:
    """A recording of windows of two seconds, one a second, that begins somewhere."""
    shift_ns = start_s * SECOND_NS - NOON_NS
    windows = (window("kitchen", i, **over) for i in range(count))
    moved = tuple(
        dataclasses.replace(w, start_ns=w.start_ns + shift_ns, end_ns=w.end_ns + shift_ns)
        for w in windows
    )
    return Recording("kitchen", Path("a.wav"), moved, 0)


def test_a_recording_gives_the_vectors_that_the_stream_gives(
    tmp_path: Path, tiny_model: Path, model: Model
) -> None:
    file = recordings.write(tmp_path / "a.wav", recordings.beeps(1, 6.3))
    live = {"kind": "microphone", "device": "USB", "gain": 3}
    counted = []
    found = play(stream(live, hop_s=0.5), file, model, lambda: counted.append(1))
    assert len(counted) == len(found.windows) == 9
    assert {w.clock for w in found.windows} == {clock_of(file)}
    source = {"kind": "microphone", "file": str(file), "speed": "max", "gain": 3}
    streams = [{"name": "kitchen", "source": source, "hop_s": 0.5}]
    config = Config.model_validate({"streams": streams, "model": {"name": str(tiny_model)}})
    piped = [r for r in Pipeline(config) if isinstance(r, Embedding)]
    for one, other in zip(found.windows, piped, strict=True):
        np.testing.assert_allclose(one.vector, other.vector, atol=1e-5)
        assert one.end_ns - one.start_ns == other.end_ns - other.start_ns


def test_a_gate_lets_one_vector_stand_for_many_and_it_counts_once(
    tmp_path: Path, model: Model
) -> None:
    file = recordings.write(tmp_path / "a.wav", np.zeros(16000 * 20, np.float32))
    found = play(stream({"kind": "microphone"}, gate=True), file, model)
    (starts, ends, vectors) = pieces([found])[0]
    assert len(vectors) < len(found.windows) == 19
    assert ends[-1] - starts[0] == 20 * SECOND_NS


@pytest.mark.parametrize(
    ("source", "content", "why"),
    [
        ({"kind": "microphone"}, b"RIFF", "cannot be played into kitchen .audio"),
        ({"kind": "camera", "device": 0}, b"RIFF", "cannot be played into kitchen .vision"),
        ({"kind": "microphone"}, None, "no such file"),
    ],
)
def test_what_cannot_be_played_is_said(
    tmp_path: Path, model: Model, source: object, content: bytes | None, why: str
) -> None:
    file = tmp_path / "a.wav"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DataError, match=rf"a\.wav: .*{why}"):
        play(stream(source), file, model)


def test_one_without_a_window_is_refused(tmp_path: Path, model: Model) -> None:
    file = recordings.write(tmp_path / "a.wav", recordings.noise(0, 0.5))
    with pytest.raises(DataError, match="no window can be used"):
        play(stream({"kind": "microphone"}), file, model)


def test_the_last_ends_just_now_and_the_one_before_where_it_begins() -> None:
    now_ns = NOON_NS + 300_000_000
    first, second = placed([made(10), made(5)], SECOND_NS, [], now_ns)
    assert second.span == (NOON_NS - 6 * SECOND_NS, NOON_NS)
    assert first.span == (NOON_NS - 17 * SECOND_NS, NOON_NS - 6 * SECOND_NS)
    assert [w.seq for one in (first, second) for w in one.windows] == list(range(15))


def test_they_go_where_nothing_was_heard() -> None:
    taken = [
        (NOON_NS - 100 * SECOND_NS, NOON_NS - 12 * SECOND_NS),
        (NOON_NS - 5 * SECOND_NS, NOON_NS + 50 * SECOND_NS),  # a recording that ends ahead
    ]
    long, short = placed([made(20), made(5)], SECOND_NS, taken, NOON_NS)
    assert short.span[1] == NOON_NS - 5 * SECOND_NS
    assert long.span[1] == NOON_NS - 100 * SECOND_NS


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(-300, 50), st.integers(1, 60)), max_size=6),
    st.integers(0, 10**9),
)
def test_nothing_ever_overlaps_and_all_stays_in_order_on_the_grid(
    counts: list[int], heard: list[tuple[int, int]], late_ns: int
) -> None:
    taken = [(NOON_NS + s * SECOND_NS, NOON_NS + (s + n) * SECOND_NS) for s, n in heard]
    before = [made(count) for count in counts]
    after = placed(before, SECOND_NS, taken, NOON_NS + late_ns)
    spans = [one.span for one in after]
    assert [len(one.windows) for one in after] == counts
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    assert spans[-1][1] <= NOON_NS + late_ns
    for start_ns, end_ns in spans:
        assert start_ns % SECOND_NS == 0
        assert all(end_ns <= a or b <= start_ns for a, b in taken)


def test_numbers_go_on_and_reused_vectors_keep_theirs() -> None:
    two = numbered([made(3), made(3, same_as=0)])
    assert [w.seq for w in two[1].windows] == [3, 4, 5]
    assert {w.same_as for w in two[1].windows} == {3}


def test_the_grid_is_the_streams_own() -> None:
    assert hop_ns(stream({"kind": "microphone"}, hop_s=0.25)) == 250_000_000
    assert hop_ns(stream({"kind": "microphone"})) == SECOND_NS
    assert pieces([]) == []
