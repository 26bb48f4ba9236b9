from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bindstream.errors import ConfigError, ModelError
from bindstream.history import History
from bindstream.history.question import ask
from bindstream.models import load_model
from bindstream.terms.term import term
from tests.history.windows import MODEL, NOON_NS, SECOND_NS, unit, window, written
from tests.teaching import recordings

ID = f"door/{NOON_NS}"


@pytest.fixture
def history(tmp_path: Path) -> History:
    written(tmp_path / "history", [window(seq=i) for i in range(10)])
    return History(tmp_path / "history")


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


def test_files_are_embedded_and_held_against_nothing(
    history: History, tiny_model: Path, tmp_path: Path
) -> None:
    file = recordings.write(tmp_path / "beep.wav", recordings.beeps(0))
    terms = [term(str(file))]
    model = load_model(tiny_model, modalities=["audio"], device="cpu", threads=1)
    question = ask(history, model, [], terms)
    assert dict(question.others) == {}
    alike = model.embed("audio", file) @ question.vector
    assert alike.mean() > 0.9


def test_a_window_of_another_model_cannot_be_added_to_words(
    history: History, tiny_model: Path
) -> None:
    model = load_model(tiny_model, modalities=["text"], device="cpu", threads=1)
    with pytest.raises(ModelError, match=rf"of the model {MODEL}.*Give the model"):
        ask(history, model, ["a dog"], [term(ID)])
