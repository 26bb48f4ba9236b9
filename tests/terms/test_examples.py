from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bindstream.errors import ConfigError, DataError, HistoryError, ModelError
from bindstream.history import History
from bindstream.models import load_model
from bindstream.terms.examples import (
    Example,
    check_examples,
    examples_of,
    read_vector,
    received,
    sent,
    stored,
    towers,
)
from bindstream.terms.term import term
from tests.history.windows import MODEL, NOON_NS, SECOND_NS, unit, window, written
from tests.teaching import recordings

ID = f"door/{NOON_NS}"


@pytest.fixture
def history(tmp_path: Path) -> History:
    pytest.importorskip("lancedb")
    written(tmp_path / "history", [window(seq=i) for i in range(10)])
    return History(tmp_path / "history")


def test_a_stored_window_is_found_by_its_id(history: History) -> None:
    (found,) = stored(history, f"door/{NOON_NS + 3 * SECOND_NS}")
    assert found.seq == 3
    assert [e.seq for e in stored(history, ID, length_s=5)] == [0, 1, 2, 3]
    with pytest.raises(HistoryError, match=r"no window of 'mic'.*search --json"):
        stored(history, f"mic/{NOON_NS}")


def test_a_window_says_what_it_is_of_and_whose(history: History) -> None:
    found = examples_of([term(f"2*{ID}")], None, history.folder)
    assert (found[ID].modality, found[ID].model) == ("vision", MODEL)
    np.testing.assert_allclose(found[ID].vector, unit(0), atol=1e-3)
    with pytest.raises(ConfigError, match=r"nothing is kept.*history"):
        examples_of([term(ID)], None, None)


def test_towers_are_those_of_words_and_of_recordings(tmp_path: Path) -> None:
    terms = [term(t) for t in ("a dog", ID, "a.wav", "b.flac", "c.jpg", "d.npy")]
    assert towers(terms) == ["text", "audio", "vision"]
    assert towers([term(ID), term("d.npy")]) == []
    assert towers([term("x.png")], "thermal") == ["thermal"]
    with pytest.raises(ConfigError, match=r"odd\.xyz"):
        towers([term("odd.xyz")])


def test_a_recording_is_its_mean_vector(tiny_model: Path, tmp_path: Path) -> None:
    file = recordings.write(tmp_path / "beep.wav", recordings.beeps(0))
    model = load_model(tiny_model, modalities=["audio"], device="cpu", threads=1)
    found = examples_of([term(str(file)), term("a dog")], model, None)
    (example,) = found.values()
    assert (example.modality, example.model) == ("audio", model.fingerprint)
    assert (model.embed("audio", file) @ example.vector).mean() > 0.9
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    for bad, why in (("bad.wav", r"bad\.wav"), ("gone.wav", r"gone\.wav.*no such file")):
        with pytest.raises(DataError, match=why):
            examples_of([term(str(tmp_path / bad))], model, None)


def test_a_vector_is_read_whatever_its_length_and_type(tmp_path: Path) -> None:
    for dtype in (np.float16, np.float32, np.float64):
        np.save(tmp_path / "v.npy", (3 * unit(1)).astype(dtype))
        np.testing.assert_allclose(read_vector(tmp_path / "v.npy"), unit(1), atol=1e-3)
    (example,) = examples_of([term(str(tmp_path / "v.npy"))], None, None).values()
    assert (example.modality, example.model) == (None, "")


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (np.array([1.0, np.nan]), "NaN or infinity"),
        (np.array([1.0, np.inf]), "NaN or infinity"),
        (np.zeros(4), "no length"),
        (np.zeros(0), "no length"),
        (np.ones((2, 4)), r"\(2, 4\) float64, a vector"),
        (np.array(["a"]), "a vector"),
    ],
)
def test_what_is_no_vector_is_refused(tmp_path: Path, values: Any, why: str) -> None:
    np.save(tmp_path / "v.npy", values)
    with pytest.raises(DataError, match=rf"v\.npy: .*{why}"):
        read_vector(tmp_path / "v.npy")


def test_what_is_no_array_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.npy: it cannot be read: No such file"):
        read_vector(tmp_path / "gone.npy")
    np.save(tmp_path / "v.npy", np.array([{}], dtype=object))
    with pytest.raises(DataError, match="no array"):
        read_vector(tmp_path / "v.npy")
    for garbage in (b"", b"hello", (tmp_path / "v.npy").read_bytes()[:30]):
        (tmp_path / "v.npy").write_bytes(garbage)
        with pytest.raises(DataError, match=r"v\.npy"):
            read_vector(tmp_path / "v.npy")


def test_vectors_of_another_model_or_length_are_refused() -> None:
    check_examples({"a": Example(unit(0), "audio", "abc"), "b": Example(unit(0), None, "")}, "abc")
    with pytest.raises(ModelError, match=r"a is of the model abc.*xyz"):
        check_examples({"a": Example(unit(0), "audio", "abc")}, "xyz")
    with pytest.raises(ModelError, match=r"b has 16 numbers.*have 256"):
        check_examples({"b": Example(unit(0), None, "")}, "abc", 256)


def test_examples_travel_as_plain_data() -> None:
    mine = {"/a/rex.wav": Example(unit(0), "audio", "abc"), "/v.npy": Example(unit(1), None, "")}
    there = received(json.loads(json.dumps(sent(mine))))
    assert received(None) == {}
    for what, example in mine.items():
        assert (there[what].modality, there[what].model) == (example.modality, example.model)
        np.testing.assert_allclose(there[what].vector, example.vector, atol=1e-6)


@pytest.mark.parametrize(
    "content",
    [
        [],
        {"a": 1},
        {"a": {"vector": "AAAA", "model": ""}},
        {"a": {"vector": "!", "model": ""}},
        {"a": {"vector": "AADAfw==", "model": ""}},  # NaN
        {"a": {"vector": "AACAPw==", "model": "", "modality": "text"}},
        {"a": {"vector": "AACAPw==", "model": "", "modality": "smell"}},
    ],
)
def test_what_is_no_example_is_refused(content: Any) -> None:
    with pytest.raises(DataError):
        received(content)
