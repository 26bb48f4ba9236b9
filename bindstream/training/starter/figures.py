"""The starter's figures: each on data held out by source, each with its 95 % interval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from bindstream.evaluation.measuring import Confusion
from bindstream.evaluation.metrics import (
    Interval,
    average_precision,
    bootstrap_share,
    mean_average_precision,
    mean_class_accuracy,
    top1_hits,
)
from bindstream.features.audio import MEAN, STD
from bindstream.models.encoder import Model
from bindstream.records import ModalityName
from bindstream.scene.catalogue import CATALOGUE
from bindstream.training.starter.held_out import Shown
from bindstream.training.starter.phrases import concepts
from bindstream.training.starter.unseen_words import UNSEEN

BATCH = 16
SEED = 0
WAYS = 3  # phrasings of each concept, seen and unseen
DRAWS = 500  # of groups drawn again, for intervals of balanced accuracies


@dataclass(frozen=True)
class Embedded:
    """Recordings as vectors: `windows` (w, dim) of all, `owner` (w,) says which of `shown`."""

    modality: ModalityName
    shown: tuple[Shown, ...]
    windows: NDArray[np.float32]
    owner: NDArray[np.int64]

    @property
    def means(self) -> NDArray[np.float32]:
        """A unit vector a recording, (n, dim): the mean of its windows."""
        sums = np.zeros((len(self.shown), self.windows.shape[1]), np.float32)
        np.add.at(sums, self.owner, self.windows)
        return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True), np.float32)

    @property
    def groups(self) -> NDArray[np.int64]:
        """Which source each recording is of, (n,), counted from 0."""
        names = sorted({s.group for s in self.shown})
        return np.array([names.index(s.group) for s in self.shown])

    def truth(self, classes: Sequence[frozenset[str]]) -> NDArray[np.bool_]:
        """(n, classes): whether a recording shows one of a class's concepts."""
        return np.array([[bool(s.concepts & c) for c in classes] for s in self.shown])

    def only(self, wanted: Iterable[str]) -> Embedded:
        """Those that show one of the concepts."""
        names = set(wanted)
        rows = [i for i, s in enumerate(self.shown) if s.concepts & names]
        place = {row: i for i, row in enumerate(rows)}
        kept = np.isin(self.owner, rows)
        owner = np.array([place[int(o)] for o in self.owner[kept]], np.int64)
        return Embedded(
            self.modality, tuple(self.shown[i] for i in rows), self.windows[kept], owner
        )


@dataclass(frozen=True)
class Figure:
    """One line of the card. `wrong` are (is, taken for, how often), the most frequent first."""

    name: str
    metric: str
    value: float
    interval: Interval
    n: int
    chance: float
    beside: dict[str, float] = field(default_factory=dict)
    by_class: dict[str, tuple[float, int]] = field(default_factory=dict)
    wrong: tuple[Confusion, ...] = ()

    def plain(self) -> dict[str, Any]:
        return {**asdict(self), "interval": list(self.interval)}


def embed(model: Model, modality: ModalityName, found: Iterable[Shown]) -> Embedded:
    """All windows through the model's tower."""
    shown = tuple(found)
    inputs = np.concatenate([s.inputs for s in shown])
    parts = [model.encode(modality, inputs[i : i + BATCH]) for i in range(0, len(inputs), BATCH)]
    owner = np.repeat(np.arange(len(shown)), [len(s.inputs) for s in shown])
    return Embedded(modality, shown, np.concatenate(parts), owner)


def plain_words(name: str) -> str:
    """A concept as a user would type it."""
    return CATALOGUE[name].words if name in CATALOGUE else concepts()[name].phrases[0]


