from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from bindstream.background import BACKGROUND
from bindstream.errors import DataError, ModelError
from bindstream.features.whole import model_inputs
from bindstream.modalities import MODALITIES, SENSORS
from bindstream.models import load_model
from bindstream.models.directory import CARD, TOKENIZER
from bindstream.models.encoder import DEFAULT_TEMPERATURE, Model
from bindstream.models.tokenizer import TOKENS
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
    broken, endless = good.copy(), good.astype(np.float64)
    broken.flat[5] = np.nan
    endless.flat[5] = 1e300  # which float32 does not hold
    due = ", ".join(map(str, MODALITIES[modality].model_input))
    for wrong, says in (
        (good[0], rf"has shape .*, \(B, {due}\) is due"),
        (good[..., :-1], "has shape"),
        (good[None], "has shape"),
        (np.float32(3), r"has shape \(\)"),
        (good.astype(np.int16), "int16, float32 is needed. Give raw data to `embed`"),
        (good.astype(np.complex64), "complex64"),
        (broken, "NaN or infinity"),
        (endless, "NaN or infinity"),
        (-np.inf * np.ones_like(good), "NaN or infinity"),
    ):
        with pytest.raises(DataError, match=says):
            model.encode(modality, wrong)


@pytest.mark.parametrize("wave", [np.zeros(32000, np.int16), np.zeros(32000, np.int32)])
def test_a_wave_of_integers_is_refused_with_the_way_out(model, wave):
    with pytest.raises(DataError, match=f"Sound is {wave.dtype}") as raised:
        model.embed("audio", wave)
    assert raised.value.fix == "Divide int16 samples by 32768."
    with pytest.raises(DataError, match=r"has shape \(32000,\)") as raised:
        model.encode("audio", wave)
    assert "`embed`" in raised.value.fix


@pytest.mark.parametrize(
    ("modality", "data", "says"),
    [
        ("audio", None, "Sound is object"),
        ("audio", 5, "Sound is int64"),
        ("audio", np.zeros(0, np.float32), "too short"),
        ("audio", np.zeros((32000, 2), np.float32), "Average the channels"),
        ("audio", np.full(32000, np.nan, np.float32), "NaN"),
        ("vision", np.zeros((50, 50), np.uint8), "Picture has shape"),
        ("thermal", np.zeros((50, 50), np.uint16), "Thermal frame is uint16"),
        ("depth", np.zeros((50, 50), np.int16), "Depth frame is int16"),
        ("imu", np.zeros((100, 6), np.float32), r"ndarray, \(times_ns, readings\) are needed"),
        ("imu", None, "NoneType"),
        ("imu", (np.arange(100) * 10**7, np.zeros((100, 6), np.int16)), "readings are int16"),
        ("text", [None], "None is not text"),
        ("text", None, "list of texts"),
        ("text", b"dog", "list of texts"),
    ],
)
def test_raw_data_that_cannot_be_used_are_refused(model, modality, data, says):
    with pytest.raises(DataError, match=says):
        model.embed(modality, data)


