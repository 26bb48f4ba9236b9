"""What is amiss with a query's examples, in words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from bindstream.config import QueryConfig
from bindstream.teaching.examples import Example
from bindstream.teaching.fitting import Fit

FEW = 3
"""With fewer examples it cannot be told which of them is odd."""
ALIKE = 0.995
"""Cosine from which two files are all but the same recording."""
FOUND_SHARE: float = QueryConfig.model_fields["share"].default
"""Share at which an alert starts where a query states none."""


def doubts(examples: Sequence[Example], negatives: Sequence[Example], fit: Fit) -> list[str]:
    """Sentences on examples that are too few, odd, alike, or that negatives are taken for."""
    found = fit.shares(fit.positive_scores) >= FOUND_SHARE
    mistaken = fit.shares(fit.negative_scores) >= FOUND_SHARE
    said = [*_few(examples), *_alike(examples, "examples"), *_alike(negatives, "negatives")]
    if len(examples) >= FEW and not found.any():
        said.append("no example would be found by the others: they are not alike.")
    elif len(examples) >= FEW:
        said += [
            f"{example.file}: the others would not find it (it scores {score:.2f}, the level is "
            f"{fit.level:.2f}). Is it the right recording? If so, give more like it."
            for example, score, there in zip(examples, fit.positive_scores, found, strict=True)
            if not there
        ]
    said += [
        f"{negative.file}: would be taken for an example (it scores {score:.2f}, the level is "
        f"{fit.level:.2f}). Give more like it to --not, or more examples."
        for negative, score, taken in zip(negatives, fit.negative_scores, mistaken, strict=True)
        if taken
    ]
    return said


def _few(examples: Sequence[Example]) -> list[str]:
    if len(examples) >= FEW:
        return []
    count = "1 example is" if len(examples) == 1 else f"{len(examples)} examples are"
    return [
        f"{count} few: which one is odd cannot be told, and four find more. Record it again from "
        "another place, at another time."
    ]


def _alike(examples: Sequence[Example], what: str) -> list[str]:
    vectors = np.stack([example.vector for example in examples]) if examples else np.zeros((0, 1))
    return [
        f"{one.file} and {other.file} are all but the same: as {what} they count as one."
        for (i, one), (j, other) in combinations(enumerate(examples), 2)
        if float(vectors[i] @ vectors[j]) >= ALIKE
    ]
