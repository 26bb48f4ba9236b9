"""Right and false alerts, and other ways to turn cosines into alerts at the same false alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rooms import Happening

from bindstream.budget.events import Series, Shape, events
from bindstream.calibration import MAD_TO_SIGMA
from bindstream.training.starter.phrases import broader, related

Scores = NDArray[np.float64]
Spans = NDArray[np.float64]

SOFTMAX_SCALE = 100.0
EMA_KEPT = 0.5
"""What is kept of the moving average from one window to the next: it spans some three windows, and
the shortest events are no longer."""
REFRACTORY_S = 10.0


@dataclass(frozen=True)
class Truth:
    """What answers a query in one half: times in seconds.

    Args:
        own: (n, 2) what the query means.
        zone: (m, 2) what it may mean, its own among them, apart from one another and with a
            window's slack at both ends. An alert that meets none of it is false.
        hours: without any of it.
    """

    own: Spans
    zone: Spans
    slack_s: float
    hours: float


def truth(found: Sequence[Happening], concept: str, seconds: float, slack_s: float) -> Truth:
    """What answers a query for `concept` among what happened in `seconds`."""
    near = related(concept)
    own = [h for h in found if any(concept in (c, *broader(c)) for c in h.concepts)]
    wide = [h for h in found if any(c in near or concept in related(c) for c in h.concepts)]
    zone: list[list[float]] = []
    for start_s, end_s in sorted((h.start_s - slack_s, h.end_s + slack_s) for h in wide):
        if zone and start_s <= zone[-1][1]:
            zone[-1][1] = max(zone[-1][1], end_s)
        else:
            zone.append([start_s, end_s])
    inside = sum(min(b, seconds) - max(a, 0.0) for a, b in zone)
    spans = np.array([(h.start_s, h.end_s) for h in own], np.float64).reshape(-1, 2)
    return Truth(spans, np.array(zone).reshape(-1, 2), slack_s, (seconds - inside) / 3600)


@dataclass(frozen=True)
class Judged:
    """How many alerts were false, how many of the query's own events were found, and which of the
    alerts were false, (n,) bool."""

    false: int
    found: int
    wrong: NDArray[np.bool_]


def judged(alerts: Spans, truth: Truth) -> Judged:
    """Alerts (n, 2), start and end in seconds, beside what happened."""
    right = _meets(alerts, truth.zone, 0.0)
    found = _meets(truth.own, alerts, truth.slack_s)
    return Judged(int((~right).sum()), int(found.sum()), ~right)


def _meets(spans: Spans, others: Spans, slack_s: float) -> NDArray[np.bool_]:
    """(n,): which of the spans overlap any of the others, give or take the slack."""
    starts, ends = others[:, 0][None], others[:, 1][None]
    overlap = (spans[:, :1] <= ends + slack_s) & (spans[:, 1:] >= starts - slack_s)
    return np.asarray(overlap.any(1))


def running_z(cosines: Scores) -> Scores:
    """Standard deviations above the mean of all cosines until then, as Frigate takes them.

    Frigate puts them through a sigmoid, which changes no order: levels are taken before it.
    """
    count = np.arange(1, len(cosines) + 1)
    mean = np.cumsum(cosines) / count
    squares = np.cumsum(np.square(cosines)) - count * np.square(mean)
    deviation = np.sqrt(np.maximum(squares, 0) / np.maximum(count - 1, 1))
    return np.asarray((cosines - mean) / np.maximum(deviation, 1e-6))


def softmax_logit(cosines: Scores, negatives: NDArray[np.floating]) -> Scores:
    """log(p / (1 - p)) of hailo-CLIP's p: the softmax of 100 times the cosines.

    Args:
        cosines: (n,) to the query.
        negatives: (n, m) to what it is held against.
    """
    scaled = SOFTMAX_SCALE * np.asarray(negatives, np.float64)
    top = scaled.max(1)
    sums = top + np.log(np.exp(scaled - top[:, None]).sum(1))
    return np.asarray(SOFTMAX_SCALE * cosines - sums)


def moving_average(cosines: Scores) -> Scores:
    """The exponential moving average of the cosines."""
    out = np.empty_like(cosines)
    last = cosines[0]
    for k, cosine in enumerate(cosines.tolist()):
        last = EMA_KEPT * last + (1 - EMA_KEPT) * cosine
        out[k] = last
    return out


@dataclass(frozen=True)
class Way:
    """Scores of one query on the test half, in order of how high, and what an event of them is."""

    series: Series
    shape: Shape

    def alerts(self, cut: float) -> Spans:
        """(n, 2) start and end in seconds of the events at a cut."""
        found = events(self.series, cut, self.shape)
        starts, ends = self.series.starts_ns[found.first], self.series.ends_ns[found.last]
        return np.stack([starts, ends], 1) / 1e9


def way(scores: Scores, starts_ns: NDArray[np.int64], window_ns: int, shape: Shape) -> Way:
    """Scores of windows with the product's hysteresis: so many robust deviations of their own."""
    known = np.isfinite(scores)
    values = np.where(known, scores, -np.inf)
    middle = np.median(scores[known])
    sigma = MAD_TO_SIGMA * np.median(np.abs(scores[known] - middle))
    own = Shape(
        hysteresis=shape.hysteresis * float(sigma),
        needed=shape.needed,
        of=shape.of,
        least_ns=shape.least_ns,
        cooldown_ns=shape.cooldown_ns,
        most_ns=shape.most_ns,
    )
    return Way(Series(values, starts_ns, starts_ns + window_ns), own)


def at_most(one: Way, truth: Truth, wanted: Sequence[int]) -> list[Judged]:
    """What the lowest cuts with at most so many false alarms give, each.

    Only the highest tenth of the scores is tried: further down all flows into one endless alert.
    """
    values = np.sort(one.series.values)[::-1][: len(one.series) // 10]
    values = values[np.isfinite(values)]
    known: dict[int, Judged] = {}

    def at(place: int) -> Judged:
        if place not in known:
            known[place] = judged(one.alerts(float(values[place])), truth)
        return known[place]

    nothing = Judged(0, 0, np.zeros(0, bool))
    found = []
    for most in wanted:
        low, high = -1, 0  # `low` keeps to it, `high` may not
        while high < len(values) - 1 and at(high).false <= most:
            low, high = high, min(2 * high + 1, len(values) - 1)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if at(middle).false <= most else (low, middle)
        found.append(nothing if low < 0 else at(low))
    return found


def one_level(ways: Sequence[Way], truths: Sequence[Truth], most: int) -> list[Judged]:
    """What the lowest cut that is the same for all lines gives each of them, with at most so many
    false alarms in all."""
    pooled = [np.sort(one.series.values)[::-1][: len(one.series) // 10] for one in ways]
    values = np.sort(np.concatenate(pooled))[::-1]
    values = values[np.isfinite(values)]

    def at(place: int) -> list[Judged]:
        cut = float(values[place])
        return [judged(one.alerts(cut), known) for one, known in zip(ways, truths, strict=True)]

    low, high = -1, 0
    best = [Judged(0, 0, np.zeros(0, bool)) for _ in ways]
    while high < len(values) - 1 and _false(found := at(high)) <= most:
        low, high, best = high, min(2 * high + 1, len(values) - 1), found
    while high - low > 1:
        middle = (low + high) // 2
        if _false(found := at(middle)) <= most:
            low, best = middle, found
        else:
            high = middle
    return best


def _false(found: Sequence[Judged]) -> int:
    return sum(each.false for each in found)
