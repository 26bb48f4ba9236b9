"""What is wrong with a run's actors, in words."""

from __future__ import annotations

from typing import Any

from nodes.status import troubles
from nodes.watched import Watched


def failed(name: str) -> Watched[Any]:
    watched: Watched[Any] = Watched(name, None, local=True)
    watched.failed = "StateError: its file is gone"
    return watched


def test_an_actor_that_cannot_be_started_is_said() -> None:
    said = troubles([failed("mic")], [failed("embed-0")], failed("match"), failed("history"))
    why = "cannot be started: StateError: its file is gone"
    assert said == dict.fromkeys(["stream mic", "embed-0", "match", "history"], why)
