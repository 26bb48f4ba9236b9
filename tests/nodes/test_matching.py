"""Who begins and ends the match actor: what nobody judged is said."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bindstream.config import Config
from nodes.matching import Matching
from nodes.watched import Watched


def matching(tmp_path: Path, **sections: Any) -> Matching:
    stream = {"name": "hall", "modality": "audio", "source": {"kind": "scene", "length_s": 5}}
    wiring: Any = SimpleNamespace(alerts_lock=tmp_path / "lock", folder=tmp_path)
    return Matching(Config.model_validate({"streams": [stream], **sections}), wiring, None)


def watched(pid: int, *, begun: bool) -> Watched[Any]:
    match: Watched[Any] = Watched("match", None, local=True)
    match.hear(SimpleNamespace(pid=pid, beat_s=0.0, queries=() if begun else None))
    return match


@pytest.mark.parametrize(
    ("sections", "learned"),
    [
        ({}, "queries learn anew what is usual, for 12 windows of a stream"),
        ({"history": {}}, "queries learn from the history what is usual"),
    ],
)
def test_once_a_successor_watches_it_is_said_what_nobody_judged(
    tmp_path: Path, sections: dict[str, Any], learned: str
) -> None:
    one = matching(tmp_path, **sections)
    assert one.unjudged(watched(7, begun=True)) == []
    assert one.unjudged(watched(7, begun=True)) == []
    assert one.unjudged(watched(8, begun=False)) == []  # it is there, and does nothing yet
    (said,) = one.unjudged(watched(8, begun=True))
    assert said == f"match: nobody judged what was published in the 0 s until now; {learned}"
    assert one.unjudged(watched(8, begun=True)) == []
