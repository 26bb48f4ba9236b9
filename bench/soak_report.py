"""What became of a run that went on for long, in a table and a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from growth import LEAST, Growth, Kind, verdict
from numpy.typing import NDArray
from soak_sampling import TOTAL

KINDS = {
    # What grows by less an hour fills nothing within months.
    "RSS MB": Kind("MB", 2.0),
    "PSS MB": Kind("MB", 2.0),
    "own MB": Kind("MB", 2.0),
    "disk MB": Kind("MB", 0.5),
    "shared memory MB": Kind("MB", 2.0),
    "open files": Kind("files", 2.0),
    "files": Kind("files", 5.0),
    "threads": Kind("threads", 1.0),
    "ms": Kind("ms", 20.0),
    "windows a sample": Kind("windows", 5.0),
}
PER_WINDOW = {"float16": 2, "times and more": 40}
"""Bytes that a stream remembers of a window: of each number, and beside the vector."""
NOT_JUDGED = ("RSS MB", "PSS MB", "windows a sample")
"""Other programs share pages with the former, and cease to; more windows are no harm."""
FULL = 0.8
"""Of its quota: a folder that is so full has grown as far as it will."""


def kind_of(name: str) -> Kind:
    return next(kind for ending, kind in KINDS.items() if name.endswith(ending))


def meant(
    name: str, found: Growth, windows_per_hour: float, dim: int, quotas: Mapping[str, int]
) -> tuple[float, str]:
    """Growth an hour that is meant, and why; 0 and "" if none is."""
    if name.endswith(" MB") and name.startswith(("match ", TOTAL)):
        each = PER_WINDOW["float16"] * dim + PER_WINDOW["times and more"]
        # Room is made ahead, by half as much again.
        return 1.5 * windows_per_hour * each / 1e6, "vectors are remembered, 128 MiB a stream"
    for what, folder in (("history", "history"), ("evidence", "evidence"), ("record", "recording")):
        if name.startswith(f"{folder} ") and found.last < FULL * quotas[what] / 1e6:
            return np.inf, f"its quota of {quotas[what] / 1e6:g} MB is not reached"
        if name == f"{folder} files":
            return np.inf, "its quota is in bytes"
    if name.startswith(("state ", "log ")):
        return np.inf, "an alert takes about 2 kB"
    return 0.0, ""


def table(rows: Mapping[str, tuple[Growth, Kind, float, str]]) -> tuple[str, list[str]]:
    """A line a figure, and the names of what grows and should not."""
    lines = [f"{'':34s}{'mean':>9s}{'last':>9s}  slope, 95 % interval"]
    grown = []
    for name, (found, kind, explained, bound) in sorted(rows.items()):
        if found.samples < LEAST:  # a process of the start
            continue
        said = verdict(found, kind, explained=explained, bound=bound)
        lines.append(f"{name:34s}{found.mean:9.1f}{found.last:9.1f}  {said}")
        if "GROWS" in said and not name.endswith(NOT_JUDGED):
            grown.append(name)
    return "\n".join(lines), grown


def draw(
    path: Path,
    times_s: NDArray[np.float64],
    series: Mapping[str, NDArray[np.float64]],
    warm_up_s: float,
) -> None:
    """Every kind of figure in a panel of its own, over the time in minutes."""
    from matplotlib.figure import Figure

    kinds = [ending for ending in KINDS if any(name.endswith(ending) for name in series)]
    figure = Figure(figsize=(10, 2.6 * len(kinds)), layout="constrained")
    panels = figure.subplots(len(kinds), 1, squeeze=False)[:, 0]
    for ending, panel in zip(kinds, panels, strict=True):
        for name, values in sorted(series.items()):
            if kind_of(name) is KINDS[ending] and not name.startswith(TOTAL):
                panel.plot(
                    times_s / 60, values, label=name.removesuffix(ending).strip() or name, lw=1
                )
        panel.axvspan(0, warm_up_s / 60, color="0.92")
        panel.set_title(ending, loc="left", fontsize=9)
        panel.legend(fontsize=6, ncols=4, loc="upper left")
        panel.set_ylim(bottom=0)
    panels[-1].set_xlabel("minutes; grey is warm-up")
    figure.savefig(path, dpi=110)
