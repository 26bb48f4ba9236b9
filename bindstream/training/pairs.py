"""Pairs to train on: manifests read, every recording looked at, all that is wrong said at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bindstream.config import Problem
from bindstream.errors import BindstreamError, MissingPackageError
from bindstream.evaluation.files import spoken
from bindstream.features.audio import LEAST_SAMPLES, RATE_HZ
from bindstream.modalities import MODALITIES
from bindstream.models.directory import ModelSpec
from bindstream.records import ModalityName
from bindstream.training.config import TrainConfig
from bindstream.training.faults import refuse
from bindstream.training.manifest import Other, Row, Words, read_manifest
from bindstream.training.recordings import STILL_S, Grid, fault, is_still, length_s
from bindstream.training.sources import groups_of, held_out_groups

Tell = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much of it there is."""
EDGE_S = 0.5  # that a stated end may be past a recording's: lengths are rounded when written down


@dataclass(frozen=True)
class Pair:
    """An interval of a recording, and what it is paired with.

    `other_s` is how long the other sensor's recording is (0 for words). `group` numbers the rows
    that are held out together.
    """

    row: Row
    anchor: Words | Other
    start_s: float
    end_s: float
    other_s: float
    group: int
    held_out: bool

    @property
    def modality(self) -> ModalityName:
        return self.row.modality

    @property
    def grid(self) -> Grid:
        """Its windows: every hop to be trained on; side by side where they are held out, so that
        none is counted twice. The last may end a little after the last reading, as live ones."""
        table = MODALITIES[self.modality]
        hop_s = table.window_s if self.held_out else table.hop_s
        if self.end_s == STILL_S:
            return Grid(self.start_s, hop_s, 1)
        spare_s = self.end_s - self.start_s - table.window_s + table.max_gap_s / 2
        return Grid(self.start_s, hop_s, max(int(spare_s / hop_s) + 1, 1))


@dataclass(frozen=True)
class Pairs:
    """All pairs, and what is to be said of them."""

    pairs: tuple[Pair, ...]
    notes: tuple[str, ...]

    def of(self, modality: ModalityName, held_out: bool) -> list[Pair]:
        return [p for p in self.pairs if p.modality == modality and p.held_out == held_out]

    @property
    def digest(self) -> str:
        """64 hex digits over all that is trained on and all that is held out."""
        rows = [[asdict(p.row), asdict(p.anchor), p.held_out] for p in self.pairs]
        stated = json.dumps(rows, sort_keys=True, default=str)
        return hashlib.sha256(stated.encode()).hexdigest()


def read_pairs(config: TrainConfig, spec: ModelSpec, tell: Tell) -> Pairs:
    """The pairs of a training. Blocks while every recording is looked at.

    Raises:
        ConfigError: what is wrong with manifests and recordings, all of it, by line.
    """
    rows: list[Row] = []
    problems: list[Problem] = []
    for each in config.data:
        found, wrong = read_manifest(each.manifest, each.modality, each.with_modality)
        rows += found
        problems += wrong
    trained: set[ModalityName] = {tower.modality for tower in config.towers}
    unused = [row for row in rows if row.modality not in trained]
    rows = [row for row in rows if row.modality in trained]
    problems += [problem for row in rows for problem in _anchor_problems(row, spec, trained)]
    lengths, broken = _lengths(rows, tell)
    problems += broken
    problems += [problem for row in rows for problem in _interval_problems(row, lengths)]
    manifests = ", ".join(dict.fromkeys(str(each.manifest) for each in config.data))
    refuse(problems, manifests)
    groups = groups_of(rows)
    wanted = [tower.modality for tower in config.towers]
    held_out, clashes = held_out_groups(rows, groups, wanted, config.held_out, config.seed)
    said = _ways_of_saying(rows, config)
    pairs = tuple(
        _pair(row, said, lengths, group, group in held_out)
        for row, group in zip(rows, groups, strict=True)
    )
    refuse([*clashes, *_class_problems(said, config), *_too_few(pairs, config)], manifests)
    return Pairs(pairs, tuple(_notes(pairs, unused, config)))


def _anchor_problems(row: Row, spec: ModelSpec, trained: set[ModalityName]) -> list[Problem]:
    other = row.anchor if isinstance(row.anchor, Other) else None
    needed: ModalityName = other.modality if other else "text"
    column = "with_modality" if other else "class" if _class_of(row) else "text"
    if needed in trained:
        what = f"the {needed} tower is trained here, and cannot be an anchor too"
        return [_problem(row, column, what, "Train it first, then take that model for a base.")]
    if needed not in spec.towers:
        what = f"the base {spec.name} has no tower for {needed}"
        return [_problem(row, column, what, f"It has: {', '.join(spec.towers)}.")]
    return []


def _problem(row: Row, column: str, what: str, fix: str = "", value: object = None) -> Problem:
    return Problem(str(row.manifest), row.line, column, value, what, fix)


Lengths = dict[tuple[ModalityName, Path], float]


