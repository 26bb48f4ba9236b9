"""The file of a taught query: it comes back as it was, and what is none is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindstream.errors import DataError, ModelError
from bindstream.teaching import taught as module
from bindstream.teaching.taught import (
    Taught,
    TaughtBy,
    TaughtFile,
    encoded,
    read_taught,
    save_taught,
)


def made(seed: int = 0, dim: int = 16, **over: Any) -> Taught:
    vector = np.random.default_rng(seed).standard_normal(dim)
    given = {
        "name": "beep",
        "modality": "audio",
        "model": TaughtBy(name="tiny", fingerprint="abc"),
        "dim": dim,
        "vector": encoded((vector / np.linalg.norm(vector)).astype(np.float32)),
        "level": 0.4,
        "method": "prototype",
        "examples": (TaughtFile(file="a.wav", sha256="0" * 64, windows=2, quiet=1, score=0.8),),
    }
    return Taught.model_validate({**given, **over})


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 300))
def test_a_vector_comes_back_bit_by_bit(seed: int, dim: int) -> None:
    query = made(seed, dim)
    again = Taught.model_validate_json(query.model_dump_json())
    assert again == query
    assert again.unit.tobytes() == query.unit.tobytes()
    assert again.unit.shape == (dim,)
    assert np.linalg.norm(again.unit) == pytest.approx(1, abs=1e-5)


def test_a_file_comes_back_and_is_readable_text(tmp_path: Path) -> None:
    path = tmp_path / "queries" / "beep.json"
    save_taught(made(), path)
    assert read_taught(path) == made()
    said = json.loads(path.read_text())
    assert (said["name"], said["model"]["fingerprint"]) == ("beep", "abc")
    assert said["examples"][0]["file"] == "a.wav"
    assert [p.name for p in path.parent.iterdir()] == ["beep.json"]


def test_a_write_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "beep.json"
    save_taught(made(), path)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(DataError, match=r"beep\.json: it cannot be written: No space"):
        save_taught(made(seed=1), path)
    assert read_taught(path) == made()
    assert [p.name for p in tmp_path.iterdir()] == ["beep.json"]


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "queries").write_text("a file")
    with pytest.raises(DataError, match=r"queries.beep\.json: it cannot be written"):
        save_taught(made(), tmp_path / "queries" / "beep.json")


def test_another_model_is_refused_with_the_way_out() -> None:
    made().check_model("abc")
    with pytest.raises(ModelError, match=r"tiny \(abc\), this model is xyz.*--again q/beep\.json"):
        made().check_model("xyz", "q/beep.json")


@pytest.mark.parametrize(
    ("over", "says"),
    [
        ({"vector": "?"}, "no base64"),
        ({"vector": encoded(np.ones(15, np.float32) / 15**0.5)}, "has 60 bytes, dim 16 needs 64"),
        ({"vector": encoded(np.ones(16, np.float32))}, "has length 4, not 1"),
        ({"vector": encoded(np.full(16, np.nan, np.float32))}, "has length nan"),
        ({"modality": "text"}, "text is no sensor"),
        ({"modality": "smell"}, "modality"),
        ({"level": float("nan")}, "level"),
        ({"format": 2}, "format"),
        ({"more": 1}, "more"),
    ],
)
def test_what_is_no_taught_query_says_why(tmp_path: Path, over: Any, says: str) -> None:
    path = tmp_path / "q.json"
    path.write_text(json.dumps({**made().model_dump(mode="json"), **over}))
    with pytest.raises(DataError, match=rf"q\.json: it is no taught query: .*{says}"):
        read_taught(path)


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff\xfe", b"[" * 100_000, b" " * (5 << 20)])
def test_files_that_are_something_else_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "q.json").write_bytes(content)
    with pytest.raises(DataError, match=r"q\.json: it is no taught query"):
        read_taught(tmp_path / "q.json")


def test_a_file_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"q\.json: it cannot be read: No such.*bindstream teach"):
        read_taught(tmp_path / "q.json")
