"""What a rule is worth without some of its queries."""

from __future__ import annotations

import pytest

from bindstream.combine.lacking import lacking
from tests.combine.made import rule


@pytest.mark.parametrize(
    ("made_of", "missing", "said"),
    [
        ({"all": ["a", "b"]}, [], ""),
        ({"all": ["a", "b"]}, ["c"], ""),
        ({"all": ["a", "b"]}, ["b"], "it raises no alert while 'b' is not watched for"),
        ({"sequence": ["a", "b"]}, ["a", "b"], "it raises no alert while 'a', 'b' are not"),
        ({"any": ["a", "b"]}, ["b"], "it goes by the others while 'b' is not watched for"),
        ({"any": ["a", "b"]}, ["a", "b"], "it raises no alert while 'a', 'b' are not"),
        ({"any": ["a"], "none": ["b"]}, ["b"], "nothing speaks against it while 'b' is not"),
    ],
)
def test_it_is_said_in_words(made_of: dict[str, list[str]], missing: list[str], said: str) -> None:
    found = lacking(rule(**made_of), missing)
    assert found.startswith(said)
    assert bool(found) == bool(said)