def test_texts_of_many_lengths_keep_their_order_and_their_vectors(model):
    texts = [" ".join(narrow.WORDS[:n]) * repeat for repeat in (1, 9) for n in (9, 1, 13, 4)]
    texts = texts * (2 * TOKENS // 77)
    together = model.encode_text(texts)
    alone = np.concatenate([model.encode_text([text]) for text in texts[:8]])
    assert len(np.unique(alone.round(4), axis=0)) == 8
    np.testing.assert_allclose(together, np.tile(alone, (len(texts) // 8, 1)), atol=1e-5)


def test_texts_encoded_are_counted(model):
    before = model.texts_encoded
    model.encode_text(["a dog", "glass"])
    with pytest.raises(DataError):
        model.encode_text(["a dog", ""])
    model.encode_text([])
    assert model.texts_encoded == before + 2


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
    with pytest.raises(ModelError, match=r"audio is not loaded \(loaded: imu, text\)") as raised:
        model.encode("audio", batch("audio", 1))
    assert "Load the towers you need" in raised.value.fix
    sensors = load_model(tmp_path, modalities=["imu"], device="cpu")
    with pytest.raises(ModelError, match="text is not loaded"):
        sensors.encode_text(["a dog"])


def test_a_sound_model_gave_its_golden_vectors_when_it_was_loaded(model):
    assert set(model.golden) == {*SENSORS, "text"}
    assert min(model.golden.values()) > 0.99999
    assert model.faults() == {}


@pytest.mark.parametrize("modality", [*SENSORS, "text"])
def test_a_tower_with_weights_of_another_is_not_loaded(tmp_path, modality):
    narrow.save(tmp_path)
    path = tmp_path / f"{modality}.safetensors"
    weights = load_file(path)
    weights["head.weight"] = weights["head.weight"].roll(1, 0)
    save_file(weights, path)
    narrow.state(tmp_path, path.name)
    with pytest.raises(ModelError, match="other vectors than it was saved with") as raised:
        load_model(tmp_path, precision="float32")
    assert f"tower {modality}" in raised.value.where
    others = load_model(tmp_path, modalities=[m for m in MODALITIES if m != modality])
    assert others.faults() == {}


def test_a_tower_that_answers_with_nan_is_refused(tmp_path):
    narrow.save(tmp_path)
    model = load_model(tmp_path, device="cpu", precision="float32")
    with torch.inference_mode():
        model._towers["imu"].head.weight[0, 0] = torch.nan
    with pytest.raises(ModelError, match="imu answered with NaN in float32") as raised:
        model.encode("imu", batch("imu", 1))
    assert "device='cpu'" in raised.value.fix
    assert "precision" not in raised.value.fix  # there is none wider


def test_a_tower_that_overflows_float16_says_to_compute_in_wider_numbers(tmp_path):
    narrow.save(tmp_path)
    loud = 1e6 * batch("imu", 1)
    model = load_model(tmp_path, modalities=["imu"], device="cpu", precision="float16")
    with pytest.raises(ModelError, match="imu answered with NaN in float16") as raised:
        model.encode("imu", loud)
    assert "`precision: bfloat16`, or float32" in raised.value.fix
    assert "device='cpu'" in raised.value.fix
    wider = load_model(tmp_path, modalities=["imu"], device="cpu", precision="bfloat16")
    assert np.isfinite(wider.encode("imu", loud)).all()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"end_id": 4}, "18 tokens ending with 3, the text tower 18 ending with 4"),
        ({"vocabulary": 17}, "the text tower 17 ending with 3"),
        ({"vocabulary": 19}, "the text tower 19 ending with 3"),
    ],
)
def test_a_tokenizer_that_is_not_the_text_tower_s_is_refused(tmp_path, changes, says):
    narrow.save(tmp_path)
    card = json.loads((tmp_path / CARD).read_text())
    card["towers"]["text"].update(changes)
    (tmp_path / CARD).write_text(json.dumps(card))
    with pytest.raises(ModelError, match=says) as raised:
        load_model(tmp_path, modalities=["text"])
    assert raised.value.where == str(tmp_path / TOKENIZER)
    model = load_model(tmp_path, modalities=["imu"])
    with pytest.raises(ModelError, match=says):
        model.load("text")
    assert model.modalities == ("imu",)


def test_a_tokenizer_whose_ids_lie_beyond_the_text_tower_is_refused(tmp_path):
    narrow.save(tmp_path)
    stated = json.loads((tmp_path / TOKENIZER).read_text())
    stated["model"]["vocab"]["siren"] = 1000  # as many tokens as before
    (tmp_path / TOKENIZER).write_text(json.dumps(stated))
    narrow.state(tmp_path, TOKENIZER)
    with pytest.raises(ModelError, match="1001 tokens ending with 3"):
        load_model(tmp_path, modalities=["text"])
