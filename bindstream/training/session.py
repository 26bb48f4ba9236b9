"""A whole training: pairs, anchors, towers one after the other, and the model they make."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch

from bindstream.errors import ConfigError, DataError
from bindstream.models import model_directory
from bindstream.models.directory import CARD, ModelSpec, read_spec
from bindstream.training.anchors import PairAnchors
from bindstream.training.config import TowerTraining, TrainConfig, faults
from bindstream.training.curve import Curve, figure_class
from bindstream.training.export import INCOMPARABLE, export
from bindstream.training.outcome import Outcome, TowerOutcome
from bindstream.training.pairs import Pairs, read_pairs
from bindstream.training.preparing import Ready, Report, prepared
from bindstream.training.trainer import Moment, train_tower

STATE = "session.json"


class Stopped(Exception):
    """A training was interrupted. What it had come to is kept in `work`."""

    def __init__(self, work: Path) -> None:
        super().__init__(str(work))
        self.work = work


def train(
    config: TrainConfig,
    report: Report,
    *,
    resume: bool = False,
    force: bool = False,
    device: str = "auto",
    threads: int | None = None,
    command: str = "",
) -> Outcome:
    """Train the towers of a configuration and write the model. Blocks: minutes to days.

    Args:
        config: with absolute paths (see `load_training`).
        resume: go on from the checkpoints in its work folder.
        force: begin anew although there are some, and replace a model in its out folder.
        device: what the anchors are computed on; towers are trained on the CPU.
        threads: of torch, in this process; as they are if None.
        command: what was typed, for the card.

    Raises:
        ConfigError: the configuration, its manifests or recordings cannot be used.
        DataError: the loss is no number any more, the disk is full, or windows fill the memory.
        ModelError: the base is damaged, or cannot be used on this machine.
        MissingPackageError: a library that reads such recordings is not installed.
        Stopped: by KeyboardInterrupt.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    _refuse_faults(config)
    directory = model_directory(config.base)
    spec = read_spec(directory)
    _check_folders(config, resume, force)
    figure_class()  # that it is missing is not to be said after hours of preparing
    torch.set_flush_denormal(True)  # values that fade out would slow a CPU down tenfold
    try:
        pairs = read_pairs(config, spec, report.tell)
        for note in pairs.notes:
            report.say(note)
        _check_state(config, spec, pairs, resume, report)
        ready, kept = prepared(config, directory, spec, pairs, device, report)
        outcomes = [_trained(config, each, resume, report) for each in ready]
        made = export(
            directory,
            spec,
            config.out,
            config.model_name,
            {each.training.modality: each.tower for each in ready},
            outcomes,
            data=_said_of(pairs),
            command=command,
        )
    except KeyboardInterrupt:
        raise Stopped(config.work_folder) from None
    finally:
        torch.set_flush_denormal(False)
    said = INCOMPARABLE.format(base=spec.name, old=spec.fingerprint, new=made.fingerprint)
    return Outcome(
        directory=config.out,
        name=made.name,
        fingerprint=made.fingerprint,
        base=spec.name,
        base_fingerprint=spec.fingerprint,
        licence=made.licence,
        towers=tuple(outcomes),
        notes=(*pairs.notes, said),
        computed=kept.computed,
        reused=kept.reused,
    )


def _refuse_faults(config: TrainConfig) -> None:
    """For configurations that were not read from a file."""
    for where, what, fix in faults(config):
        raise ConfigError(f"{what}.", where=" ".join(str(part) for part in where), fix=fix)


def _check_folders(config: TrainConfig, resume: bool, force: bool) -> None:
    if force:
        return
    if (config.work_folder / STATE).is_file():
        if resume:
            return
        raise ConfigError(
            "a training was begun there.",
            where=str(config.work_folder),
            fix="Go on with it: --resume; or begin anew: --force.",
        )
    if (config.out / CARD).is_file():
        raise ConfigError(
            "there is a model already.",
            where=str(config.out),
            fix="Name another --out, or replace it: --force.",
        )


def _check_state(
    config: TrainConfig, spec: ModelSpec, pairs: Pairs, resume: bool, report: Report
) -> None:
    """Notes what is trained on, or sees that it is what an earlier run was trained on: another draw
    of held-out sources would measure with what was trained on."""
    state = {"base": spec.fingerprint, "pairs": pairs.digest}
    path = config.work_folder / STATE
    try:
        before = json.loads(path.read_text(encoding="utf-8")) if resume else None
    except (OSError, ValueError):
        before = None
        report.say(f"there is nothing to go on from in {config.work_folder}: it begins anew.")
    if before is not None and before != state:
        changed = "the pairs or sources held out" if before.get("base") == spec.fingerprint else ""
        raise ConfigError(
            f"{changed or 'the base model'} changed since the training was begun.",
            where=str(config.work_folder),
            fix="Undo the change, or begin anew: --force.",
        )
    if before is None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            for tower in config.towers:
                _checkpoint(config, tower).unlink(missing_ok=True)
            path.write_text(json.dumps(state) + "\n", encoding="utf-8")
        except OSError as error:
            raise DataError(
                f"The folder cannot be written: {error.strerror}.", where=str(path.parent)
            ) from error


def _checkpoint(config: TrainConfig, tower: TowerTraining) -> Path:
    return config.work_folder / f"{tower.modality}.pt"


def _trained(config: TrainConfig, ready: Ready, resume: bool, report: Report) -> TowerOutcome:
    modality, measuring, material = ready.training.modality, ready.measuring, ready.material
    chance = measuring.chance if measuring else {}
    before: Mapping[str, float] = measuring(ready.tower.eval()) if measuring else {}
    path = config.work_folder / f"{modality}_curve.csv"
    title = f"{config.model_name}: {modality}"
    curve = Curve(path, title, resume=resume, chance=chance)

    def watch(moment: Moment) -> None:
        curve.add(moment)
        report.moment(modality, moment)

    checkpoint = _checkpoint(config, ready.training)
    try:
        train_tower(
            ready.tower,
            material.next_batch,
            PairAnchors(ready.anchored.anchors),
            ready.recipe,
            pairs=material.windows,
            checkpoint=checkpoint,
            resume=resume,
            seed=config.seed,
            watch=watch,
            evaluate=measuring,
            evaluations=config.evaluations,
            fresh=ready.fresh,
        )
    finally:
        curve.draw()
    state = torch.load(checkpoint, weights_only=True, mmap=True)
    held_out = material.held_out
    return TowerOutcome(
        modality=modality,
        size=ready.tower.config,
        start="fresh" if ready.fresh else "base",
        recipe=ready.recipe,
        windows=material.windows,
        sources=material.sources,
        held_out_windows=len(held_out.inputs) if held_out else 0,
        held_out_sources=held_out.sources if held_out else 0,
        void=material.void,
        steps=state["step"],
        minutes=state["spent_s"] / 60,
        loss=state["loss"],
        before=dict(before),
        after=dict(measuring(ready.tower)) if measuring else {},
        chance=chance,
        said=ready.said,
        curve=path,
    )


def _said_of(pairs: Pairs) -> list[str]:
    """What was trained on, a line a manifest."""
    lines = []
    for manifest in dict.fromkeys(pair.row.manifest for pair in pairs.pairs):
        mine = [pair for pair in pairs.pairs if pair.row.manifest == manifest]
        held_out = sum(pair.held_out for pair in mine)
        kinds = ", ".join(sorted({pair.modality for pair in mine}))
        lines.append(f"{manifest.name}: {len(mine)} rows of {kinds}, {held_out} of them held out")
    return lines
