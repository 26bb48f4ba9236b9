"""Queries: from words, and from what was taught, to what the matcher takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bindstream.config import QueryConfig
from bindstream.errors import ConfigError, DataError, ModelError
from bindstream.matcher import Query, Vectors
from bindstream.queries import encode_query, narrowed, taught_of
from bindstream.teaching.taught import read_taught, save_taught
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
