"""The starter that comes with the package: small, loadable, and right about unseen houses."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from bindstream.modalities import MODALITIES, SENSORS
from bindstream.models import INSTALLED, load_model
from bindstream.models.encoder import Model
from bindstream.records import ModalityName
from bindstream.scene.catalogue import CATALOGUE, kinds_of
from bindstream.training.starter.held_out import PART, house, houses
from bindstream.training.starter.making import PART as TRAINED_PART
from bindstream.training.starter.making import export, new_tower, tokenizer

STARTER = INSTALLED / "starter"
PER_KIND = {"audio": 2, "vision": 3, "thermal": 3, "depth": 5, "imu": 2}


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model("starter", device="cpu")


def test_starter_is_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in STARTER.iterdir()) < 25e6


def test_starter_has_all_towers_and_answers_as_it_was_saved(model: Model) -> None:
    assert set(model.modalities) == set(MODALITIES)
    assert model.faults() == {}


def test_held_out_houses_are_not_those_of_the_training() -> None:
    assert PART != TRAINED_PART


@pytest.mark.parametrize("modality", SENSORS)
def test_starter_finds_the_right_words_for_events_in_unseen_houses(
    model: Model, modality: ModalityName
) -> None:
    kinds = kinds_of(modality)
    words = model.encode_text([CATALOGUE[kind].words for kind in kinds])
    inputs = [
        (kind, house(modality, kind, index))
        for kind in kinds
        for index in range(PER_KIND[modality])
    ]
    vectors = model.encode(modality, np.stack([x for _, x in inputs]))
    best = (vectors @ words.T).argmax(1)
    right = np.mean([kinds[i] == kind for i, (kind, _) in zip(best, inputs, strict=True)])
    assert right >= 2 / len(kinds)  # twice what chance gives


def test_rendered_examples_hold_every_kind_and_background() -> None:
    shown = [one.concepts for one in houses("depth", 1)]
    assert {name for concepts in shown for name in concepts} == {*kinds_of("depth"), "empty_view"}


def test_every_word_of_the_simulated_house_is_known_to_the_starter(model: Model) -> None:
    for kind in CATALOGUE.values():
        for says in kind.says.values():
            for phrase in says:
                assert model.unknown_words(phrase) == [], phrase
    assert model.unknown_words("a zeppelin barking") == ["zeppelin"]


def test_every_sound_used_is_credited_with_author_and_licence() -> None:
    with (STARTER / "ATTRIBUTION.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 500
    assert all(row["licence"].startswith("CC") for row in rows)
    assert all(row["author"] for row in rows if row["licence"] != "CC0")


def test_export_writes_a_model_from_whatever_towers_are_trained(tmp_path: Path) -> None:
    tokens = tokenizer()
    for modality in ("text", "imu"):
        state = new_tower(modality, tokens).state_dict()
        torch.save({"averaged": state}, tmp_path / f"{modality}.pt")
    export(tmp_path, tmp_path / "out")
    found = load_model(tmp_path / "out", device="cpu")
    assert set(found.modalities) == {"text", "imu"}
