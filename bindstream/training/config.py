"""What a training is to do: base, towers, recipes, data; read from YAML, all faults at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from bindstream.config import Problem
from bindstream.config.paths import expanded
from bindstream.config.section import Section
from bindstream.config.yaml_text import Where, YamlError, parse
from bindstream.errors import ConfigError, ModelError
from bindstream.models import installed_models, model_directory
from bindstream.models.directory import CARD, ModelSpec, read_spec
from bindstream.models.sizes import TowerConfig
from bindstream.training.crops import CROPS
from bindstream.training.faults import dotted, line_of, problems_of, refuse
from bindstream.training.recipe import LENGTHS, PUBLISHED, Recipe

SensorName = Literal["vision", "audio", "thermal", "depth", "imu"]


class SizeConfig(Section):
    """A tower's size; patch and stride as published where left out."""

    width: int = Field(gt=0, description="a multiple of heads")
    blocks: int = Field(gt=0)
    heads: int = Field(gt=0)
    patch: int = Field(default=0, ge=0, description="pixels, mel bins and frames, or steps")
    stride: int = Field(default=0, ge=0)


class TowerTraining(Section):
    """A tower to train. The recipe is the published one, but for what is written of it."""

    modality: SensorName
    size: SizeConfig | None = Field(default=None, description="as the base's if left out")
    start: Literal["base", "fresh"] | None = Field(
        default=None, description="from the base's weights (where it has this tower), or new ones"
    )
    recipe: Recipe
    turn_rad: float = Field(
        default=0.15,
        ge=0,
        le=3.2,
        description="imu: the most by which windows are turned at random; 3.2 where the sensor "
        "may be worn any way round",
    )

    @model_validator(mode="before")
    @classmethod
    def _as_published(cls, given: Any) -> Any:
        if not isinstance(given, dict) or not isinstance(given.get("recipe", {}), dict):
            return given
        return {**given, "recipe": recipe_of(given.get("modality"), given.get("recipe", {}))}


class DataConfig(Section):
    """A manifest (see `bindstream.training.manifest`), and what its rows do not say."""

    manifest: Path
    modality: SensorName | None = Field(default=None, description="of files, without a column")
    with_modality: SensorName | None = Field(default=None, description="of with_file, likewise")


class TrainConfig(Section):
    """A whole training. Files and folders are absolute once it was loaded."""

    base: str = Field(default="starter", min_length=1, description="its towers are the anchors")
    out: Path = Field(description="the model directory to write")
    work: Path | None = Field(
        default=None, description="checkpoints, vectors of anchors, curves; OUT.work if left out"
    )
    name: str | None = Field(default=None, min_length=1, description="the model's; the folder's")
    towers: tuple[TowerTraining, ...] = Field(min_length=1)
    data: tuple[DataConfig, ...] = Field(min_length=1)
    classes: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="ways of saying a class, in place of its name"
    )
    templates: tuple[str, ...] = Field(
        default=("{}",), min_length=1, description="sentences around them, with {}"
    )
    held_out: float = Field(
        default=0.2, ge=0, lt=1, description="share of the sources that is never trained on"
    )
    views: int = Field(
        default=len(CROPS), ge=1, le=len(CROPS), description="crops of a picture that is an anchor"
    )
    evaluations: int = Field(default=10, ge=1, le=1000, description="while a tower is trained")
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _agrees(self) -> TrainConfig:
        names = [tower.modality for tower in self.towers]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"towers name {', '.join(twice)} twice")
        if wrong := [said for said in self.templates if said.count("{}") != 1]:
            raise ValueError(f"template {wrong[0]!r} has not exactly one {{}}")
        phrases = [said for each in self.classes.values() for said in (each or ("",))]
        if wrong := [said for said in phrases if not any(c.isalnum() for c in said)]:
            raise ValueError(f"classes hold a phrase without a word: {wrong[0]!r}")
        return self

    @property
    def work_folder(self) -> Path:
        return self.work or self.out.with_name(self.out.name + ".work")

    @property
    def model_name(self) -> str:
        return self.name or self.out.name


