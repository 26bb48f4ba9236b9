"""The tables and the picture of `alerts.py`, from a row a line and budget."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

BUDGETS = (0.1, 0.5, 2.0)
FIXED = (0.5, 2.0)  # false alarms an hour, beside those that the product had
WAYS = ("product", "cosine", "z-score", "softmax", "average")
COLOURS = {"audio": "tab:blue", "imu": "tab:green", "vision": "tab:orange"}


def show_budgets(rows: Sequence[dict[str, Any]]) -> None:
    heads = ("lines", "hours", "median", "pooled", "<= 2x", "exact", "over", "promised", "recall")
    print(f"\n{'modality':10s}{'budget':>6s}" + "".join(f"{head:>9s}" for head in heads))
    for modality in (*dict.fromkeys(r["modality"] for r in rows), "all"):
        for budget in BUDGETS:
            mine = of(rows, modality, budget)
            hours = sum(r["hours"] for r in mine)
            rates = [r["false"] / r["hours"] for r in mine]
            kept = np.mean([r["false"] <= 2 * budget * r["hours"] for r in mine])
            exact = np.mean([poisson(2 * budget * r["hours"], budget * r["hours"]) for r in mine])
            over = np.mean([1 - poisson(r["false"] - 1, budget * r["hours"]) < 0.05 for r in mine])
            promised = np.mean([r["is_promised"] for r in mine])
            pooled = sum(r["false"] for r in mine) / hours
            print(
                f"{modality:10s}{budget:6g}{len(mine):9d}{hours:9.1f}{np.median(rates):9.2f}",
                end="",
            )
            print(f"{pooled:9.2f}{kept:9.0%}{exact:9.0%}{over:9.0%}{promised:9.0%}", end="")
            print(f"{recall(mine, 'found'):9.0%}")


def of(rows: Sequence[dict[str, Any]], modality: str, budget: float) -> list[dict[str, Any]]:
    return [r for r in rows if r["budget"] == budget and modality in ("all", r["modality"])]


def poisson(most: float, mean: float) -> float:
    """The chance of at most so many where `mean` are expected."""
    terms = (
        math.exp(k * math.log(mean) - mean - math.lgamma(k + 1))
        for k in range(math.floor(most + 1e-9) + 1)
    )
    return min(sum(terms), 1.0)


def recall(rows: Sequence[dict[str, Any]], field: str) -> float:
    events = sum(r["events"] for r in rows)
    return sum(r[field] for r in rows) / events if events else math.nan


def show_causes(rows: Sequence[dict[str, Any]]) -> None:
    """What happened at the false alarms, and whether they come of few recordings."""
    print(
        f"\nfalse alarms at {BUDGETS[-1]:g}/h: in the room alone, and of the worst of the sources"
    )
    print("stream      lines    false     room   source   most often")
    for name in dict.fromkeys(r["stream"] for r in rows):
        mine = [r for r in rows if r["stream"] == name and r["budget"] == BUDGETS[-1]]
        found = [cause for r in mine for cause in r["causes"]]
        share = 1 / max(len(found), 1)
        alone = share * sum(concept == "nothing" for concept, _ in found)
        top = share * max(Counter(source for _, source in found if source).values(), default=0)
        said = Counter(f"{r['query']}: {concept}" for r in mine for concept, _ in r["causes"])
        often = "; ".join(f"{what} {n}" for what, n in said.most_common(3))
        print(f"{name:10s}{len(mine):7d}{len(found):9d}{alone:9.0%}{top:9.0%}   {often}")


@dataclass(frozen=True)
class Total:
    """Of some lines: events found, lines with at most twice their budget, and how many lines."""

    found: int
    kept: int
    lines: int


Together = dict[str, list[dict[str, Total]]]
"""By modality and budget: the product, and the others with one level each."""


def show_recall(rows: Sequence[dict[str, Any]], together: Together) -> None:
    print("\nmodality  at the false alarms of   events" + "".join(f"{w:>12s}" for w in WAYS))
    for modality in (*together, "all"):
        first = of(rows, modality, BUDGETS[0])
        events = sum(r["events"] for r in first)
        for k, budget in enumerate(BUDGETS):
            said = f"one level, budget {budget:g}/h"
            cells = []
            for way in WAYS:
                mine = totals(together, modality, k, way)
                kept = sum(t.kept for t in mine) / sum(t.lines for t in mine)
                cells.append(f"{found(mine, events):6.0%} ({kept:.0%})")
            show(modality, said, events, cells)
        for k, rate in enumerate(FIXED):
            shares = (sum(r["fixed"][k][w] for r in first) / max(events, 1) for w in WAYS)
            show(modality, f"{rate:g}/h each", events, [f"{share:.0%}" for share in shares])


def totals(together: Together, modality: str, budget: int, way: str) -> list[Total]:
    return [each[budget][way] for m, each in together.items() if modality in ("all", m)]


def found(some: Sequence[Total], events: int) -> float:
    """The share of events."""
    return sum(each.found for each in some) / max(events, 1)


def show(modality: str, said: str, events: int, cells: Sequence[str]) -> None:
    print(f"{modality:10s}{said:24s}{events:7d}" + "".join(f"{cell:>12s}" for cell in cells))


def draw(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Writes a PNG: a dot a line and budget on the left, a bar a way on the right."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6))
    dots(left, rows)
    bars(right, rows)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def dots(axis: Any, rows: Sequence[dict[str, Any]]) -> None:
    """Budgeted against realised. A line without any false alarm lies at half of one in its hours,
    hollow."""
    rng = np.random.default_rng(0)
    for place, modality in enumerate(dict.fromkeys(r["modality"] for r in rows)):
        mine = [r for r in rows if r["modality"] == modality]
        shift = 1.22 ** (place - 1)
        at = [r["budget"] * shift * np.exp(rng.uniform(-0.08, 0.08)) for r in mine]
        for heard, face in ((True, COLOURS[modality]), (False, "none")):
            here = [k for k, r in enumerate(mine) if (r["false"] > 0) == heard]
            rates = [max(mine[k]["false"], 0.5) / mine[k]["hours"] for k in here]
            axis.scatter(
                [at[k] for k in here],
                rates,
                s=16,
                facecolors=face,
                edgecolors=COLOURS[modality],
                linewidths=0.8,
                alpha=0.75,
                label=modality if heard else None,
            )
    axis.scatter([], [], s=16, c="none", edgecolors="grey", label="none (at half of one)")
    ends = np.array([BUDGETS[0] / 2, BUDGETS[-1] * 2])
    axis.plot(ends, ends, color="black", lw=1, label="budget")
    axis.plot(ends, 2 * ends, color="black", lw=1, ls=":", label="twice the budget")
    axis.set(xscale="log", yscale="log")
    axis.set(xlabel="budget, false alarms an hour", ylabel="realised, false alarms an hour")
    axis.set_xticks(BUDGETS, [f"{b:g}" for b in BUDGETS])
    axis.minorticks_off()
    axis.grid(alpha=0.3)
    axis.legend(fontsize=7, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))


def bars(axis: Any, rows: Sequence[dict[str, Any]]) -> None:
    """Recall where every line has the best level for so many false alarms, whatever the score."""
    width = 0.8 / len(WAYS)
    first = of(rows, "all", BUDGETS[0])
    events = max(sum(r["events"] for r in first), 1)
    for index, name in enumerate(WAYS):
        shares = [sum(r["fixed"][k][name] for r in first) / events for k in range(len(FIXED))]
        places = np.arange(len(FIXED)) + (index - (len(WAYS) - 1) / 2) * width
        axis.bar_label(axis.bar(places, shares, width, label=name), fmt="{:.0%}", fontsize=7)
    axis.set_xticks(range(len(FIXED)), [f"{rate:g}/h" for rate in FIXED])
    axis.set(xlabel="at as many false alarms, each query", ylabel="recall of events")
    axis.grid(alpha=0.3, axis="y")
    axis.legend(fontsize=8, ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1.0))