def choice(
    name: str,
    model: Model,
    found: Embedded,
    classes: Mapping[str, frozenset[str]],
    words: Mapping[str, Sequence[str]] | None = None,
    *,
    balanced: bool = False,
) -> Figure:
    """How often the words of the right class lie nearest to a recording.

    Args:
        classes: what a class is called, and the concepts that count as it.
        words: how each class is said; several ways are averaged. Its plainest words if left out.
        balanced: the mean over classes, in place of the share of recordings.
    """
    said = words or {c: [plain_words(next(iter(of)))] for c, of in classes.items()}
    means = np.stack([model.encode_text(list(said[c])).mean(0) for c in classes])
    scores = found.means @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T
    truth = found.truth(list(classes.values()))
    hits = top1_hits(scores, truth)
    names = list(classes)
    by_class = {
        c: (float(hits[truth[:, i]].mean()), int(truth[:, i].sum()))
        for i, c in enumerate(names)
        if truth[:, i].any()
    }
    wrong: dict[tuple[str, str], int] = {}
    for row in np.flatnonzero(~hits):
        pair = (names[int(truth[row].argmax())], names[int(scores[row].argmax())])
        wrong[pair] = wrong.get(pair, 0) + 1
    if balanced:
        value, interval = mean_class_accuracy(hits, truth), _balanced(hits, truth, found.groups)
    else:
        value, interval = float(hits.mean()), bootstrap_share(hits, found.groups, SEED)
    return Figure(
        name=name,
        metric="balanced accuracy" if balanced else "top-1",
        value=value,
        interval=interval,
        n=len(hits),
        chance=1 / len(names),
        by_class=by_class,
        wrong=tuple(
            Confusion(*pair, n) for pair, n in sorted(wrong.items(), key=lambda kv: -kv[1])
        ),
    )


def _balanced(
    hits: NDArray[np.bool_], truth: NDArray[np.bool_], groups: NDArray[np.int64]
) -> Interval:
    """The interval of a balanced accuracy: whole sources are drawn again."""
    rng = np.random.default_rng(SEED)
    members = [np.flatnonzero(groups == g) for g in range(groups.max() + 1)]
    values = []
    for _ in range(DRAWS):
        drawn = np.concatenate([members[g] for g in rng.integers(len(members), size=len(members))])
        values.append(mean_class_accuracy(hits[drawn], truth[drawn]))
    low, high = np.nanpercentile(values, (2.5, 97.5))
    return Interval(float(low), float(high))


def precision_of_sounds(model: Model, found: Embedded, trained: Sequence[Shown]) -> Figure:
    """Mean average precision over all labels, beside a linear probe on the same split.

    The probe is a logistic regression on the means and deviations of a recording's log-mel bins.
    """
    known = set().union(*(s.concepts for s in trained))
    names = sorted(known & set().union(*(s.concepts for s in found.shown)))
    truth = found.truth([frozenset({name}) for name in names])
    scores = found.means @ model.encode_text([plain_words(name) for name in names]).T
    probe = linear_probe(trained, found.shown, names)
    rng = np.random.default_rng(SEED)
    ours, values = average_precision(scores, truth), []
    for _ in range(DRAWS):  # labels are drawn again: few recordings each, so they are what varies
        values.append(float(np.nanmean(rng.choice(ours, len(ours)))))
    return Figure(
        name="sounds, all labels",
        metric="mean average precision",
        value=mean_average_precision(scores, truth),
        interval=Interval(*np.percentile(values, (2.5, 97.5)).tolist()),
        n=len(found.shown),
        chance=float(truth.mean(0).mean()),
        beside={"linear probe on log-mel means": mean_average_precision(probe, truth)},
    )


def linear_probe(
    trained: Sequence[Shown], held: Sequence[Shown], names: Sequence[str]
) -> NDArray[np.float32]:
    """Scores (held, names) of a logistic regression on log-mel means and deviations."""

    def statistics(shown: Sequence[Shown]) -> torch.Tensor:
        rows = []
        for one in shown:
            mel = one.inputs[:, 0, :, :198] * STD + MEAN
            rows.append(np.concatenate([mel.mean((0, 2)), mel.std((0, 2))]))
        return torch.from_numpy(np.stack(rows)).float()

    x, other = statistics(trained), statistics(held)
    mean, std = x.mean(0), x.std(0) + 1e-3
    x, other = (x - mean) / std, (other - mean) / std
    y = torch.tensor([[float(n in s.concepts) for n in names] for s in trained])
    weight = torch.zeros(x.shape[1], len(names), requires_grad=True)
    bias = torch.zeros(len(names), requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=200)

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = F.binary_cross_entropy_with_logits(x @ weight + bias, y, reduction="none").sum(1)
        total: torch.Tensor = loss.mean() + 0.01 * weight.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        return np.asarray((other @ weight + bias).numpy())