def recipe_of(modality: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """The published recipe of a modality with what is given of it; a length takes the other's
    place."""
    known = next((r.model_dump() for name, r in PUBLISHED.items() if name == modality), {})
    if any(name in given for name in LENGTHS):
        known = {key: value for key, value in known.items() if key not in LENGTHS}
    return {**known, **given}


def load_training(
    path: Path, *, out: Path | None = None, minutes: float | None = None
) -> TrainConfig:
    """The training in a YAML file; relative paths in it start from the file's folder.

    Args:
        out: the model directory to write, in place of the file's.
        minutes: of training in all, shared evenly by the towers, in place of their lengths.

    Raises:
        ConfigError: it cannot be run; lists every problem with its line and the way out.
    """
    try:
        data, lines = parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}.", where=str(path)) from None
    except UnicodeDecodeError:
        raise ConfigError("is not UTF-8 text.", where=str(path), fix="Save it as UTF-8.") from None
    except YamlError as error:
        raise ConfigError(f"is not valid YAML: {error}.", where=f"{path}:{error.line}") from None
    if not isinstance(data, dict):
        raise ConfigError(
            "must hold a mapping of sections.",
            where=str(path),
            fix="Begin with `towers:`; configs/train/ holds an example.",
        )
    if out is not None:
        data["out"] = str(out.absolute())
    if minutes is not None:
        _shorten(data, minutes)
    try:
        config = _resolved(TrainConfig.model_validate(data), path.absolute().parent)
    except ValidationError as error:
        refuse(problems_of(error, TrainConfig, path, data, lines), str(path))
        raise
    found = [
        Problem(str(path), line_of(lines, where), dotted(where), None, what, fix)
        for where, what, fix in faults(config)
    ]
    refuse(found, str(path))
    return config


def faults(config: TrainConfig) -> Iterator[tuple[Where, str, str]]:
    """What is wrong with a training beside its pairs: (place, what, the way out)."""
    for place, each in enumerate(config.data):
        if not each.manifest.is_file():
            fix = "Relative paths start from the configuration's folder."
            yield ("data", place, "manifest"), f"there is no file {each.manifest}", fix
    try:
        directory = model_directory(config.base)
        spec = read_spec(directory)
    except ModelError as error:
        yield ("base",), error.what.rstrip("."), error.fix
        return
    if directory.resolve() == config.out.resolve():
        yield ("out",), "is the base itself", "Write the new model to a folder of its own."
    for place, tower in enumerate(config.towers):
        try:
            size_of(tower, spec)
        except ConfigError as error:
            yield ("towers", place), error.what, error.fix


def size_of(tower: TowerTraining, spec: ModelSpec) -> TowerConfig:
    """The size of a tower that is to be trained into the base's joint space.

    Raises:
        ConfigError: none is given and the base has no such tower, or the base's weights do not fit.
    """
    own = spec.towers.get(tower.modality)
    if tower.size is None and own is None:
        raise ConfigError(
            f"the base {spec.name} has no tower for {tower.modality}",
            fix="Give its size: {width: 128, blocks: 4, heads: 4}.",
        )
    if tower.size is None:
        assert own is not None
        wanted = own
    else:
        try:
            size = tower.size.model_dump()
            wanted = TowerConfig(modality=tower.modality, dim=spec.dim, **size)
        except ValidationError as error:
            what = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise ConfigError(f"no tower has this size: {what}", fix="Correct it.") from None
    if tower.start == "base" and own != wanted:
        has = "none" if own is None else "one of another size"
        raise ConfigError(
            f"cannot start from the base's {tower.modality} tower: it has {has}",
            fix="Leave out the size, or write start: fresh.",
        )
    return wanted


def starts_fresh(tower: TowerTraining, spec: ModelSpec) -> bool:
    """Whether a tower begins with new weights: from the base's where they fit and none is asked."""
    if tower.start is not None:
        return tower.start == "fresh"
    return spec.towers.get(tower.modality) != size_of(tower, spec)


def _shorten(data: dict[str, Any], minutes: float) -> None:
    towers = data.get("towers")
    entries = (
        [each for each in towers if isinstance(each, dict)] if isinstance(towers, list) else []
    )
    for tower in entries:
        recipe = tower.get("recipe")
        kept = dict(recipe) if isinstance(recipe, dict) else {}
        kept = {key: value for key, value in kept.items() if key not in LENGTHS}
        tower["recipe"] = {**kept, "minutes": minutes / len(entries)}


def _resolved(config: TrainConfig, folder: Path) -> TrainConfig:
    def absolute(path: Path) -> Path:
        return folder / expanded(path)

    base = config.base
    if "/" in base or (base not in installed_models() and (folder / base / CARD).is_file()):
        base = str(absolute(Path(base)))
    data = tuple(
        each.model_copy(update={"manifest": absolute(each.manifest)}) for each in config.data
    )
    work = None if config.work is None else absolute(config.work)
    paths = {"base": base, "out": absolute(config.out), "work": work, "data": data}
    return config.model_copy(update=paths)
