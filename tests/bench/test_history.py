from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("lancedb")

from history import (
    BEGUN_NS,
    MODEL,
    STREAMS,
    TOP,
    World,
    _nearest,
    print_day,
    print_index,
    print_writing,
    rows,
    searched,
)

from bindstream.history import History
from bindstream.history.parts import DAY_NS, Part
from bindstream.history.rows import halves_of
from bindstream.history.search import Question, score
from bindstream.history.store import Kind, Store

DAY = Part(BEGUN_NS, BEGUN_NS + DAY_NS, MODEL)


@pytest.fixture
def world() -> World:
    return World(64)


@pytest.fixture
def store(tmp_path: Path, world: World) -> Store:
    made = Store(tmp_path)
    made.create(DAY, Kind(MODEL, world.dim), rows(world, BEGUN_NS, 4000))
    return made


def test_made_up_days_hold_unit_vectors_of_four_streams_in_order(store: Store) -> None:
    history = History(store.folder)
    assert set(history.streams(MODEL)) == set(STREAMS)
    blocks = [block for stream in STREAMS for block in history.read(MODEL, stream)]
    assert sum(len(block.seq) for block in blocks) == 4000
    for block in blocks:
        np.testing.assert_allclose(np.linalg.norm(block.vectors, axis=1), 1, atol=1e-3)
        assert (np.diff(block.starts_ns) > 0).all()


def test_the_nearest_are_the_nearest_of_each_stream(store: Store, world: World) -> None:
    words = world.words(1, 7)
    found = _nearest(store, [DAY], words)
    for name in STREAMS:
        (batch,) = store.scan(DAY, ("seq", "vector"), f"stream = '{name}'")
        scores = score(halves_of(batch), words)[0]
        best = np.argsort(-scores)[:TOP]
        assert found[name] == set(batch.column("seq").to_numpy()[best].tolist())


def test_what_is_printed_of_an_index_is_a_recall(
    store: Store, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    print_index(world, store.folder, 4000, "sq")
    shown = capsys.readouterr().out
    assert "IVF_SQ: built in" in shown
    recalls = [float(line.split(": ")[-1].split(",")[0]) for line in shown.splitlines()[1:]]
    assert len(recalls) == 4
    assert all(0.5 < recall <= 1 for recall in recalls)


def test_a_search_is_timed_three_times(store: Store, world: World) -> None:
    times, peak = searched(store.folder, Question(world.words(1, 7), MODEL))
    assert len(times) == 3
    assert all(took.wall_s > 0 and took.result is None for took in times)
    assert peak > 2**20


@pytest.mark.slow
def test_writing_and_a_day_are_measured(
    tmp_path: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    print_writing(world, tmp_path / "hour")
    print_day(world, tmp_path / "day")
    shown = capsys.readouterr().out
    assert "345,600 vectors" in shown
    assert "merging 256 flushes" in shown
