"""The bench of times: its faults are what they say, and LSL's method is as described."""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from dejitter import Dejitter
from host_ways import met
from sensor_faults import LEAST_DELAY_NS, MS, SENSORS, START_NS, S, Sensor, arrivals_of


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    """bench/time.py by its path: the name is the standard library's."""
    path = Path(__file__).parents[2] / "bench" / "time.py"
    spec = importlib.util.spec_from_file_location("bench_time", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_time"] = module  # where dataclasses look for their annotations
    spec.loader.exec_module(module)
    return module


def test_the_standard_librarys_time_is_not_shadowed(bench: ModuleType) -> None:
    assert "time" in sys.builtin_module_names
    assert time.monotonic_ns() > 0
    assert bench is not time


def test_a_run_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    one, two, other = (arrivals_of(SENSORS[0], seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.arrivals_ns, two.arrivals_ns)
    assert (one.arrivals_ns != other.arrivals_ns).any()


@pytest.mark.parametrize("sensor", SENSORS, ids=lambda s: s.name)
def test_nothing_arrives_before_it_was_made(sensor: Sensor) -> None:
    came = arrivals_of(sensor, 0)
    assert ((came.arrivals_ns - came.true_ns) >= LEAST_DELAY_NS).all()
    assert (np.diff(came.arrivals_ns) >= 0).all()
    assert not sensor.ordered or (np.diff(came.true_ns) >= 0).all()


def test_faults_are_as_large_as_they_say() -> None:
    came = arrivals_of(Sensor("x", loss=0.05, twice=0.02, skew_ppm=100, steps=((20, -12.0),)), 3)
    made = np.unique(came.numbers)
    assert len(made) == pytest.approx(0.95 * 12_000, rel=0.01)
    assert len(came.numbers) / len(made) == pytest.approx(1.02, abs=0.01)
    off_s = (came.ticks - came.true_ns + START_NS) / S - 400
    assert off_s[-1] == pytest.approx(-12 + 60 * 100e-6, abs=1e-3)
    bursts = arrivals_of(Sensor("x", every_ms=(30, 50)), 0)
    apart_ms = np.diff(np.unique(bursts.arrivals_ns)) / MS
    assert 30 <= apart_ms.min() <= apart_ms.max() <= 51


def test_dejittering_follows_the_mean_delay_and_forgets() -> None:
    rng = np.random.default_rng(0)
    true_ns = START_NS + np.arange(12_000, dtype=np.int64) * 5 * MS
    arrivals = true_ns + rng.integers(0, 10 * MS, 12_000)
    line = Dejitter(200.0)
    placed = [line.place(n, int(at)) for n, at in enumerate(arrivals)]
    off_ms = (np.array(placed) - true_ns)[2000:] / MS
    assert off_ms.mean() == pytest.approx(5, abs=0.5)
    assert off_ms.std() < 0.5
    # A step is forgotten after some half-lives.
    stepped = Dejitter(200.0, half_life_s=5)
    errors = [
        stepped.place(n, int(true_ns[n]) + (S if n >= 6000 else 0)) - int(true_ns[n]) - S
        for n in range(12_000)
    ]
    assert abs(errors[6100]) > 0.5 * S
    assert abs(errors[-1]) < 0.1 * S


def test_another_hosts_clock_is_met_within_what_is_stated() -> None:
    found = met(1.0, 4.0, runs=1)
    assert found.within == 1.0
    assert found.p99_ms < 2
    assert found.p50_ms < found.stated_ms


def test_the_product_is_measured_to_meet_its_aims(bench: ModuleType) -> None:
    jumps = Sensor("x", length_s=30, steps=((12, 15.0), (20, -12.0)))
    result = bench.measured(jumps, "product", runs=1)
    assert (result.jumps, result.found, result.found_after, result.across) == (2, 2, 2, 0)
    assert result.p99_ms <= 5
    assert result.settled_s <= 10
    spoilt = bench.measured(jumps, "LSL of stamps", runs=1)
    assert spoilt.across > 0
    assert spoilt.settled_s is None