def falls(model: Model, rendered: Embedded, recorded: Embedded, hours: float) -> Figure:
    """Share of rendered falls that score above all but one recorded window an hour.

    The score is the cosine to "falling down" less the highest cosine to what else the tower knows.
    """
    others = [plain_words(n) for n in ("walking", "sitting_still", "standing_up", "sitting_down",
                                       "turning", "still_sensor", "running")]  # fmt: skip
    word = model.encode_text([plain_words("falling")])[0]
    rest = model.encode_text(others)

    def score(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(vectors @ word - (vectors @ rest.T).max(1))

    walked = np.sort(score(recorded.windows))[::-1]
    allowed = int(hours)  # windows in all that may score above the cut
    cut = walked[min(allowed, len(walked) - 1)]
    hits = score(rendered.windows) > cut
    interval = bootstrap_share(hits, np.arange(len(hits)), SEED)
    return Figure(
        name="falls (rendered) at 1 false alarm an hour of recorded walking and sitting",
        metric="recall",
        value=float(hits.mean()),
        interval=interval,
        n=len(hits),
        chance=float(1 / max(len(walked), 1)),
        beside={"hours recorded": hours, "windows recorded": float(len(walked))},
    )


def across(first: Embedded, second: Embedded) -> Figure | None:
    """Mean reciprocal rank of the first window of `second` that shows what one of `first` shows.

    Only concepts that both show count. Chance is the same with vectors in random order.
    """
    shared = set().union(*(s.concepts for s in first.shown))
    shared &= set().union(*(s.concepts for s in second.shown))
    if not shared:
        return None
    asked, pool = first.only(shared), second
    scores = asked.means @ pool.means.T
    right = np.array(
        [[bool(a.concepts & b.concepts) for b in pool.shown] for a in asked.shown], bool
    )
    rng = np.random.default_rng(SEED)
    ranks = _reciprocal(scores, right)
    guesses = [_reciprocal(rng.random(scores.shape), right).mean() for _ in range(20)]
    by_class = {}
    for name in sorted(shared):
        rows = np.array([name in s.concepts for s in asked.shown])
        by_class[plain_words(name)] = (float(ranks[rows].mean()), int(rows.sum()))
    draws = rng.choice(ranks, (DRAWS, len(ranks))).mean(1)
    return Figure(
        name=f"{asked.modality} finds {pool.modality}",
        metric="mean reciprocal rank",
        value=float(ranks.mean()),
        interval=Interval(*np.percentile(draws, (2.5, 97.5)).tolist()),
        n=len(ranks),
        chance=float(np.mean(guesses)),
        by_class=by_class,
    )


def _reciprocal(scores: NDArray[Any], right: NDArray[np.bool_]) -> NDArray[np.float64]:
    order = np.argsort(-scores, axis=1)
    return np.asarray(1.0 / (np.take_along_axis(right, order, 1).argmax(1) + 1))


def phrasings(model: Model, found: Sequence[Embedded]) -> Figure:
    """Top-1 lost with phrasings that no training saw; every modality counts as much."""
    shares: dict[str, list[list[float]]] = {"seen": [], "unseen": []}
    for one in found:
        here = sorted(set().union(*(s.concepts for s in one.shown)) & set(UNSEEN))
        part, classes = one.only(here), {n: frozenset({n}) for n in here}
        for kind, table in (("seen", {n: concepts()[n].phrases for n in here}), ("unseen", UNSEEN)):
            ways = ({n: [table[n][way]] for n in here} for way in range(WAYS))
            shares[kind].append([choice("", model, part, classes, said).value for said in ways])
    lost = np.subtract(shares["seen"], shares["unseen"])  # (modalities, WAYS)
    rng = np.random.default_rng(SEED)
    drawn = [rng.choice(each, (DRAWS, WAYS)).mean(1) for each in lost]
    seen, unseen = (float(np.mean(shares[kind])) for kind in ("seen", "unseen"))
    names = (f"lost of {one.modality}" for one in found)
    by_modality = dict(zip(names, lost.mean(1).tolist(), strict=True))
    return Figure(
        name="unseen phrasings",
        metric="top-1 lost",
        value=seen - unseen,
        interval=Interval(*np.percentile(np.mean(drawn, axis=0), (2.5, 97.5)).tolist()),
        n=sum(len(one.shown) for one in found),
        chance=0.0,
        beside={
            "seen": seen,
            "unseen": unseen,
            **by_modality,
            "phrasings": float(WAYS * len(UNSEEN)),
        },
    )
