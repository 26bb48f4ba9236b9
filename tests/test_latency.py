"""Latencies: what lies between two stages is the later one's, in milliseconds."""

from __future__ import annotations

import numpy as np
import pytest

from bindstream.latency import LESS_TOWER, MEMORY, STAGES, TO_ALERT, TO_BUS, Latency

MS = 1_000_000
WHOLE = {stage: 10 * (i + 1) * i // 2 * MS for i, stage in enumerate(STAGES)}  # 0, 10, 30, 60, …


def test_each_stage_is_charged_with_the_time_since_the_one_before() -> None:
    latency = Latency()
    latency.push(WHOLE)
    summary = latency.summary()
    for i, stage in enumerate(STAGES[1:], start=1):
        assert summary[stage] == {"n": 1, "p50": 10 * i, "p99": 10 * i}
    assert "closed" not in summary
    assert summary[TO_BUS]["p50"] == 150  # closed to published
    assert summary[LESS_TOWER]["p50"] == 110  # less batched to embedded
    assert summary[TO_ALERT]["p50"] == 280


def test_a_stage_that_a_window_did_not_pass_is_not_made_up() -> None:
    latency = Latency()
    latency.push({"closed": 0, "batched": 5 * MS})
    latency.push({"received": 0})
    latency.push({})
    assert latency.summary() == {}


def test_percentiles_are_over_all_windows() -> None:
    latency = Latency()
    times = np.random.default_rng(0).exponential(20, 500)
    for ms in times:
        latency.push({"closed": 0, "features": round(ms * MS)})
    said = latency.summary()["features"]
    assert said["n"] == 500
    assert said["p50"] == pytest.approx(np.percentile(times, 50), abs=1e-3)
    assert said["p99"] == pytest.approx(np.percentile(times, 99), abs=1e-3)


def test_old_windows_are_forgotten() -> None:
    latency = Latency()
    for ms in [1000] * MEMORY + [1] * MEMORY:
        latency.push({"closed": 0, "features": ms * MS})
    assert latency.summary()["features"] == {"n": MEMORY, "p50": 1, "p99": 1}
