from __future__ import annotations

import pytest
import typer

from bindstream.cli.listing import spread

LISTS = ("--images", "--sounds")


def test_a_list_of_files_ends_with_the_next_option() -> None:
    given = ["m", "--images", "a", "b", "--text", "A dog.", "--sounds", "c", "--json"]
    found = list(spread(given, LISTS))
    assert found[:5] == ["m", "--images", "a", "--images", "b"]
    assert found[5:] == ["--text", "A dog.", "--sounds", "c", "--json"]
    assert list(spread(["--images=a", "m"], LISTS)) == ["--images=a", "m"]
    assert list(spread([], LISTS)) == []


@pytest.mark.parametrize("given", [["m", "--images"], ["--sounds", "--json", "m"]])
def test_a_list_of_nothing_is_wrong_usage(given: list[str]) -> None:
    with pytest.raises(typer.BadParameter, match="one or more"):
        list(spread(given, LISTS))
