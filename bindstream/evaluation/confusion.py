"""A picture of what was taken for what."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bindstream.errors import ConfigError, MissingPackageError
from bindstream.evaluation.measuring import Confusion

MOST_CLASSES = 20  # more cannot be read in one picture


def draw_confusions(confusions: Sequence[Confusion], title: str, to: Path) -> None:
    """Write a PNG: how many items of each class (rows) were taken for which other (columns).

    The classes are those of the most frequent confusions, 20 at most.

    Raises:
        ConfigError: the file cannot be written.
        MissingPackageError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingPackageError(
            f"Pictures need {error.name}, which is not installed.",
            fix="Run: pip install 'bindstream[eval]'.",
        ) from None
    labels = most_confused(confusions)
    counts = np.zeros((len(labels), len(labels)), np.int64)
    for true, taken_for, count in confusions:
        if true in labels and taken_for in labels:
            counts[labels.index(true), labels.index(taken_for)] = count
    side = 3 + 0.4 * len(labels)  # inches
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(counts, cmap="Blues", vmin=0, vmax=max(int(counts.max(initial=0)), 1))
    axes.set_xticks(range(len(labels)), labels, rotation=90)
    axes.set_yticks(range(len(labels)), labels)
    for row, column in zip(*np.nonzero(counts), strict=True):
        dark = counts[row, column] > counts.max() / 2
        colour = "white" if dark else "black"
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour)
    axes.set_xlabel("taken for")
    axes.set_ylabel("is")
    axes.set_title(title)
    try:
        figure.savefig(to, format="png", dpi=120)
    except OSError as error:
        raise ConfigError(f"it cannot be written ({error.strerror}).", where=str(to)) from error


def most_confused(confusions: Sequence[Confusion]) -> list[str]:
    """The classes of the most frequent confusions, in the order in which they come up."""
    labels: list[str] = []
    for true, taken_for, _ in confusions:
        new = [label for label in (true, taken_for) if label not in labels]
        if len(labels) + len(new) > MOST_CLASSES:
            break
        labels += new
    return labels
