"""What a rule would have made of the past is what it makes of it live."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindstream.budget.tail import Tail
from bindstream.combine.fused import Fused
from bindstream.combine.past import Past
from bindstream.combine.recalled import evidence_of, recalled
from tests.combine.made import LEVEL, T0, S, rule, score, window

TAIL = Tail(threshold=0.0, per_hour=500.0, scale=1.0, shape=0.0, peaks=64, hours=1.0)
STREAM = {"glass": "mic", "dog": "yard", "person": "camera"}
Windows = dict[int, tuple[float, bool]]
"""z of the window of each second, and whether its vector is that of the one before."""


def live(config: dict[str, object], queries: dict[str, Windows]) -> dict[int, float]:
    """The evidence of each second that was learned while it came."""
    fused = Fused(rule(**config))
    fused.expect({STREAM[name] for name in queries})
    for i in range(60):
        for name, windows in queries.items():
            if i in windows:
                z, repeated = windows[i]
                of = window(STREAM[name], i)
                found = [(score(name, of, TAIL.rate(z), z), LEVEL, 0.2)]
                fused.push(of, found, new=not repeated)
    fused.flush()
    series = fused._drawn._background.series()
    return by_second(series.values, series.starts_ns, series.ends_ns)


def by_second(values: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> dict[int, float]:
    return {
        (second - T0) // S: float(value)
        for value, start, end in zip(values, starts.tolist(), ends.tolist(), strict=True)
        for second in range(start - start % S, end, S)
    }


def past(name: str, windows: Windows) -> Past:
    starts: list[int] = []
    ends: list[int] = []
    z: list[float] = []
    for i, (value, repeated) in sorted(windows.items()):
        if repeated and starts:
            ends[-1] = T0 + (i + 2) * S
        else:
            starts.append(T0 + i * S)
            ends.append(T0 + (i + 2) * S)
            z.append(value)
    times = np.array(starts, np.int64), np.array(ends, np.int64)
    ones = np.ones(len(z))
    return Past(name, 0.2, STREAM[name], "audio", *times, np.array(z), ones, TAIL, LEVEL)


def before(config: dict[str, object], queries: dict[str, Windows]) -> dict[int, float]:
    pasts = [past(name, windows) for name, windows in queries.items()]
    found = list(evidence_of(rule(**config), pasts))
    assert all(one.end_ns <= other.start_ns for one, other in pairwise(found))
    return (
        by_second(
            *(
                np.array(x)
                for x in zip(*((f.sum.value, f.start_ns, f.end_ns) for f in found), strict=True)
            )
        )
        if found
        else {}
    )


def windows(rng: np.random.Generator) -> Windows:
    """A stream of a minute that says nothing for a while, and gives a vector twice now and then."""
    silent, length = rng.integers(0, 60), rng.integers(0, 12)
    found: Windows = {}
    for i in range(60):
        if silent <= i < silent + length:
            continue
        repeated = i % 3 == 1 and i - 1 in found and rng.uniform() < 0.3
        z = float(rng.choice([2.0, 4.0, 6.0, 9.0])) if rng.uniform() < 0.2 else -1.0
        found[i] = (found[i - 1][0] if repeated else z, repeated)
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from(["all", "any", "sequence"]),
    st.booleans(),
    st.sampled_from([4.0, 10.0]),
)
def test_it_is_to_the_second_what_a_rule_learns_live(
    seed: int, kind: str, has_none: bool, within_s: float
) -> None:
    rng = np.random.default_rng(seed)
    config = {kind: ["glass", "person"], "within_s": within_s}
    queries = {"glass": windows(rng), "person": windows(rng)}
    if has_none:
        config["none"] = ["dog"]
        queries["dog"] = windows(rng)
    seen, was = live(config, queries), before(config, queries)
    last = max((i for i in seen), default=-1)
    assert seen == {i: value for i, value in was.items() if i <= last}
    # A stream is waited for until it is silent: that long the past has nothing more to say.
    assert max(was, default=last) <= last + 5 or last < 0


def test_a_query_that_was_never_looked_for_leaves_nothing_to_learn() -> None:
    glass = dict.fromkeys(range(50), (9.0, False))
    assert before({"all": ["glass", "person"]}, {"glass": glass}) == {}


def test_what_was_not_known_yet_is_not_background() -> None:
    unknown = {i: (math.nan if i < 20 else -1.0, False) for i in range(60)}
    known = dict.fromkeys(range(60), (-1.0, False))
    found = before({"all": ["glass", "person"]}, {"glass": unknown, "person": known})
    assert (min(found), set(found.values())) == (21, {0.0})


def test_the_background_is_as_long_as_what_was_heard() -> None:
    known = {i: (9.0 if i == 30 else -1.0, False) for i in range(60)}
    pasts = [past("glass", known), past("person", known)]
    background = recalled(evidence_of(rule(all=["glass", "person"]), pasts))
    assert background.seconds == pytest.approx(60, abs=6)
    assert background.series().values.max() > 0
