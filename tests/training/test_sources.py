"""Holding out: by source, a seeded share, no class as a whole, nothing on both sides."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindstream.training.manifest import Other, Row, Split, Words
from bindstream.training.sources import groups_of, held_out_groups

HERE = Path("pairs.csv")


def row(file: str, name: str = "dog", source: str = "", split: Split = "", other: str = "") -> Row:
    anchor = Other("vision", Path(other)) if other else Words((), name)
    return Row(HERE, 2, "audio", Path(file), anchor, source=source, split=split)


def held_out(rows: list[Row], share: float = 0.2, seed: int = 0) -> list[bool]:
    groups = groups_of(rows)
    found, problems = held_out_groups(rows, groups, ["audio"], share, seed)
    assert problems == []
    return [group in found for group in groups]


def test_rows_that_share_a_source_or_a_file_are_one_group() -> None:
    rows = [
        row("a", source="one"), row("b", source="one"), row("c"), row("c"), row("d", other="v"),
        row("e", other="v"), row("f"),
    ]  # fmt: skip
    assert groups_of(rows) == [0, 0, 1, 1, 2, 2, 3]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 12), st.integers(0, 3)), min_size=1),
    st.sampled_from([0.0, 0.2, 0.5, 0.9]),
    st.integers(0, 5),
)
def test_no_source_and_no_file_is_on_both_sides_and_every_class_can_be_learned(
    drawn: list[tuple[int, int, int]], share: float, seed: int
) -> None:
    rows = [row(f"{f}", f"class {c}", f"source {s}") for s, f, c in drawn]
    out = held_out(rows, share, seed)
    for what in (lambda r: r.source, lambda r: r.file):
        sides: dict[object, set[bool]] = {}
        for each, is_out in zip(rows, out, strict=True):
            sides.setdefault(what(each), set()).add(is_out)
        assert all(len(found) == 1 for found in sides.values())
    left = {r.anchor for r, is_out in zip(rows, out, strict=True) if not is_out}
    assert left == {r.anchor for r in rows}


def test_a_share_of_sources_is_drawn_by_the_seed() -> None:
    rows = [row(f"{n}", source=f"source {n // 3}") for n in range(60)]
    out = held_out(rows)
    assert sum(out) == 12
    assert held_out(rows) == out
    assert held_out(rows, seed=1) != out
    assert held_out(rows, share=0) == [False] * 60
    assert sum(held_out(rows[:6])) == 3  # one of two sources


def test_a_split_that_is_written_down_is_kept_for_the_whole_source() -> None:
    rows = [row("a", source="x", split="held_out"), row("b", source="x"), row("c", split="train")]
    rows += [row(f"{n}") for n in range(8)]
    out = held_out(rows)
    assert out[:3] == [True, True, False]
    assert sum(out[3:]) == 1  # two of ten sources, with the one that was said


def test_a_source_on_both_sides_is_a_problem() -> None:
    rows = [row("a", source="x", split="held_out"), row("b", source="x", split="train")]
    _, (problem,) = held_out_groups(rows, groups_of(rows), ["audio"], 0.2, 0)
    assert "says held_out of the same source or file" in str(problem)


@pytest.mark.parametrize("share", [0.2, 0.9])
def test_where_each_class_has_one_source_nothing_is_held_out(share: float) -> None:
    assert held_out([row("a", "dog"), row("b", "cat")], share) == [False, False]
