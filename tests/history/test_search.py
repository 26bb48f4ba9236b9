from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindstream.config import QueryConfig
from bindstream.errors import HistoryError
from bindstream.history import History
from bindstream.history.rows import Vectors
from bindstream.history.search import (
    LETTING_GO,
    LIKELY,
    Hit,
    Question,
    Scope,
    deviations,
    score,
    search,
    stretches,
)
from bindstream.matcher import Matcher, make_query, shares
from bindstream.records import Embedding
from tests.history.windows import DIM, MODEL, NOON_NS, SECOND_NS, unit, window, writer, written

EVERYTHING = Scope()
AXIS = np.eye(DIM, dtype=np.float32)


def at(cosine: float, noise: int) -> Vectors:
    """A unit vector whose cosine to the first axis is this."""
    rest = unit(noise)
    rest[0] = 0
    rest *= math.sqrt(1 - cosine**2) / np.linalg.norm(rest)
    return (AXIS[0] * cosine + rest).astype(np.float32)


def stream(
    name: str, cosines: Callable[[int], float], count: int = 60, **over: object
) -> list[Embedding]:
    return [window(name, i, vector=at(cosines(i), i), **over) for i in range(count)]


def quiet(i: int) -> float:
    return 0.1 + 0.02 * math.sin(i)


def event(first: int, last: int, height: float, base: float = 0.0) -> Callable[[int], float]:
    middle = (first + last) / 2
    return lambda i: base + (height - 0.02 * abs(i - middle) if first <= i <= last else quiet(i))


def found(folder: Path, scope: Scope = EVERYTHING, top: int = 10, **question: object) -> list[Hit]:
    asked = Question(AXIS[0], MODEL, **question)  # type: ignore[arg-type]
    return search(History(folder), asked, scope, top).hits


def seconds(hit: Hit) -> tuple[int, int]:
    return (hit.start_ns - NOON_NS) // SECOND_NS, (hit.end_ns - NOON_NS) // SECOND_NS


def test_neighbouring_windows_are_one_hit_with_its_peak(tmp_path: Path) -> None:
    written(tmp_path, stream("mic", event(20, 24, 0.7)) + stream("door", quiet))
    first = found(tmp_path)[0]
    assert (first.stream, first.modality, seconds(first)) == ("mic", "vision", (20, 26))
    assert (first.peak_start_ns - NOON_NS) // SECOND_NS == 22
    assert (first.windows, first.of) == (5, 60)
    assert first.score == pytest.approx(0.7, abs=1e-3)
    assert first.share == 1


def test_hits_are_ranked_by_what_stands_out_of_their_own_stream(tmp_path: Path) -> None:
    """The louder stream has higher cosines throughout; what stands out of the other one is more."""
    loud = stream("loud", event(40, 42, 0.45, base=0.4), modality="audio")
    written(tmp_path, stream("still", event(10, 12, 0.6)) + loud)
    hits = found(tmp_path)
    assert [hit.stream for hit in hits[:2]] == ["still", "loud"]
    assert hits[0].score < hits[1].score
    assert hits[0].z > hits[1].z
    (alone,) = found(tmp_path, Scope(modality="audio"), top=1)
    assert alone.stream == "loud"
    (alone,) = found(tmp_path, Scope(streams=("loud",)), top=1)
    assert alone == hits[1]


def test_z_is_held_against_the_period_searched(tmp_path: Path) -> None:
    written(tmp_path, stream("mic", lambda i: 0.5 if i >= 40 else quiet(i), count=80))
    whole = found(tmp_path)[0]
    late = found(tmp_path, Scope(since_ns=NOON_NS + 40 * SECOND_NS))
    assert (whole.windows, whole.of) == (40, 80)
    assert not late or late[0].z < 1


def test_what_is_searched_for_is_no_hit_itself(tmp_path: Path) -> None:
    written(tmp_path, stream("mic", event(20, 24, 0.7)) + stream("door", event(20, 24, 0.6)))
    but = (("mic", NOON_NS + 19 * SECOND_NS, NOON_NS + 27 * SECOND_NS),)
    first, *others = found(tmp_path, Scope(but=but))
    assert (first.stream, seconds(first)) == ("door", (20, 26))
    assert all(hit.z < 3 for hit in others)


