"""What has to be there before a tower is trained: its windows, its anchors, its first weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from bindstream.errors import ConfigError
from bindstream.models import load_model
from bindstream.models.directory import ModelSpec
from bindstream.models.encoder import Model
from bindstream.models.imagebind import Tower
from bindstream.models.loading import check_file, read_tensors
from bindstream.records import ModalityName
from bindstream.training.anchoring import Anchored, anchor
from bindstream.training.anchors import KeptVectors
from bindstream.training.config import TowerTraining, TrainConfig, size_of, starts_fresh
from bindstream.training.faults import refuse
from bindstream.training.manifest import Other, Words
from bindstream.training.material import Material, prepare
from bindstream.training.measuring import Measuring
from bindstream.training.pairs import Pair, Pairs
from bindstream.training.recipe import Recipe
from bindstream.training.trainer import Moment

FEW_STEPS = 200  # below which hardly anything is learned


class Report(Protocol):
    """Whoever is told how a training goes on."""

    def say(self, line: str) -> None:
        """Something to know."""

    def tell(self, what: str, done: int, total: int) -> None:
        """How much of what is done."""

    def moment(self, modality: ModalityName, moment: Moment) -> None:
        """Where a tower's training stands."""


@dataclass(frozen=True)
class Ready:
    """A tower with all that it is trained on. `said` is the first phrase of each class."""

    training: TowerTraining
    fresh: bool
    tower: Tower
    recipe: Recipe
    material: Material
    anchored: Anchored
    measuring: Measuring | None
    said: tuple[str, ...]


def prepared(
    config: TrainConfig,
    directory: Path,
    spec: ModelSpec,
    pairs: Pairs,
    device: str,
    report: Report,
) -> tuple[list[Ready], KeptVectors]:
    """Every tower with its windows and anchors, and the vectors that were kept. Blocks.

    The base is let go of before anything is trained.

    Raises:
        ConfigError: recordings that cannot be used, all of them, by line.
    """
    model = load_model(directory, modalities=_anchor_towers(pairs), device=device)
    towers = {m: f"{model.fingerprint} {precision}" for m, precision in model.precision.items()}
    kept = KeptVectors(config.work_folder / "anchors", towers)
    cut: list[tuple[TowerTraining, Material, Anchored, list[Pair]]] = []
    for training in config.towers:
        mine = [pair for pair in pairs.pairs if pair.modality == training.modality]
        anchored = anchor(mine, model, kept, config.views, report.tell)
        if "text" in model.modalities:
            _warn_of_words(model, mine, report)
        material = Material(training.modality, training.turn_rad, config.views)
        filled = sum(other.bytes for _, other, _, _ in cut)
        prepare(material, mine, anchored.of, report.tell, filled)
        cut.append((training, material, anchored, mine))
    problems = [p for _, material, found, _ in cut for p in (*found.problems, *material.problems)]
    refuse(problems, ", ".join(dict.fromkeys(str(each.manifest) for each in config.data)))
    return [_ready(config, directory, spec, *each, report) for each in cut], kept


def _anchor_towers(pairs: Pairs) -> list[ModalityName]:
    kinds = [p.anchor.modality if isinstance(p.anchor, Other) else "text" for p in pairs.pairs]
    return list(dict.fromkeys(kinds))


def _warn_of_words(model: Model, pairs: Sequence[Pair], report: Report) -> None:
    words = [pair.anchor for pair in pairs if isinstance(pair.anchor, Words)]
    phrases = {phrase for each in words for phrase in each.phrases}
    unknown = sorted({word for phrase in phrases for word in model.unknown_words(phrase)})
    if unknown:
        some = ", ".join(map(repr, unknown[:8])) + (" and others" if len(unknown) > 8 else "")
        report.say(
            f"the base has never seen the words {some}: say classes in words that it knows "
            "(`classes` in the configuration, or a column phrases)."
        )


def _ready(
    config: TrainConfig,
    directory: Path,
    spec: ModelSpec,
    training: TowerTraining,
    material: Material,
    anchored: Anchored,
    pairs: Sequence[Pair],
    report: Report,
) -> Ready:
    modality = training.modality
    recipe = _recipe(training, material, report)
    held_out, measuring = material.held_out, None
    if held_out is not None:
        measuring = Measuring(held_out, anchored.anchors, recipe)
    fresh = starts_fresh(training, spec)
    torch.manual_seed(config.seed)
    tower = Tower(size_of(training, spec))
    if not fresh:
        path = check_file(directory, spec, f"{modality}.safetensors")
        tower.load_state_dict({name: value.float() for name, value in read_tensors(path)})
    words = [pair.anchor for pair in pairs if isinstance(pair.anchor, Words)]
    said = tuple(dict.fromkeys(each.phrases[0] for each in words if each.name))
    return Ready(training, fresh, tower, recipe, material, anchored, measuring, said)


def _recipe(training: TowerTraining, material: Material, report: Report) -> Recipe:
    """The recipe, with batches no larger than there are windows."""
    modality, recipe = training.modality, training.recipe
    if material.windows < 2:
        raise ConfigError(f"there are {material.windows} windows of {modality} to train on.")
    if recipe.batch > material.windows:
        report.say(
            f"{modality}: there are {material.windows} windows, fewer than a batch of "
            f"{recipe.batch}: batches are of {material.windows}."
        )
        recipe = recipe.model_copy(update={"batch": material.windows})
    if not recipe.minutes:
        steps = recipe.steps or round(recipe.epochs * material.windows / recipe.batch)
        if steps < FEW_STEPS:
            report.say(
                f"{modality}: the recipe comes to {steps} steps of {recipe.batch} windows, which "
                "is little: give more epochs, steps or minutes, or a smaller batch."
            )
    return recipe
