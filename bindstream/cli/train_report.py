"""How a training is shown while it goes on, and what is said at its end."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table

from bindstream.cli.app import FAILED, errors, out, warn

if TYPE_CHECKING:
    from bindstream.records import ModalityName
    from bindstream.training.config import TrainConfig
    from bindstream.training.outcome import Outcome, TowerOutcome
    from bindstream.training.trainer import Moment

ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Go on with a training that was stopped.")
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Begin anew, and replace the model in --out.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the final figures, JSON.")]


def run(
    config: TrainConfig,
    context: typer.Context,
    *,
    resume: bool,
    force: bool,
    as_json: bool,
    device: str,
    threads: int | None,
) -> None:
    """Train, with a bar on standard error, and say what it came to."""
    from bindstream.models import missing_package

    try:
        from bindstream.training.session import Stopped, train
    except ImportError as error:
        raise missing_package(error) from error
    command = typed(context)
    try:
        with _shown() as report:
            outcome = train(
                config,
                report,
                resume=resume,
                force=force,
                device=device,
                threads=threads,
                command=command,
            )
    except Stopped as stopped:
        line = f"Stopped; it is kept in {stopped.work}. Go on with: {command} --resume"
        errors.print(line, markup=False, highlight=False)
        raise typer.Exit(FAILED) from None
    if as_json:
        typer.echo(json.dumps(outcome.record(), indent=2, ensure_ascii=False))
        return
    for tower in outcome.towers:
        _show(tower)
    for line in _end(outcome):
        out.print(line, markup=False, highlight=False)


def typed(context: typer.Context) -> str:
    """What was typed, but for how it is shown and whether it goes on: that may change."""
    words = ["bindstream", str(context.command.name)]
    for param in context.command.params:
        name = str(param.name)
        source = context.get_parameter_source(name)
        if source is None or source.name != "COMMANDLINE" or name in ("resume", "force", "as_json"):
            continue
        value = context.params[name]
        if isinstance(value, bool):
            words.append(param.opts[0] if value else param.secondary_opts[0])
            continue
        words += param.opts[:1] if param.param_type_name == "option" else []
        words += map(str, value) if isinstance(value, (list, tuple)) else [str(value)]
    return shlex.join(words)


@contextmanager
def _shown() -> Iterator[_Shown]:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TextColumn("{task.fields[state]}", markup=False),
    )
    bar = Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal)
    with bar:
        yield _Shown(bar)


class _Shown:
    """A bar where a person watches, else a line an evaluation."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._tasks: dict[str, Any] = {}
        self._figures: dict[str, str] = {}

    def say(self, line: str) -> None:
        warn(line)

    def tell(self, what: str, done: int, total: int) -> None:
        self._update(what, done / max(total, 1), f"{done}/{total}")

    def moment(self, modality: ModalityName, moment: Moment) -> None:
        if moment.figures:
            self._figures[modality] = _figures_line(moment.figures)
            if not errors.is_terminal:
                line = f"{modality} {moment.progress:.0%} {_state(moment)}"
                line += f" {self._figures[modality]}"
                errors.print(line, markup=False, highlight=False)
        last = self._figures.get(modality, "")
        self._update(f"training {modality}", moment.progress, f"{_state(moment)} {last}".rstrip())

    def _update(self, what: str, share: float, state: str) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what, total=1.0, state="")
        self._bar.update(self._tasks[what], completed=share, state=state)


def _state(moment: Moment) -> str:
    left_s = moment.spent_s * (1 - moment.progress) / max(moment.progress, 1e-6)
    return f"loss {moment.loss:.3f} rate {moment.rate:.1e} {_time(left_s)} left"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _figures_line(figures: Mapping[str, float]) -> str:
    said = " ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in figures.items())
    return f"({said})"


def _show(tower: TowerOutcome) -> None:
    start = "new weights" if tower.start == "fresh" else "the base's weights"
    line = (
        f"{tower.modality}: {tower.steps} steps in {tower.minutes:.1f} min from {start}, on "
        f"{tower.windows} windows of {tower.sources} sources; loss {tower.loss:.3f}"
    )
    out.print(line, markup=False, highlight=False)
    if tower.after:
        held = f"{tower.held_out_windows} windows of {tower.held_out_sources} sources held out"
        table = Table(held, "before", "after", "chance", box=SIMPLE_HEAD)
        for name, value in tower.after.items():
            chance = f"{tower.chance[name]:.3f}" if name in tower.chance else ""
            table.add_row(
                name.replace("_", " "), f"{tower.before[name]:.3f}", f"{value:.3f}", chance
            )
        out.print(table)
    out.print(f"course: {tower.curve.with_suffix('.png')}", markup=False, highlight=False)


def _end(outcome: Outcome) -> Iterator[str]:
    yield f"{outcome.name} is in {outcome.directory}, fingerprint {outcome.fingerprint}."
    yield f"Licence: {outcome.licence}."
    yield (
        f"Anchors: {outcome.computed} computed, {outcome.reused} kept from an earlier run "
        "(a recording or a list of words each)."
    )
    yield outcome.notes[-1]
    yield f"In a configuration: model: {{name: {json.dumps(str(outcome.directory.absolute()))}}}"
    modality = outcome.towers[0].modality
    yield (
        f"Try it: bindstream embed FILE --modality {modality} --model {outcome.directory} "
        '--text "WORDS"'
    )