def test_words_that_are_no_likely_name_of_a_window_rank_behind(tmp_path: Path) -> None:
    """A stream in which anything that happens stands out, and is something else."""
    bump = stream("bump", event(20, 22, 0.9))
    other = {"imu": AXIS[1:2]}
    shaken = [
        window("wrist", i, modality="imu", vector=at(0.02, i) if i != 5 else _between(0.5, 0.8))
        for i in range(60)
    ]
    written(tmp_path, shaken + stream("mic", event(30, 31, 0.4)) + bump)
    plain = found(tmp_path)
    assert [hit.stream for hit in plain[:3]] == ["bump", "wrist", "mic"]
    held = found(tmp_path, top=100, others=other)
    order = [hit.stream for hit in held]
    assert order[:2] == ["bump", "mic"]
    wrist = next(hit for hit in held if hit.stream == "wrist" and hit.z > 10)
    assert wrist.share < LIKELY
    assert order.index("wrist") > 1


def _between(first: float, second: float) -> Vectors:
    vector = np.zeros(DIM, np.float32)
    vector[0], vector[1] = first, second
    vector[2] = math.sqrt(1 - first**2 - second**2)
    return vector


def test_shares_are_those_that_queries_have() -> None:
    others = np.stack([unit(100), unit(101), unit(102)])
    config = QueryConfig.model_validate({"text": "a dog"})
    query = make_query(config, unit(99)[None], np.zeros((0, DIM), np.float32), MODEL)
    matcher = Matcher([query], others)
    vectors = np.stack([unit(i) for i in range(20)])
    scores, found = score(vectors.astype(np.float16), unit(99), others)
    cosines, values = matcher.push(vectors)
    assert scores == pytest.approx(cosines[:, 0], abs=1e-3)
    assert found == pytest.approx(shares(values)[:, 0], abs=1e-2)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1, 1, width=32), max_size=50))
def test_z_counts_robust_deviations_from_the_streams_own_median(values: list[float]) -> None:
    scores = np.array(values, np.float32)
    z = deviations(scores)
    assert z.shape == scores.shape
    assert np.isfinite(z).all()
    if values:
        assert abs(np.median(z)) < 1e-3
        assert (np.diff(z[np.argsort(scores)]) >= 0).all()


lengths = st.integers(1, 5)
gaps = st.integers(0, 6)
levels = st.floats(-5, 10, width=16)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(gaps, lengths, levels), max_size=30))
def test_stretches_are_apart_and_hold_what_is_near_their_peak(
    windows: list[tuple[int, int, float]],
) -> None:
    starts = np.cumsum([gap for gap, _, _ in windows], dtype=np.int64)
    ends = starts + np.array([length for _, length, _ in windows], np.int64)
    z = np.array([level for _, _, level in windows], np.float64)
    hits = list(stretches(starts, ends, z, 100))
    peaks = [z[peak] for _, _, peak in hits]
    assert peaks == sorted(peaks, reverse=True)
    if len(z) and z.max() > 0:
        assert peaks[0] == z.max()
    spans = []
    for low, high, peak in hits:
        assert low <= peak < high
        assert (z[low:high] >= LETTING_GO * z[peak]).all()
        assert z[low:high].max() == z[peak] > 0
        spans.append((starts[low], ends[low:high].max()))
    for i, (since, until) in enumerate(spans):
        assert all(until < a or b < since for a, b in spans[:i])
    # Whatever stands out at all is in a hit or next to one.
    for i in np.flatnonzero(z > 0):
        assert any(starts[i] <= until and ends[i] >= since for since, until in spans)


def test_no_more_than_asked_for(tmp_path: Path) -> None:
    written(tmp_path, stream("mic", lambda i: 0.9 if i % 7 == 0 else quiet(i)))
    assert len(found(tmp_path, top=3)) == 3
    assert list(stretches(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), 3)) == []


def test_windows_of_other_models_are_not_compared(tmp_path: Path) -> None:
    written(tmp_path, stream("mic", quiet) + stream("door", event(5, 8, 0.9), model="other"))
    result = search(History(tmp_path), Question(AXIS[0], MODEL), Scope())
    assert result.searched == {"mic": 60}
    assert {hit.stream for hit in result.hits} <= {"mic"}
    with pytest.raises(HistoryError, match="16 dimensions, 4 are due"):
        search(History(tmp_path), Question(np.ones(4, np.float32) / 2, MODEL), Scope())


def test_what_the_writer_still_holds_is_no_part_of_it_and_the_rest_is(tmp_path: Path) -> None:
    made = writer(tmp_path)
    for each in stream("mic", event(20, 24, 0.7)):
        made.push(each)
    assert search(History(tmp_path), Question(AXIS[0], MODEL), Scope()).searched == {}
    made.flush(NOON_NS)
    assert found(tmp_path)[0].stream == "mic"
    made.close(NOON_NS)
