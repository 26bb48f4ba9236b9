from __future__ import annotations

import numpy as np
import pytest
import torch

from bindstream.background import BACKGROUND
from bindstream.errors import DataError, ModelError
from bindstream.features.whole import model_inputs
from bindstream.modalities import MODALITIES, SENSORS
from bindstream.models import load_model
from bindstream.models.encoder import DEFAULT_TEMPERATURE, Model
from bindstream.models.precision import LEAST_COSINE
from tests.models import narrow

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Model:
    directory = tmp_path_factory.mktemp("model")
    narrow.save(directory)
    return load_model(directory, device="cpu", precision="float32")


def batch(modality: str, rows: int) -> np.ndarray:
    return RNG.standard_normal((rows, *MODALITIES[modality].model_input), np.float32)


@pytest.mark.parametrize("modality", SENSORS)
def test_model_inputs_become_unit_vectors(model, modality):
    vectors = model.encode(modality, batch(modality, 3))
    assert vectors.shape == (3, narrow.DIM)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_texts_become_unit_vectors(model):
    vectors = model.encode_text(["a dog barking", "a dog barking", "glass " * 200])
    assert vectors.shape == (3, narrow.DIM)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(vectors[0], vectors[1], rtol=1e-5)
    assert vectors[0] @ vectors[2] < 0.999


WORDLESS = {
    "empty": "",
    "blank": " \t\n\u00a0",
    "escaped blank": "&amp;nbsp;",
    "control characters": "\x00\x07\x1b",
    "joiners": "\u200d\ufe0f",
    "pictographs": "🔥 🐕",
    "punctuation": "?!… _",
    "bytes that are no text": b"\xff\xfe".decode(errors="surrogateescape"),
    "marks of bytes that were no text": "\ufffd\ufffd",
}


@pytest.mark.parametrize("text", WORDLESS.values(), ids=WORDLESS)
def test_a_text_without_a_word_is_refused(model, text):
    for texts in ([text], ["a dog", text]):
        with pytest.raises(DataError, match="no word in the text") as raised:
            model.encode_text(texts)
        assert repr(text) in str(raised.value)
        assert "in words" in raised.value.fix
    with pytest.raises(DataError, match="no word"):
        model.embed("text", text)


def test_an_empty_batch_gives_no_vectors(model):
    assert model.encode("imu", np.zeros((0, 6, 2000), np.float32)).shape == (0, narrow.DIM)
    assert model.encode_text([]).shape == (0, narrow.DIM)


def test_float64_and_strided_batches_are_taken(model):
    rows = batch("imu", 4)
    expected = model.encode("imu", rows[::2])
    np.testing.assert_allclose(model.encode("imu", rows.astype(np.float64)[::2]), expected)


@pytest.mark.parametrize("modality", SENSORS)
def test_batches_that_are_no_model_inputs_are_refused(model, modality):
    good = batch(modality, 1)
    broken = good.copy()
    broken.flat[5] = np.nan
    for wrong, says in (
        (good[0], "has shape"),
        (good[..., :-1], "has shape"),
        (good.astype(np.int16), "int16"),
        (broken, "NaN"),
    ):
        with pytest.raises(DataError, match=says):
            model.encode(modality, wrong)


def test_text_goes_its_own_way(model):
    with pytest.raises(DataError, match="encode_text"):
        model.encode("text", np.zeros((1, 77), np.int64))
    with pytest.raises(DataError, match="list of texts"):
        model.encode_text("a dog")
    with pytest.raises(DataError, match="3"):
        model.encode_text([3])


def test_unknown_words_are_named(model):
    assert model.unknown_words("a zebra barking") == ["zebra"]


def test_background_is_the_model_s_own_or_the_common_one(model):
    assert model.background("audio") == ("the sound of a person",)
    assert model.background("imu") == BACKGROUND["imu"]


def test_probabilities_share_one_among_the_texts(model):
    cosines = np.array([[0.3, 0.25, 0.1], [-1, 1, 0]], np.float32)
    shares = model.probability("audio", cosines)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
    assert shares[0, 0] / shares[0, 1] == pytest.approx(np.exp(0.05 / 0.05), rel=1e-4)
    assert model.temperature("imu") == DEFAULT_TEMPERATURE


def test_raw_data_are_embedded_a_row_a_window(model):
    wave = RNG.normal(0, 0.1, 16000 * 50).astype(np.float32)
    vectors = model.embed("audio", wave)
    assert vectors.shape == (25, narrow.DIM)
    inputs = model_inputs("audio", wave)
    np.testing.assert_allclose(vectors[17:], model.encode("audio", inputs[17:]), atol=1e-5)
    assert model.embed("text", "a dog").shape == (1, narrow.DIM)
    assert model.embed("text", ["a dog", "glass"]).shape == (2, narrow.DIM)
    image = RNG.integers(0, 256, (50, 60, 3), np.uint8)
    assert model.embed("vision", image).shape == (1, narrow.DIM)


def test_a_tower_that_is_not_loaded_is_named(tmp_path):
    narrow.save(tmp_path)
    model = load_model(tmp_path, modalities=["imu", "text", "text"])
    assert model.modalities == ("imu", "text")
    with pytest.raises(ModelError, match=r"audio is not loaded \(loaded: imu, text\)"):
        model.encode("audio", batch("audio", 1))


def test_a_sound_model_passes_its_own_check(model):
    cosines = model.check()
    assert set(cosines) == {*SENSORS, "text"}
    assert min(cosines.values()) > 0.99999


@pytest.mark.parametrize("modality", [*SENSORS, "text"])
def test_a_tower_that_answers_otherwise_fails_its_check(tmp_path, modality):
    narrow.save(tmp_path)
    model = load_model(tmp_path, precision="float32")
    with torch.inference_mode():
        head = model._towers[modality].head.weight
        head.copy_(head.roll(1, 0))
    cosines = model.check()
    assert cosines.pop(modality) < LEAST_COSINE["float32"]
    assert min(cosines.values()) > 0.99999


def test_a_tower_that_answers_with_nan_is_refused(tmp_path):
    narrow.save(tmp_path)
    model = load_model(tmp_path, device="cpu", precision="float32")
    with torch.inference_mode():
        model._towers["imu"].head.weight[0, 0] = torch.nan
    assert not model.check()["imu"] >= LEAST_COSINE["float32"]
    with pytest.raises(ModelError, match="imu answered with NaN"):
        model.encode("imu", batch("imu", 1))
