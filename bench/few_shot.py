"""Queries taught by a few examples beside queries of words, on recordings of held-out sources.

    python bench/few_shot.py --data DIR [--out few_shot.png] [--model starter] [--draws 20]

Sounds of ESC-10 (ten kinds), pictures (kinds with at least 16 held out), movements (five) and
aerial heat (three); DIR as for training the starter. In each draw half of each kind's held-out
sources are there to learn from, the other half are to be found: the same ones for every method and
every k. Where the first half has too few files for k, ones that the model was trained on are added,
and the table says what part they are. Files become vectors as by `bindstream teach`.

words: as a query of words. prototype: examples alone. probe: with eight or more negatives, equally
many of each other kind. probe (mistake): with k negatives of the one kind that the prototype takes
for it most. + words: words mixed in.

top1: the best query of the kinds' is the right one. auc: the share of pairs of a recording of the
kind and one of anything else held out (other kinds, and what is none of them) that are ranked
rightly. mistake: the same, against the kind taken for it most. found, false: recordings of the
kind, and of anything else, whose share is at least 0.3, without which there is no alert. Means over
draws and kinds; ± is half of the means' 95 % interval over draws.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from labelled import THINGS, Thing, Vectors
from numpy.typing import NDArray

from bindstream import matcher
from bindstream.config import QueryConfig
from bindstream.models import load_model
from bindstream.models.encoder import Model
from bindstream.records import ModalityName
from bindstream.teaching.doubts import FOUND_SHARE
from bindstream.teaching.fitting import fit
from bindstream.training.starter.recordings import read_recordings

Scores = NDArray[np.float64]
Cells = dict[str, float]

TOWERS: tuple[ModalityName, ...] = ("audio", "vision", "imu", "thermal")
COUNTS = (1, 2, 4, 8)
NEGATIVES = 8
MOST_FOUND = 20  # recordings of a kind to be found, so that no kind outweighs the others
SPOKEN = {"Motorbikes": "a motorbike", "seated": "sitting still", "fire crackling": "fire"}
FIGURES = ("top1", "auc", "mistake", "found", "false")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="write a picture, PNG")
    parser.add_argument("--json", type=Path, help="write the figures too")
    parser.add_argument("--model", default="starter")
    parser.add_argument("--towers", default=",".join(TOWERS))
    parser.add_argument("--draws", type=int, default=20)
    options = parser.parse_args(arguments)
    towers = [name for name in TOWERS if name in options.towers.split(",")]
    model = load_model(options.model, modalities=[*towers, "text"])
    entries = read_recordings(options.data)
    print(f"{model.name} {model.fingerprint}, {options.draws} draws")
    rows: list[dict[str, Any]] = []
    for modality in towers:
        things = list(THINGS[modality](model, entries))
        found = measure(model, modality, things, options.draws)
        show(modality, things, found)
        rows += found
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    if options.out:
        draw(options.out, rows, model.name)


@dataclass(frozen=True)
class Draw:
    """Things of one draw: by kind those to learn from in order, and those to be found."""

    learn: dict[str, list[Thing]]
    find: dict[str, list[Thing]]


def drawn(things: Sequence[Thing], rng: np.random.Generator) -> Draw:
    """Half of each kind's held-out sources to learn from, then what was trained on."""
    learn: dict[str, list[Thing]] = {}
    find: dict[str, list[Thing]] = {}
    for kind in sorted({thing.kind for thing in things} - {""}):
        mine = [thing for thing in things if thing.kind == kind]
        held = [thing for thing in mine if thing.held_out]
        sources = sorted({thing.source for thing in held})
        rng.shuffle(sources)
        first: set[str] = set()
        while sum(t.source in first for t in held) < len(held) / 2 and len(first) + 1 < len(
            sources
        ):
            first.add(sources[len(first)])
        ours = [t for t in held if t.source in first]
        trained = [t for t in mine if not t.held_out]
        learn[kind] = [ours[i] for i in rng.permutation(len(ours))]
        learn[kind] += [trained[i] for i in rng.permutation(len(trained))]
        rest = [t for t in held if t.source not in first]
        find[kind] = [rest[i] for i in rng.permutation(len(rest))[:MOST_FOUND]]
    return Draw(learn, find)


