"""A rule's evidence over what its streams gave before: as it would have been, had it been watched.

Signs are few, since what a background often shows is none. Between one sign's coming or going and
the next the evidence stays the same, so that a day is some thousands of sums, done as they are
while a rule watches (`bindstream.combine.signs`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bindstream.budget.events import SILENCE_NS, Times
from bindstream.combine.background import FusedBackground
from bindstream.combine.past import Past
from bindstream.combine.signs import STEP_NS, Sign, Signs, Sum, sign_of
from bindstream.config.rule import CombinedRule
from bindstream.records import Score

Time = TypeVar("Time", int, Times)
Spans = NDArray[np.int64]
"""(n, 2): [first, end) in seconds since 1970."""


@dataclass(frozen=True)
class Stretch:
    """A time [start_ns, end_ns), UTC, in which a rule's evidence stayed the same."""

    sum: Sum
    start_ns: int
    end_ns: int


def recalled(stretches: Iterable[Stretch]) -> FusedBackground:
    """The background that a rule would have learned."""
    background = FusedBackground()
    for each in stretches:
        background.push(each.sum.value, each.start_ns, each.end_ns)
    return background


def evidence_of(rule: CombinedRule, pasts: Sequence[Past]) -> Iterator[Stretch]:
    """A rule's evidence, oldest first, for as long as all of its queries were held against windows.

    Args:
        pasts: of each of its queries on each stream that it watches.
    """
    within_ns = round(rule.within_s * 1e9)
    signs = sorted(
        (sign for past in pasts for sign in _signs(past, rule)), key=lambda sign: sign.part.end_ns
    )
    spans = _together([_looked(query, pasts) for query in rule.members])
    comes = [_second(sign.part.end_ns) for sign in signs]
    goes = [_second(sign.middle_ns + within_ns) for sign in signs]
    edges = np.unique(np.concatenate((np.array(comes + goes, np.int64), spans.ravel())))
    inside = np.searchsorted(spans.ravel(), edges, "right") % 2 == 1
    held, at = Signs(rule), 0
    for (first, end), is_inside in zip(pairwise(edges.tolist()), inside.tolist(), strict=False):
        while at < len(signs) and comes[at] <= first:
            held.put(signs[at])
            at += 1
        held.forget(first * STEP_NS)
        if is_inside:
            found = held.sum(first * STEP_NS)
            yield Stretch(found, (first - 1) * STEP_NS, (end - 1) * STEP_NS)


def _signs(past: Past, rule: CombinedRule) -> Iterator[Sign]:
    """The windows that have evidence; a vector that stood for several is one sign, at the first."""
    for place in np.flatnonzero(past.z >= past.least).tolist():
        start_ns, z = int(past.starts_ns[place]), float(past.z[place])
        score = Score(
            query=past.query,
            stream=past.stream,
            modality=past.modality,
            seq=-1,
            start_ns=start_ns,
            end_ns=start_ns + past.length_ns,
            cosine=0.0,
            value=0.0,
            z=z,
            share=float(past.shares[place]),
            per_hour=past.tail.rate(z),
        )
        if (sign := sign_of(score, past.level, past.budget, rule.within_s)) is not None:
            yield sign


def _looked(query: str, pasts: Sequence[Past]) -> Spans:
    """When a window of any of its streams was held against the query a moment ago, merged."""
    spans = [np.zeros((0, 2), np.int64)]
    for past in pasts:
        if past.query == query:
            known = np.isfinite(past.z)  # not so in the warm-up
            firsts = past.starts_ns[known] + past.length_ns
            ends = past.ends_ns[known] + SILENCE_NS
            spans.append(np.stack((_second(firsts), _second(ends)), axis=1))
    every = np.concatenate(spans)
    every = every[np.argsort(every[:, 0])]
    reach = np.maximum.accumulate(every[:, 1])
    begins = np.concatenate((np.ones(min(len(every), 1), bool), every[1:, 0] > reach[:-1]))
    lasts = np.concatenate((begins[1:], np.ones(min(len(every), 1), bool)))
    return np.stack((every[begins, 0], reach[lasts]), axis=1)


def _together(each: Sequence[Spans]) -> Spans:
    """Where spans of all of them, merged, overlap."""
    firsts, ends = np.concatenate([s[:, 0] for s in each]), np.concatenate([s[:, 1] for s in each])
    edges = np.concatenate((firsts, ends))
    steps = np.concatenate((np.ones(len(firsts), np.int64), -np.ones(len(ends), np.int64)))
    order = np.lexsort((steps, edges))  # at the same second one ends before another begins
    edges, count = edges[order], np.cumsum(steps[order])
    starts = np.flatnonzero(count == len(each))
    return np.stack((edges[starts], edges[np.minimum(starts + 1, len(edges) - 1)]), axis=1)


def _second(times_ns: Time) -> Time:
    """The first whole second that is not before a time."""
    return -(-times_ns // STEP_NS)
