"""What is held out: sources (a person, a place, a day), never windows.

Windows of one recording are so alike that a tower which has seen some of them knows the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from bindstream.config import Problem
from bindstream.records import ModalityName
from bindstream.training.manifest import Other, Row, Words

Node = tuple[str, str]
Kind = tuple[ModalityName, str]  # and the class, "" for any


def groups_of(rows: Sequence[Row]) -> list[int]:
    """For each row the number of its group: rows that share a source or a file are in one."""
    parent: dict[Node, Node] = {}

    def root(node: Node) -> Node:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    own = [("file", str(row.file.resolve())) for row in rows]
    for row, file in zip(rows, own, strict=True):
        if row.source:
            parent[root(file)] = root(("source", row.source))
        if isinstance(row.anchor, Other):
            parent[root(("file", str(row.anchor.file.resolve())))] = root(file)
    numbers: dict[Node, int] = {}
    return [numbers.setdefault(root(file), len(numbers)) for file in own]


def held_out_groups(
    rows: Sequence[Row],
    groups: Sequence[int],
    modalities: Sequence[ModalityName],
    share: float,
    seed: int,
) -> tuple[set[int], list[Problem]]:
    """The groups that are held out, and rows that contradict one another.

    As rows say; of each modality's groups as many are drawn from those whose rows say nothing as
    make up `share`. A class is never drawn as a whole: one of which nothing is left is not learned.
    """
    said: dict[int, Row] = {}
    problems = []
    for row, group in zip(rows, groups, strict=True):
        if row.split and (before := said.setdefault(group, row)).split != row.split:
            at = f"{before.manifest.name}:{before.line}"
            what = f"{at} says {before.split} of the same source or file"
            fix = "A source is trained on or held out, not both."
            problems.append(Problem(str(row.manifest), row.line, "split", row.split, what, fix))
    held_out = {group for group, row in said.items() if row.split == "held_out"}
    order = np.random.default_rng(seed).permutation(len(set(groups))).tolist()
    free = [group for group in order if group not in said]
    kinds: dict[int, set[Kind]] = {}
    for row, group in zip(rows, groups, strict=True):
        name = row.anchor.name if isinstance(row.anchor, Words) else ""
        kinds.setdefault(group, set()).update({(row.modality, name), (row.modality, "")})
    left = Counter(
        kind for group, found in kinds.items() if group not in held_out for kind in found
    )
    for modality in modalities:
        mine = {group for group, found in kinds.items() if (modality, "") in found}
        wanted = round(share * len(mine))
        wanted = max(wanted, 1) if share and len(mine) > 1 else wanted
        for group in free:
            if len(held_out & mine) >= wanted:
                break
            spare = all(left[kind] > 1 for kind in kinds[group])
            if group in mine and group not in held_out and spare:
                held_out.add(group)
                left -= Counter(kinds[group])
    return held_out, problems
