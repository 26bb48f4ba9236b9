from __future__ import annotations

from bindstream.cli.listing import spread

LISTS = ("--images", "--sounds")


def test_a_list_of_files_ends_with_the_next_option() -> None:
    given = ["m", "--images", "a", "b", "--text", "A dog.", "--sounds", "c", "--json"]
    found = spread(given, LISTS)
    assert found[:5] == ["m", "--images", "a", "--images", "b"]
    assert found[5:] == ["--text", "A dog.", "--sounds", "c", "--json"]
    assert spread(["--images=a", "m"], LISTS) == ["--images=a", "m"]
