"""Trainings in YAML: the published recipe unless something else is said, all faults at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from bindstream.errors import ConfigError
from bindstream.models.directory import read_spec
from bindstream.training.config import load_training, size_of, starts_fresh
from bindstream.training.recipe import PUBLISHED

SIZE = {"width": 32, "blocks": 1, "heads": 2}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pairs.csv").write_text("file,class\na.wav,dog\n")
    return tmp_path


def training(folder: Path, **given: Any) -> Path:
    content = {
        "out": "made",
        "towers": [{"modality": "audio"}],
        "data": [{"manifest": "pairs.csv"}],
        **given,
    }
    path = folder / "training.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def test_the_recipe_is_the_published_one_but_for_what_is_said(folder: Path) -> None:
    config = load_training(training(folder))
    assert config.towers[0].recipe == PUBLISHED["audio"]
    path = training(folder, towers=[{"modality": "audio", "recipe": {"minutes": 3, "batch": 16}}])
    recipe = load_training(path).towers[0].recipe
    assert recipe == PUBLISHED["audio"].model_copy(update={"minutes": 3, "epochs": 0, "batch": 16})


def test_minutes_take_the_place_of_every_length_and_are_shared(folder: Path) -> None:
    towers = [{"modality": "audio", "recipe": {"steps": 5}}, {"modality": "vision"}]
    config = load_training(training(folder, towers=towers), minutes=3)
    assert [(t.recipe.minutes, t.recipe.steps, t.recipe.epochs) for t in config.towers] == [
        (1.5, 0, 0),
        (1.5, 0, 0),
    ]


def test_paths_start_from_the_file_and_out_may_be_given(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_training(training(folder))
    assert config.out == folder / "made"
    assert config.work_folder == folder / "made.work"
    assert config.data[0].manifest == folder / "pairs.csv"
    monkeypatch.chdir(tmp_path)
    assert load_training(training(folder), out=Path("there")).out == tmp_path / "there"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"towers": []}, "towers: "),
        ({"towers": [{"modality": "smell"}]}, ":3: towers[0].modality: "),
        ({"towers": [{"modality": "audio", "recipe": {"rat": 1}}]}, "Did you mean 'rate'?"),
        ({"towers": [{"modality": "audio", "recipe": {"rate": -1}}]}, "recipe.rate: "),
        ({"towers": [{"modality": "audio", "recipe": {"epochs": 1, "steps": 1}}]}, "give one of"),
        ({"towers": [{"modality": "vision"}]}, "give one of epochs, steps and minutes"),
        ({"towers": [{"modality": "audio", "size": {"width": 3}}]}, "size.blocks: is required"),
        ({"towers": [{"modality": "audio", "size": {**SIZE, "heads": 3}}]}, "not a multiple of 3"),
        (
            {"towers": [{"modality": "audio", "size": SIZE, "start": "base"}]},
            "cannot start from the base's audio tower",
        ),
        ({"towers": [{"modality": "audio"}, {"modality": "audio"}]}, "towers name audio twice"),
        ({"held_out": 1.0}, ":6: held_out: "),
        ({"held_out": float("nan")}, "held_out: "),
        ({"views": 0}, "views: "),
        ({"templates": ["a photo"]}, "has not exactly one {}"),
        ({"classes": {"dog": ["..."]}}, "a phrase without a word"),
        ({"base": "nobody"}, "base: No model of this name"),
        ({"data": [{"manifest": "none.csv"}]}, ":5: data[0].manifest: there is no file"),
        ({"data": [{"manifest": "~draft.csv"}]}, "data[0].manifest: there is no file"),
        ({"dat": []}, "Did you mean 'data'?"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_the_way_out(
    folder: Path, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match="problem") as raised:
        load_training(training(folder, **given))
    assert said in str(raised.value)


def test_several_faults_are_said_at_once(folder: Path) -> None:
    path = training(folder, towers=[{"modality": "x"}], held_out=2, seeds=1)
    with pytest.raises(ConfigError, match="3 problems") as raised:
        load_training(path)
    assert all(name in str(raised.value) for name in ("modality", "held_out", "seeds"))


@pytest.mark.parametrize("content", ["", "- a", "out: [", "out: a\nout: b", "\x00"])
def test_what_is_no_training_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "training.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"training\.yaml"):
        load_training(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_training(tmp_path / "none.yaml")


def test_a_tower_is_as_the_bases_unless_a_size_is_given(folder: Path, tiny_model: Path) -> None:
    spec = read_spec(tiny_model)
    as_base, other = load_training(
        training(folder, base=str(tiny_model), towers=[
            {"modality": "audio"}, {"modality": "imu", "size": {**SIZE, "width": 64}}
        ])
    ).towers  # fmt: skip
    assert size_of(as_base, spec) == spec.towers["audio"]
    assert not starts_fresh(as_base, spec)
    assert (size_of(other, spec).width, size_of(other, spec).dim) == (64, spec.dim)
    assert starts_fresh(other, spec)


def test_the_example_can_be_run_as_it_is() -> None:
    for path in (Path(__file__).parents[2] / "configs" / "train").glob("*.yaml"):
        assert load_training(path).towers
