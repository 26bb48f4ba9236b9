"""What was kept is background at once, and what cannot be read stops nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from bindstream.config import QueryConfig
from bindstream.matcher import make_query
from bindstream.recalling import recall
from bindstream.watch import Watch
from tests.history.windows import DIM, MODEL, NOON_NS, SECOND_NS, unit, window, written

pytest.importorskip("lancedb")
NOTHING = np.zeros((0, DIM), np.float32)


def watching() -> Watch:
    return Watch({"vision": unit(999)[None]})


def ask(watch: Watch) -> None:
    config = QueryConfig.model_validate({"text": "a dog", "budget": 30})
    watch.put(make_query(config, unit(500)[None], NOTHING, MODEL))


def kept(folder: Path, n: int = 900) -> Path:
    rng = np.random.default_rng(0)
    room = unit(998)
    windows = []
    for i in range(n):
        vector = room + 0.1 * rng.standard_normal(DIM)
        vector = (vector / np.linalg.norm(vector)).astype(np.float32)
        windows.append(window(seq=i, vector=vector))
    written(folder, windows)
    return folder


def test_a_query_is_calibrated_with_the_first_window_of_a_new_run(tmp_path: Path) -> None:
    folder, watch = kept(tmp_path), watching()
    assert recall(watch, folder, MODEL, NOON_NS + 1000 * SECOND_NS) == []
    ask(watch)
    scores, alerts = watch.push(window(seq=1000, vector=unit(998)))
    assert np.isfinite(scores[0].z)
    assert alerts == []
    assert watch.warming() == []
    ((_, _, level),) = watch.levels()
    assert level.promise.startswith("at most 30 an hour with 95 % confidence (0.2 h heard)")


def test_another_models_vectors_and_older_ones_are_not_recalled(tmp_path: Path) -> None:
    folder = kept(tmp_path, 40)
    for model, now_ns in (("another", NOON_NS), (MODEL, NOON_NS + 200_000 * SECOND_NS)):
        watch = watching()
        assert recall(watch, folder, model, now_ns) == []
        ask(watch)
        assert list(watch.levels()) == []


def test_a_history_that_is_not_there_or_damaged_stops_nothing(tmp_path: Path) -> None:
    assert recall(watching(), tmp_path / "nothing", MODEL, NOON_NS) == []
    folder = kept(tmp_path / "kept", 40)
    for file in (f for f in folder.rglob("*.lance") if f.is_file()):
        file.write_bytes(b"damaged")
    said = recall(watching(), folder, MODEL, NOON_NS + 100 * SECOND_NS)
    assert said
    assert str(folder) in said[0] or "cannot be read" in said[0]


def test_that_lancedb_is_missing_is_left_to_whoever_is_to_keep_the_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lancedb", None)
    assert recall(watching(), tmp_path, MODEL, NOON_NS) == []
