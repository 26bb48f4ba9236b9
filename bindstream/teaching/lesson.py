"""A lesson: the files and words that a query is taught from, and what comes of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bindstream.averaging import unit_mean
from bindstream.embed_files import FileError
from bindstream.embedding import Encoder
from bindstream.errors import ConfigError, DataError
from bindstream.records import ModalityName
from bindstream.teaching.doubts import FOUND_SHARE, doubts
from bindstream.teaching.examples import Example, read_examples
from bindstream.teaching.fitting import TEXT_WEIGHT, Fit, fit
from bindstream.teaching.taught import Taught, TaughtBy, TaughtFile, encoded

Vectors = NDArray[np.float32]

MOST_FILES = 500
"""More than anybody records for one query; what each scores without itself takes seconds."""


class Teacher(Encoder, Protocol):
    """A model as a lesson sees it; `bindstream.models.encoder.Model` is one."""

    name: str
    dim: int

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors (n, dim) float32 of texts. Blocks."""


@dataclass(frozen=True)
class Lesson:
    """What is to be taught: `examples` of it, `negatives` that it is not, `text` for the same."""

    name: str
    modality: ModalityName
    examples: Sequence[Path]
    negatives: Sequence[Path] = ()
    text: Sequence[str] = ()
    text_weight: float = TEXT_WEIGHT


@dataclass(frozen=True)
class Learnt:
    """A taught query, and what it was made of in the same order; `doubts` are for its owner."""

    taught: Taught
    fit: Fit
    doubts: tuple[str, ...]

    def found(self, share: float) -> bool:
        """Whether a window of this share may raise an alert, where the query states none."""
        return share >= FOUND_SHARE

    @property
    def least_score(self) -> float:
        """The score of a window that may just raise an alert."""
        return self.fit.score_of(FOUND_SHARE)


def again(taught: Taught, folder: Path) -> Lesson:
    """The lesson that gave a taught query whose file lies in `folder`.

    Raises:
        DataError: the query's file names no examples.
    """
    if not taught.examples:
        raise DataError("it names no examples to be taught from again.", where=taught.name)
    examples, negatives = (
        [Path(os.path.normpath(folder / each.file)) for each in part]
        for part in (taught.examples, taught.negatives)
    )
    weight = taught.text_weight or TEXT_WEIGHT
    return Lesson(taught.name, taught.modality, examples, negatives, taught.text, weight)


def learn(
    model: Teacher,
    lesson: Lesson,
    folder: Path,
    report: Callable[[Path], None] = lambda file: None,
) -> Learnt:
    """Teach a query. Blocks while files are read and embedded; writes nothing.

    Args:
        folder: where the query's file is to lie; it names its examples from there.
        report: told each file when it is done.

    Raises:
        DataError: files that cannot be used, all of them by name, or examples without a direction
            in common.
        ConfigError: a file is given both as an example and as what it is not.
        MissingPackageError: a library that reads such files is not installed.
    """
    if not lesson.examples:
        raise ConfigError("there are no examples.", fix="Name the files to learn from.")
    if (count := len(lesson.examples) + len(lesson.negatives)) > MOST_FILES:
        raise ConfigError(f"{count} files are more than {MOST_FILES}.", fix="Choose among them.")
    examples, negatives = _read(model, lesson, report)
    examples, twice = _once(examples)
    negatives, twice_not = _once(negatives)
    _check_sides(examples, negatives)
    words = unit_mean(model.encode_text(list(lesson.text))) if lesson.text else None
    made = fit(_vectors(examples), _vectors(negatives), words, lesson.text_weight)
    taught = Taught(
        name=lesson.name,
        modality=lesson.modality,
        model=TaughtBy(name=model.name, fingerprint=model.fingerprint),
        dim=model.dim,
        vector=encoded(made.vector),
        level=made.level,
        method="prototype" if made.pull is None else "ridge",
        pull=made.pull,
        text=tuple(lesson.text),
        text_weight=lesson.text_weight if lesson.text else 0.0,
        made=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        examples=_listed(examples, made.positive_scores, folder),
        negatives=_listed(negatives, made.negative_scores, folder),
    )
    return Learnt(taught, made, (*twice, *twice_not, *doubts(examples, negatives, made)))


def _read(
    model: Teacher, lesson: Lesson, report: Callable[[Path], None]
) -> tuple[list[Example], list[Example]]:
    """All examples and all negatives, or an error that names every file that cannot be used."""
    bad: list[FileError] = []
    sides: list[list[Example]] = []
    for files in (lesson.examples, lesson.negatives):
        side: list[Example] = []
        for found in read_examples(model, lesson.modality, files):
            report(found.file)
            if isinstance(found, FileError):
                bad.append(found)
            else:
                side.append(found)
        sides.append(side)
    if bad:
        lines = "".join(f"\n  {each.file}: {each.error}" for each in bad)
        raise DataError(
            f"{len(bad)} of {len(lesson.examples) + len(lesson.negatives)} files cannot be used:"
            f"{lines}\nNothing was written. Leave them out, or put them right."
        )
    return sides[0], sides[1]


def _once(examples: list[Example]) -> tuple[list[Example], list[str]]:
    """Examples of different content, and a sentence on each that was left out."""
    first: dict[str, Example] = {}
    said = []
    for example in examples:
        there = first.setdefault(example.sha256, example)
        if there is not example:
            said.append(f"{example.file} is the same file as {there.file}: it is left out.")
    return list(first.values()), said


def _check_sides(examples: list[Example], negatives: list[Example]) -> None:
    names = {example.sha256: example.file for example in examples}
    for negative in negatives:
        if negative.sha256 in names:
            raise ConfigError(
                f"{negative.file} is given to --not, and as the example {names[negative.sha256]}.",
                fix="Leave out one of the two.",
            )


def _vectors(examples: list[Example]) -> Vectors:
    if not examples:
        return np.zeros((0, 0), np.float32)
    return np.stack([example.vector for example in examples])


def _listed(
    examples: list[Example], scores: NDArray[np.float64], folder: Path
) -> tuple[TaughtFile, ...]:
    return tuple(
        TaughtFile(
            file=Path(os.path.relpath(example.file.resolve(), folder.resolve())).as_posix(),
            sha256=example.sha256,
            windows=len(example.vectors),
            quiet=example.quiet,
            score=float(score),
        )
        for example, score in zip(examples, scores, strict=True)
    )
