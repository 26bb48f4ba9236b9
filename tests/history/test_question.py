from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bindstream.errors import ConfigError, DataError, HistoryError
from bindstream.history import History
from bindstream.history.question import Term, ask, stored, term, towers, window_named
from bindstream.models import load_model
from tests.history.windows import MODEL, NOON_NS, SECOND_NS, unit, window, written
from tests.teaching import recordings

ID = f"door/{NOON_NS}"


@pytest.fixture
def history(tmp_path: Path) -> History:
    written(tmp_path / "history", [window(seq=i) for i in range(10)])
    return History(tmp_path / "history")


def test_terms_are_told_apart_by_what_they_look_like(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bark.wav").write_bytes(b"")
    Path("2*3").write_bytes(b"")
    assert term("a dog") == Term("words", "a dog", 1.0)
    assert term("0.5*a dog", -1) == Term("words", "a dog", -0.5)
    assert term("bark.wav") == Term("file", "bark.wav", 1.0)
    assert term(".25*bark.wav") == Term("file", "bark.wav", 0.25)
    assert term("gone.wav") == Term("words", "gone.wav", 1.0)
    assert term(ID) == Term("window", ID, 1.0)
    assert term(f"2*glass-breaking/{ID}") == Term("window", f"glass-breaking/{ID}", 2.0)


def test_windows_and_alerts_name_stream_and_time() -> None:
    assert window_named(ID) == ("door", NOON_NS)
    assert window_named(f"glass-breaking/{ID}") == ("door", NOON_NS)
    for wrong in ("door", "door/12", "a dog", f"a/b/{ID}", f"Door/{NOON_NS}"):
        with pytest.raises(ConfigError, match="STREAM/START_NS"):
            window_named(wrong)


def test_a_stored_window_is_found_by_its_id(history: History) -> None:
    (found,) = stored(history, f"door/{NOON_NS + 3 * SECOND_NS}")
    assert found.seq == 3
    assert [e.seq for e in stored(history, ID, length_s=5)] == [0, 1, 2, 3]
    with pytest.raises(HistoryError, match=r"no window of 'mic'.*search --json"):
        stored(history, f"mic/{NOON_NS}")


def test_windows_alone_need_no_model_and_say_whose_they_are(history: History) -> None:
    question = ask(history, None, [], [term(ID), term(f"0.5*door/{NOON_NS + SECOND_NS}", -1)])
    expected = unit(0) - 0.5 * unit(1)
    np.testing.assert_allclose(question.vector, expected / np.linalg.norm(expected), atol=2e-3)
    assert (question.model, dict(question.others)) == (MODEL, {})
    with pytest.raises(ConfigError, match="cancels out"):
        ask(history, None, [], [term(ID), term(ID, -1)])


def test_words_are_averaged_added_and_held_against_the_models_phrases(
    history: History, tiny_model: Path
) -> None:
    model = load_model(tiny_model, modalities=["text"], device="cpu", threads=1)
    texts = ["a dog", "a dog barking", "glass"]
    dog, barking, glass = model.encode_text(texts)
    question = ask(history, model, texts[:2], [term("0.5*glass", -1)])
    mean = (dog + barking) / np.linalg.norm(dog + barking)
    expected = mean - 0.5 * glass
    np.testing.assert_allclose(question.vector, expected / np.linalg.norm(expected), atol=1e-5)
    assert np.linalg.norm(question.vector) == pytest.approx(1, abs=1e-6)
    assert question.model == model.fingerprint
    assert set(question.others) == {"vision", "audio", "thermal", "depth", "imu"}


def test_files_are_embedded_and_need_the_tower_they_are_of(
    history: History, tiny_model: Path, tmp_path: Path
) -> None:
    file = recordings.write(tmp_path / "beep.wav", recordings.beeps(0))
    terms = [term(str(file))]
    assert towers(["words"], terms, None) == ["text", "audio"]
    assert towers([], [term(ID)], None) == []
    model = load_model(tiny_model, modalities=["audio"], device="cpu", threads=1)
    question = ask(history, model, [], terms)
    assert dict(question.others) == {}
    alike = model.embed("audio", file) @ question.vector
    assert alike.mean() > 0.9
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"RIFF")
    with pytest.raises(DataError, match=r"bad\.wav"):
        ask(history, model, [], [term(str(bad))])
    odd = tmp_path / "odd.xyz"
    odd.write_bytes(b"")
    with pytest.raises(ConfigError, match=r"odd\.xyz"):
        towers([], [term(str(odd))], None)


def test_a_window_of_another_model_cannot_be_added_to_words(
    history: History, tiny_model: Path
) -> None:
    model = load_model(tiny_model, modalities=["text"], device="cpu", threads=1)
    with pytest.raises(HistoryError, match=rf"of the model {MODEL}.*--model DIR"):
        ask(history, model, ["a dog"], [term(ID)])