def stacked(things: Sequence[Thing]) -> Vectors:
    return np.stack([thing.vector for thing in things])


@dataclass(frozen=True)
class Query:
    """A kind's vector, and the level its cosines count from (None: by contrast with phrases)."""

    vector: Vectors
    level: float | None


def queries(learn: dict[str, list[Thing]], k: int, words: dict[str, Vectors]) -> dict[str, Any]:
    """For each method a query a kind; and for each kind the one it is most mistaken for."""
    support = {kind: stacked(some[:k]) for kind, some in learn.items()}
    each = -(-NEGATIVES // (len(learn) - 1))
    none = np.zeros((0, 0), np.float32)
    made: dict[str, dict[str, Query]] = defaultdict(dict)
    mistakes = {}
    for kind, examples in support.items():
        others = [other for other in learn if other != kind]
        plain = fit(examples, none)
        scores = {other: (support[other] @ plain.vector).mean() for other in others}
        mistakes[kind] = max(others, key=lambda other: scores[other])
        sides = {
            "prototype": none,
            "probe": np.concatenate([stacked(learn[other][:each]) for other in others]),
            "probe (mistake)": support[mistakes[kind]],
        }
        for method, negatives in sides.items():
            for mixed in (None, words[kind]):
                made_one = fit(examples, negatives, mixed)
                name = method if mixed is None else method + " + words"
                made[name][kind] = Query(made_one.vector, made_one.level)
    return {"made": made, "mistakes": mistakes}


def shares(query: Query, vectors: Vectors, background: Vectors) -> Scores:
    """As the matcher holds them, (n,)."""
    nothing = np.zeros((0, vectors.shape[1]), np.float32)
    asked = matcher.Query(QueryConfig(text="it"), query.vector, nothing, "", query.level)
    values = matcher.Matcher([asked], background).push(vectors)[1]
    found: Scores = matcher.shares(values[:, 0])
    return found


def figures(
    made: dict[str, Query],
    draw: Draw,
    mistakes: dict[str, str],
    strangers: Vectors,
    background: Vectors,
) -> Cells:
    """One method's figures in one draw."""
    kinds = list(made)
    vectors = {kind: stacked(some) for kind, some in draw.find.items()}
    columns = np.stack([query.vector for query in made.values()])
    top1 = [
        np.mean((vectors[kind] @ columns.T).argmax(axis=1) == i) for i, kind in enumerate(kinds)
    ]
    cells: dict[str, list[float]] = defaultdict(list)
    for kind, query in made.items():
        others = np.concatenate([*(vectors[o] for o in kinds if o != kind), strangers])
        own, rest = vectors[kind] @ query.vector, others @ query.vector
        cells["auc"].append(ranked(own, rest))
        cells["mistake"].append(ranked(own, vectors[mistakes[kind]] @ query.vector))
        cells["found"].append(np.mean(shares(query, vectors[kind], background) >= FOUND_SHARE))
        cells["false"].append(np.mean(shares(query, others, background) >= FOUND_SHARE))
    return {"top1": float(np.mean(top1)), **{n: float(np.mean(v)) for n, v in cells.items()}}


def ranked(own: Vectors, rest: Vectors) -> float:
    """The share of pairs in which the first scores more, ties counting half."""
    return float(np.mean((own[:, None] > rest) + 0.5 * (own[:, None] == rest)))


def measure(
    model: Model, modality: ModalityName, things: Sequence[Thing], draws: int
) -> list[dict[str, Any]]:
    """A row for each k and method: means over the draws, and half their 95 % intervals."""
    kinds = sorted({thing.kind for thing in things} - {""})
    texts = model.encode_text([spoken(kind) for kind in kinds])
    words = dict(zip(kinds, texts, strict=True))
    background = model.encode_text(list(model.background(modality)))
    strange = [thing for thing in things if not thing.kind and thing.held_out]
    strangers = stacked(strange) if strange else np.zeros((0, model.dim), np.float32)
    found: dict[tuple[int, str], list[Cells]] = defaultdict(list)
    trained: dict[int, list[float]] = defaultdict(list)
    for seed in range(draws):
        draw = drawn(things, np.random.default_rng(seed))
        for k in COUNTS:
            if any(len(some) < k for some in draw.learn.values()):
                continue
            asked = queries(draw.learn, k, words)
            asked["made"]["words"] = {kind: Query(words[kind], None) for kind in kinds}
            for method, made in asked["made"].items():
                cells = figures(made, draw, asked["mistakes"], strangers, background)
                found[k, method].append(cells)
            used = [thing for some in draw.learn.values() for thing in some[:k]]
            trained[k].append(float(np.mean([not thing.held_out for thing in used])))
    return [
        {
            "modality": modality,
            "k": k,
            "method": method,
            "kinds": len(kinds),
            "trained": float(np.mean(trained[k])),
            **{name: float(np.mean([c[name] for c in cells])) for name in FIGURES},
            **{name + "_half": half([c[name] for c in cells]) for name in FIGURES},
        }
        for (k, method), cells in sorted(found.items(), key=lambda item: item[0][0])
    ]


def half(values: Sequence[float]) -> float:
    """Half of the 95 % interval of a mean."""
    return float(1.96 * np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def spoken(kind: str) -> str:
    return SPOKEN.get(kind, kind.replace("_", " ").lower())


def show(modality: str, things: Sequence[Thing], rows: Sequence[dict[str, Any]]) -> None:
    kinds = sorted({thing.kind for thing in things} - {""})
    held = sum(thing.held_out and bool(thing.kind) for thing in things)
    strange = sum(thing.held_out and not thing.kind for thing in things)
    print(f"\n{modality}: {', '.join(map(spoken, kinds))}; {held} held out, {strange} of no kind")
    print(f"{'k':>2} {'trained':>7}  {'method':24}" + "".join(f"{name:>15}" for name in FIGURES))
    for row in rows:
        cells = "".join(f"{row[n]:9.3f} ±{row[n + '_half']:.3f}" for n in FIGURES)
        print(f"{row['k']:2} {row['trained']:7.0%}  {row['method']:24}{cells}")


def draw(path: Path, rows: Sequence[dict[str, Any]], model: str) -> None:
    """For each modality how top1, auc and mistake rise with k."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = ("top1", "auc", "mistake")
    modalities = list(dict.fromkeys(row["modality"] for row in rows))
    methods = [m for m in dict.fromkeys(row["method"] for row in rows) if m != "words"]
    size = (4 * len(modalities), 3.2 * len(shown))
    figure, axes = pyplot.subplots(len(shown), len(modalities), figsize=size, squeeze=False)
    for column, modality in enumerate(modalities):
        for name, axis in zip(shown, axes[:, column], strict=True):
            for method in ("words", *methods):
                mine = [r for r in rows if (r["modality"], r["method"]) == (modality, method)]
                at, middle = [r["k"] for r in mine], np.array([r[name] for r in mine])
                away = np.array([r[name + "_half"] for r in mine])
                style = {"color": "black", "ls": ":"} if method == "words" else {}
                (line,) = axis.plot(at, middle, marker="o", ms=3, label=method, **style)
                axis.fill_between(
                    at, middle - away, middle + away, color=line.get_color(), alpha=0.15
                )
            axis.set(xscale="log", xlabel="examples", ylabel=name, title=modality)
            axis.set_xticks(COUNTS, [str(k) for k in COUNTS])
            axis.minorticks_off()
            axis.grid(alpha=0.3)
    axes[0, 0].legend(fontsize=7)
    figure.suptitle(f"{model}: taught by examples and asked in words; bands are 95 % intervals")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    sys.exit(main())
