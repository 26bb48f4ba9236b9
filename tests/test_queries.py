"""Queries: from words, and from what was taught, to what the matcher takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bindstream.config import QueryConfig
from bindstream.errors import ConfigError, DataError, ModelError
from bindstream.matcher import Matcher, Query, Vectors
from bindstream.queries import (
    doubts,
    encode_query,
    examples_for,
    narrowed,
    taught_of,
    unknown_words_warning,
)
from bindstream.teaching.taught import read_taught, save_taught
from bindstream.terms.examples import Example, sent
from tests.teaching.test_taught import made


def no_text_tower(texts: list[str]) -> Vectors:
    raise AssertionError("a taught query needs no words")


@pytest.fixture
def beep(tmp_path: Path) -> Path:
    path = tmp_path / "beep.json"
    save_taught(made(), path)
    return path


def encoded(path: Path, model: str = "abc", **over: object) -> Query:
    config = QueryConfig.model_validate({"taught": str(path), **over})
    return encode_query(config, no_text_tower, model)


def test_a_taught_query_has_its_vector_level_and_modality(beep: Path) -> None:
    query = encoded(beep)
    np.testing.assert_array_equal(query.positive, made().unit)
    assert (query.level, query.model) == (made().level, "abc")
    assert query.config.modalities == ("audio",)
    assert (query.config.id, query.config.text) == ("beep", ("beep",))


def test_words_beside_it_are_what_alerts_show(beep: Path) -> None:
    query = encoded(beep, text="the washer is done", id="washer")
    assert (query.config.id, query.config.text) == ("washer", ("the washer is done",))
    np.testing.assert_array_equal(query.positive, made().unit)


def test_one_of_another_model_is_refused_with_the_way_out(beep: Path) -> None:
    with pytest.raises(ModelError, match=r"is of the model tiny \(abc\).*teach --again .*beep"):
        encoded(beep, model="xyz")


def test_one_that_is_to_listen_to_something_else_is_refused(beep: Path) -> None:
    with pytest.raises(ConfigError, match="taught by audio and is to listen to vision"):
        encoded(beep, modalities="vision")
    assert encoded(beep, modalities=["audio", "imu"]).config.modalities == ("audio",)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.json: it cannot be read"):
        encoded(tmp_path / "gone.json")


def test_what_came_with_the_request_is_taken_instead_of_the_file(tmp_path: Path) -> None:
    config = QueryConfig.model_validate({"taught": str(tmp_path / "gone.json")})
    taught = taught_of(config, made().model_dump(mode="json", exclude={"examples"}))
    assert taught is not None
    query = encode_query(config, no_text_tower, "abc", taught)
    np.testing.assert_array_equal(query.positive, made().unit)
    with pytest.raises(DataError, match="no taught query"):
        taught_of(config, {"vector": 1})


def test_a_query_of_words_is_left_as_it_is(beep: Path) -> None:
    words = QueryConfig(text=("a dog",))
    assert taught_of(words, read_taught(beep).model_dump()) is None
    assert narrowed(words, None) is words
    query = encode_query(words, lambda texts: np.eye(4, dtype=np.float32)[: len(texts)], "m")
    assert query.level is None


class Texts:
    """Words to the axes of a small space, in the order in which they come up."""

    fingerprint, dim = "m", 8

    def __init__(self) -> None:
        self.known: list[str] = []

    def __call__(self, texts: list[str]) -> Vectors:
        self.known += [text for text in texts if text not in self.known]
        return np.eye(self.dim, dtype=np.float32)[[self.known.index(text) for text in texts]]

    def encode(self, modality: object, batch: object) -> Vectors:
        raise AssertionError("no recording is to be read")


def summed(examples: dict[str, Example] | None = None, **given: object) -> Query:
    config = QueryConfig.model_validate(given)
    return encode_query(config, Texts(), "m", examples=examples)


def test_a_sum_of_words_is_held_against_what_words_are() -> None:
    query = summed(text=["a dog", "barking"], plus="2*a puppy", minus="0.5*rain", negatives="cat")
    expected = np.array([0.5**0.5, 0.5**0.5, 0, 2, -0.5, 0, 0, 0])
    np.testing.assert_allclose(query.positive, expected / np.linalg.norm(expected), atol=1e-6)
    np.testing.assert_array_equal(query.negatives, np.eye(8)[[2]])
    assert (query.level, query.config.modalities) == (None, None)
    assert Matcher([query], np.eye(8, dtype=np.float32)[5:]).has_contrast.all()


def test_a_sum_with_an_example_is_held_against_nothing_and_listens_to_what_it_is_of() -> None:
    bark = {"/rex.wav": Example(np.eye(8, dtype=np.float32)[7], "audio", "m")}
    query = summed(bark, text="a dog", plus="/rex.wav")
    np.testing.assert_allclose(query.positive[[0, 7]], [0.5**0.5] * 2, atol=1e-6)
    assert query.config.modalities == ("audio",)
    matcher = Matcher([query], np.eye(8, dtype=np.float32)[5:])
    assert not matcher.has_contrast.any()
    cosines, values = matcher.push(np.eye(8, dtype=np.float32))
    np.testing.assert_array_equal(cosines, values)
    assert summed(bark, like="/rex.wav", modalities="vision").config.modalities == ("vision",)
    both = {**bark, "/x.jpg": Example(np.eye(8, dtype=np.float32)[6], "vision", "m")}
    two = summed(both, like=["/rex.wav", "/x.jpg"])
    assert two.config.modalities == ("vision", "audio")


def test_examples_alone_need_no_text_tower() -> None:
    config = QueryConfig.model_validate({"like": "/rex.wav"})
    bark = {"/rex.wav": Example(np.eye(8, dtype=np.float32)[7], "audio", "m")}
    assert encode_query(config, no_text_tower, "m", examples=bark).positive[7] == 1


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"text": "a dog", "minus": "a dog"}, "query 'a-dog': what is asked for cancels out"),
        ({"text": "a dog", "plus": "/v.npy"}, "nothing says which sensor .* `modalities: audio`"),
        (
            {"text": "a dog", "plus": "/v.npy", "modalities": "audio", "negatives": "a cat"},
            "'a cat' cannot be held against a sum with examples.*minus",
        ),
    ],
)
def test_sums_that_cannot_be_watched_for_are_refused(given: dict[str, object], why: str) -> None:
    vector = {"/v.npy": Example(np.eye(8, dtype=np.float32)[7], None, "")}
    with pytest.raises(ConfigError, match=why):
        summed(vector if "plus" in given else None, **given)


def test_examples_that_came_with_the_request_are_taken_and_must_be_of_this_model(
    tmp_path: Path,
) -> None:
    file, vector = str(tmp_path / "far.wav"), np.eye(8, dtype=np.float32)[7]
    config = QueryConfig.model_validate({"like": file})
    content = sent({file: Example(vector, "audio", "m")})
    found = examples_for(config, Texts(), None, content)
    np.testing.assert_array_equal(found[file].vector, vector)
    with pytest.raises(ModelError, match=r"query 'far': .*far\.wav is of the model x"):
        examples_for(config, Texts(), None, sent({file: Example(vector, "audio", "x")}))
    with pytest.raises(ModelError, match="has 4 numbers"):
        examples_for(config, Texts(), None, sent({file: Example(vector[4:], "audio", "m")}))
    np.save(tmp_path / "v.npy", vector[4:])
    short = QueryConfig.model_validate({"like": str(tmp_path / "v.npy")})
    with pytest.raises(ModelError, match=r"v\.npy has 4 numbers"):
        examples_for(short, Texts(), None)


def test_unknown_words_are_told_of_what_is_added_and_taken_off() -> None:
    config = QueryConfig.model_validate({"text": "a dog", "plus": "a wug", "minus": "a gostak"})
    assert config.texts == ("a dog", "a wug", "a gostak")
    assert doubts(config, ["wug"]) == [unknown_words_warning(config, ["wug"])]