def _lengths(rows: Sequence[Row], tell: Tell) -> tuple[Lengths, list[Problem]]:
    """How long every recording is; those that cannot be read are problems of their first row."""
    first: dict[tuple[ModalityName, Path], tuple[Row, str]] = {}
    for row in rows:
        first.setdefault((row.modality, row.file), (row, "file"))
        if isinstance(row.anchor, Other):
            first.setdefault((row.anchor.modality, row.anchor.file), (row, "with_file"))
    lengths: Lengths = {}
    problems = []
    for done, ((modality, file), (row, column)) in enumerate(first.items(), 1):
        try:
            if file.is_dir():
                problems.append(_problem(row, column, f"{file} is a folder", "Name a file."))
            elif not file.is_file():
                fix = f"Relative paths start from {row.manifest.parent.resolve()}."
                problems.append(_problem(row, column, f"there is no {file}", fix))
            else:
                lengths[modality, file] = length_s(modality, file)
        except MissingPackageError:
            raise
        except (BindstreamError, OSError, ValueError) as error:
            problems.append(_problem(row, column, f"{file} cannot be used: {fault(error)}"))
        tell("looking at recordings", done, len(first))
    return lengths, problems


def _interval_problems(row: Row, lengths: Lengths) -> list[Problem]:
    length = lengths.get((row.modality, row.file))
    if length is None:  # which is a problem of its own
        return []
    beyond = f"the recording ends at {length:.2f} s"
    if row.start_s >= length:
        return [_problem(row, "start_s", beyond, "Correct the interval.", row.start_s)]
    if row.end_s is not None and length != STILL_S and row.end_s > length + EDGE_S:
        return [_problem(row, "end_s", beyond, "Correct the interval.", row.end_s)]
    spans_s = min(row.end_s or STILL_S, length) - row.start_s
    least_s, slack_s = MODALITIES[row.modality].window_s, EDGE_S
    if row.modality == "audio":  # short sounds are padded, as the product pads them
        least_s, slack_s = LEAST_SAMPLES / RATE_HZ, 0.0
    if spans_s + slack_s < least_s:
        what = f"{spans_s:.3g} s are less than {row.modality} takes ({least_s:g} s)"
        return [_problem(row, "", what, "Give a longer interval or recording.")]
    return []


def _class_problems(said: dict[str, tuple[str, ...]], config: TrainConfig) -> Iterator[Problem]:
    """Classes that no row is of, most likely misspelt, and such as words cannot tell apart."""
    fix = f"There are: {', '.join(sorted(said)[:20]) or 'none'}."
    for name in config.classes:
        if name not in said:
            yield Problem("classes", 1, name, None, "no row is of this class", fix)
    first: dict[tuple[str, ...], str] = {}
    for name, phrases in said.items():
        if (other := first.setdefault(tuple(sorted(phrases)), name)) != name:
            what = f"is said as {other} is"
            yield Problem("classes", 1, name, phrases[0], what, "Say one of them otherwise.")


def _too_few(pairs: Sequence[Pair], config: TrainConfig) -> Iterator[Problem]:
    """Towers that nothing can be learned by: a contrast takes two different anchors."""
    for tower in config.towers:
        name = tower.modality
        mine = [pair for pair in pairs if pair.modality == name]
        left = [pair for pair in mine if not pair.held_out]
        if not mine:
            yield Problem("data", 1, "", None, f"no row is of {name}", "Add some.")
        elif not left:
            fix = "Write split: train for some of them."
            yield Problem("data", 1, "", None, f"all rows of {name} are held out", fix)
        elif all(isinstance(p.anchor, Words) and p.anchor == left[0].anchor for p in left):
            what = f"all rows of {name} are paired with the same words"
            fix = "Add recordings of something else: it is learned by the difference."
            yield Problem("data", 1, "", None, what, fix)


def _class_of(row: Row) -> str:
    return row.anchor.name if isinstance(row.anchor, Words) else ""


def _ways_of_saying(rows: Sequence[Row], config: TrainConfig) -> dict[str, tuple[str, ...]]:
    """All sentences for each class: as configured, else of its rows, else its name."""
    phrases: dict[str, dict[str, None]] = {}
    for row in rows:
        if isinstance(row.anchor, Words) and row.anchor.name:
            phrases.setdefault(row.anchor.name, {}).update(dict.fromkeys(row.anchor.phrases))
    return {
        name: tuple(
            template.replace("{}", phrase)
            for phrase in (config.classes.get(name) or tuple(found) or (spoken(name),))
            for template in config.templates
        )
        for name, found in phrases.items()
    }


def _pair(
    row: Row, said: dict[str, tuple[str, ...]], lengths: Lengths, group: int, held_out: bool
) -> Pair:
    anchor, other_s = row.anchor, 0.0
    if isinstance(anchor, Other):
        other_s = lengths[anchor.modality, anchor.file]
    elif anchor.name:
        anchor = Words(said[anchor.name], anchor.name)
    length = lengths[row.modality, row.file]
    end_s = length if is_still(row.modality, row.file) else min(row.end_s or length, length)
    return Pair(row, anchor, row.start_s, end_s, other_s, group, held_out)


def _notes(pairs: Sequence[Pair], unused: Sequence[Row], config: TrainConfig) -> list[str]:
    notes = []
    if unused:
        kinds = ", ".join(sorted({row.modality for row in unused}))
        notes.append(f"{len(unused)} rows of {kinds} are left out: no such tower is trained.")
    if nameless := {str(pair.row.manifest) for pair in pairs if not pair.row.source}:
        notes.append(
            f"{', '.join(sorted(nameless))}: rows without a source: each file is taken for a "
            "source of its own. If one person or place is in several, say so in a column source."
        )
    for tower in config.towers:
        mine = [pair for pair in pairs if pair.modality == tower.modality]
        if not any(pair.held_out for pair in mine):
            notes.append(
                f"{tower.modality}: nothing is held out, so nobody can say how well it does on "
                "new recordings. Add other sources."
            )
    return notes
