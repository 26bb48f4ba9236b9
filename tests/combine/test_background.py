"""A rule's background: whatever the stretches, the same time and the same peaks."""

from __future__ import annotations

import numpy as np
import pytest

from bindstream.budget.events import Shape, critical_levels
from bindstream.combine.background import ENTRIES_MOST, FusedBackground

S = 1_000_000_000


def filled(values: list[float]) -> FusedBackground:
    background = FusedBackground()
    for i, value in enumerate(values):
        background.push(value, i * S, (i + 1) * S)
    return background


def test_all_time_is_in_it_once_and_in_order() -> None:
    rng = np.random.default_rng(0)
    values = np.where(rng.uniform(size=4000) < 0.02, rng.integers(1, 4, 4000), 0).astype(float)
    series = filled(values.tolist()).series()
    assert series.hours == pytest.approx(4000 / 3600)
    assert (series.starts_ns[1:] == series.ends_ns[:-1]).all()
    seconds = (series.starts_ns + series.ends_ns) // 2 // S
    assert (series.values == values[seconds]).all()
    assert len(series) < len(values)


def test_most_of_it_is_without_evidence_so_that_every_peak_counts() -> None:
    values = [0.0] * 3600
    for at, height in ((100, 3.0), (101, 3.0), (900, 5.0), (2000, 4.0)):
        values[at] = height
    series = filled(values).series()
    assert np.quantile(series.values, 0.9) == 0
    assert critical_levels(series, 0.0, Shape()).tolist() == [5, 4, 3]


def test_what_is_always_evidence_is_taken_as_it_is() -> None:
    assert filled([1.0, 2.0, 2.0, 3.0]).series().values.tolist() == [1, 2, 3]


def test_of_very_much_the_latest_is_kept() -> None:
    background = filled([float(i % 2 + 1) for i in range(ENTRIES_MOST + 1)])
    assert len(background.series()) == ENTRIES_MOST + 1 - ENTRIES_MOST // 10
    assert background.seconds == ENTRIES_MOST + 1


def test_nothing_heard_is_no_time() -> None:
    assert FusedBackground().series().hours == 0
