from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bindstream.errors import ConfigError
from bindstream.evaluation.templates import PUBLISHED, name_vectors, templates
from bindstream.models import load_model


class Spelling:
    """Vectors that count letters, so that a mean can be worked out."""

    dim = 26

    def __init__(self) -> None:
        self.texts: list[str] = []

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        self.texts += texts
        rows = np.array([[t.count(chr(97 + i)) for i in range(26)] for t in texts], np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_a_name_is_the_unit_mean_of_its_sentences(tmp_path: Path) -> None:
    (tmp_path / "two.txt").write_text("a {}\n\nthe {} there\n")
    chosen = templates(str(tmp_path / "two.txt"))
    assert (chosen.name, chosen.sentences) == ("two.txt", ("a {}", "the {} there"))
    model = Spelling()
    names = ["dog", "cat {x}"]
    found = name_vectors(model, names, chosen)
    assert model.texts[:2] == ["a dog", "the dog there"]
    first, second = Spelling().encode_text(["a dog", "the dog there"])
    mean = (first + second) / 2
    np.testing.assert_allclose(found[0], mean / np.linalg.norm(mean), atol=1e-6)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-6)


def test_many_names_are_encoded_in_parts_and_in_order() -> None:
    model, told = Spelling(), []
    names = [f"{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(60)]
    found = name_vectors(model, names, templates("published"), told.append)
    assert told == [25, 50, 60]
    assert len(model.texts) == 60 * 80
    alone = name_vectors(Spelling(), names[41:42], templates("published"))
    np.testing.assert_allclose(found[41], alone[0], atol=1e-6)


def test_the_published_sentences_are_clips_eighty() -> None:
    assert len(PUBLISHED) == len(set(PUBLISHED)) == 80
    assert all(line.count("{}") == 1 and line.endswith(".") for line in PUBLISHED)
    assert "itap of my {}." in PUBLISHED


def test_plain_is_the_name_alone(tiny_model: Path) -> None:
    model = load_model(tiny_model, modalities=["text"], device="cpu")
    names = ["a dog barking", "silence"]
    found = name_vectors(model, names, templates("plain"))
    np.testing.assert_allclose(found, model.encode_text(names), atol=1e-6)


@pytest.mark.parametrize(
    ("written", "complaint"),
    [("a dog\n", "0 places"), ("{} and {}\n", "2 places"), ("\n", "no sentence")],
)
def test_sentences_without_one_place_for_a_name_are_refused(
    tmp_path: Path, written: str, complaint: str
) -> None:
    (tmp_path / "bad.txt").write_text(written)
    with pytest.raises(ConfigError, match=complaint):
        templates(str(tmp_path / "bad.txt"))


def test_templates_that_there_are_not_are_refused() -> None:
    with pytest.raises(ConfigError, match="neither plain nor published"):
        templates("fancy")
