"""Sums of words and one recording, plain and with the mean of each region taken off first.

    python bench/sums.py --data DIR [--model starter] [--draws 40]

Sounds of ESC-10 and movements of held-out sources; DIR as for training the starter. In each draw,
for each kind, one recording of one source is the example, and recordings of other sources are to be
found; the kind that its words are mistaken for most gives another. all: the share of pairs of a
recording of the kind and one of anything else held out that are ranked rightly. mistake: the same,
against the kind taken for it most. Means over draws and kinds.

plain: unit vectors are added with their weights. centred: the mean of its region is taken off each
first (words: the model's phrases of that sensor; recordings: what is not held out, else all).
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from few_shot import SPOKEN
from labelled import THINGS, Thing, Vectors
from numpy.typing import NDArray

from bindstream.models import load_model
from bindstream.models.encoder import Model
from bindstream.records import ModalityName
from bindstream.terms.adding import added
from bindstream.training.starter.recordings import read_recordings

Summands = list[tuple[float, str]]
SUMS: dict[str, Summands] = {
    "words": [(1, "words")],
    "example": [(1, "example")],
    "words + example": [(1, "words"), (1, "example")],
    "words - 0.5 other": [(1, "words"), (-0.5, "other")],
    "words - other": [(1, "words"), (-1, "other")],
    "example - 0.5 other": [(1, "example"), (-0.5, "other")],
    "words + example - 0.5 other": [(1, "words"), (1, "example"), (-0.5, "other")],
}
TOWERS: tuple[ModalityName, ...] = ("audio", "imu")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--towers", default=",".join(TOWERS))
    parser.add_argument("--draws", type=int, default=40)
    options = parser.parse_args(arguments)
    towers = [name for name in TOWERS if name in options.towers.split(",")]
    model = load_model(options.model, modalities=[*towers, "text"])
    entries = read_recordings(options.data)
    print(f"{model.name} {model.fingerprint}, {options.draws} draws")
    for modality in towers:
        show(modality, measure(model, modality, list(THINGS[modality](model, entries)), options))


def measure(
    model: Model, modality: ModalityName, things: list[Thing], options: argparse.Namespace
) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """(all, mistake) of each sum, plain and centred."""
    rng = np.random.default_rng(0)
    held = [thing for thing in things if thing.held_out]
    rest = np.stack([t.vector for t in things if not t.held_out] or [t.vector for t in held])
    means = {"words": model.encode_text(model.background(modality)).mean(axis=0)}
    means["example"] = means["other"] = rest.mean(axis=0)
    kinds = sorted({thing.kind for thing in held} - {""})
    words = dict(zip(kinds, model.encode_text([spoken(kind) for kind in kinds]), strict=True))
    found: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for kind in kinds * options.draws:
        others = [other for other in kinds if other != kind]
        mistake = max(others, key=lambda other: float((of(held, other) @ words[kind]).mean()))
        (example, find), (other, mistakes) = (drawn(held, each, rng) for each in (kind, mistake))
        if not len(find) or not len(mistakes):
            continue
        vectors = {"words": words[kind], "example": example, "other": other}
        anything = np.stack([thing.vector for thing in held if thing.kind != kind])
        for name, summands in SUMS.items():
            for how in ("plain", "centred"):
                off = means if how == "centred" else {key: 0 * m for key, m in means.items()}
                unit = added([(w, added([(1, vectors[v] - off[v])])) for w, v in summands])
                scores = [some @ unit for some in (find, anything, mistakes)]
                both = ranked(scores[0], scores[1]), ranked(scores[0], scores[2])
                found[name, how].append(both)
    return found


def spoken(kind: str) -> str:
    return SPOKEN.get(kind, kind.replace("_", " "))


def of(things: Sequence[Thing], kind: str) -> Vectors:
    return np.stack([thing.vector for thing in things if thing.kind == kind])


def drawn(held: Sequence[Thing], kind: str, rng: np.random.Generator) -> tuple[Vectors, Vectors]:
    """A recording of one source, and all of the kind's other sources."""
    mine = [thing for thing in held if thing.kind == kind]
    source = rng.choice(sorted({thing.source for thing in mine}))
    ours = [thing.vector for thing in mine if thing.source == source]
    rest = [thing.vector for thing in mine if thing.source != source]
    return ours[int(rng.integers(len(ours)))], np.array(rest, np.float32)


def ranked(right: NDArray[np.float32], wrong: NDArray[np.float32]) -> float:
    return float(np.mean((right[:, None] > wrong) + 0.5 * (right[:, None] == wrong)))


def show(modality: ModalityName, found: dict[tuple[str, str], list[tuple[float, float]]]) -> None:
    print(f"\n{modality:30} plain: all  mistake   centred: all  mistake")
    for name in SUMS:
        cells = [np.mean(found[name, how], axis=0) for how in ("plain", "centred")]
        print(f"{name:30}" + "   ".join(f"{a:11.3f} {m:8.3f}" for a, m in cells))


if __name__ == "__main__":
    main()
