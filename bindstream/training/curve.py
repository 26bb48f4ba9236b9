"""A training's course as CSV and as a picture, written while it goes on."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bindstream.errors import DataError, MissingPackageError
from bindstream.training.measuring import FIGURES
from bindstream.training.trainer import Moment

COLUMNS = ("step", "progress", "minutes", "loss", "rate", *FIGURES)
DRAW_EVERY_S, DRAW_FIGURES_EVERY_S = 30.0, 5.0  # a picture takes half a second


class Curve:
    """Appends moments to `NAME.csv` and draws `NAME.png` of all of them.

    Args:
        path: of the CSV.
        resume: keep what an earlier run has written, but for what it did after its checkpoint.
        chance: what guessing gives, drawn as broken lines.

    Raises:
        MissingPackageError: matplotlib is not installed.
        DataError: the file cannot be written.
    """

    def __init__(
        self, path: Path, title: str, *, resume: bool, chance: Mapping[str, float] | None = None
    ) -> None:
        figure_class()
        self.path, self.picture = path, path.with_suffix(".png")
        self._title, self._chance = title, chance or {}
        self._rows = _stored(path) if resume else []
        self._drawn_s = -math.inf
        self._begun = False

    def add(self, moment: Moment) -> None:
        """Write a moment, and draw what there is from time to time: evaluations sooner."""
        if not self._begun:
            self._begun = True
            self._rows = [row for row in self._rows if row["step"] < moment.step]
            self._write(self._rows, "w")
        row = {
            "step": float(moment.step),
            "progress": round(moment.progress, 5),
            "minutes": round(moment.spent_s / 60, 3),
            "loss": moment.loss,
            "rate": moment.rate,
            **moment.figures,
        }
        self._rows.append(row)
        self._write([row], "a")
        every_s = DRAW_FIGURES_EVERY_S if moment.figures else DRAW_EVERY_S
        if time.monotonic() - self._drawn_s > every_s:
            self.draw()

    def draw(self) -> None:
        """Write the picture; nothing if there is nothing to show."""
        if not self._rows:
            return
        figure = figure_class()(figsize=(8, 9), layout="constrained")
        loss, shares, rate = figure.subplots(3, 1, sharex=True)
        self._line(loss, "loss", "training")
        self._line(loss, "held_out_loss", "held out")
        for name, colour in zip(("r1", "r5", "mrr", "top1"), ("C0", "C1", "C2", "C3"), strict=True):
            self._line(shares, name, name, colour)
            if name in self._chance:
                shares.axhline(self._chance[name], color=colour, linestyle=":", linewidth=1)
        self._line(rate, "rate", "learning rate")
        loss.set_title(self._title)
        loss.set_ylabel("loss")
        shares.set_ylabel("held out (dotted: chance)")
        shares.set_ylim(0, 1)
        rate.set_ylabel("learning rate")
        rate.set_xlabel("step")
        for axes in (loss, shares):
            if axes.get_legend_handles_labels()[0]:
                axes.legend()
        partial = self.picture.with_suffix(".partial")
        try:
            figure.savefig(partial, format="png", dpi=100)
            partial.replace(self.picture)
        except OSError as error:
            raise _unwritten(self.picture, error) from error
        self._drawn_s = time.monotonic()

    def _line(self, axes: Any, name: str, label: str, colour: str | None = None) -> None:
        points = [(row["step"], row[name]) for row in self._rows if name in row]
        if points:
            marker = "." if name in FIGURES else None
            axes.plot(*zip(*points, strict=True), label=label, color=colour, marker=marker)

    def _write(self, rows: list[dict[str, float]], mode: str) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open(mode, newline="") as file:
                writer = csv.DictWriter(file, COLUMNS)
                if mode == "w":
                    writer.writeheader()
                writer.writerows(
                    {name: f"{value:.6g}" for name, value in row.items()} for row in rows
                )
        except OSError as error:
            raise _unwritten(self.path, error) from error


def _stored(path: Path) -> list[dict[str, float]]:
    """The whole rows of an earlier run; a last one may have been cut short."""
    try:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError:
        return []
    found = []
    for row in rows:
        try:
            values = {name: float(row[name]) for name in COLUMNS if row.get(name)}
        except ValueError:
            continue
        if "step" in values:
            found.append(values)
    return found


def _unwritten(path: Path, error: OSError) -> DataError:
    return DataError(
        f"The curve cannot be written: {error.strerror}.", where=str(path), fix="Free space."
    )


def figure_class() -> Any:
    """What curves are drawn by.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure  # draws PNG by Agg, without a display
    except ImportError as error:
        raise MissingPackageError(
            f"Curves need {error.name}, which is not installed.",
            fix="Run: pip install 'bindstream[train]'.",
        ) from None
    return Figure
