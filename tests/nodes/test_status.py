"""What is wrong with a run's actors, in words."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from bindstream.accounts import DROP_REASONS, Accounts
from bindstream.intake import IntakeHealth
from bindstream.sources.reader import ReaderHealth, State
from nodes.status import BEHIND_S, STILL_BEHIND_S, over, troubles
from nodes.stream import StreamHealth
from nodes.watched import Watched


def failed(name: str) -> Watched[Any]:
    watched: Watched[Any] = Watched(name, None, local=True)
    watched.failed = "StateError: its file is gone"
    return watched


def playing(
    behind_s: float, state: State = "live", error: str = "", *, catching_up: bool = False
) -> Watched[StreamHealth]:
    """A stream that plays a recording so far behind its schedule."""
    accounts = Accounts(9, 9, 0, dict.fromkeys(DROP_REASONS, 0), 0.0)
    reader = ReaderHealth(state, "", opens=1, losses=0, samples=90, dropped=0, silent_s=0.1)
    intake = IntakeHealth(reader, accounts, {}, "", {}, "", {}, behind_s, catching_up)
    watched: Watched[StreamHealth] = Watched("mic", None, local=True)
    over = state == "ended"
    watched.health = StreamHealth(1, "n", intake, 0, False, 0.0, ended=over, error=error)
    return watched


def test_an_actor_that_cannot_be_started_is_said() -> None:
    said = troubles([failed("mic")], [failed("embed-0")], failed("match"), failed("history"))
    why = "cannot be started: StateError: its file is gone"
    assert said == dict.fromkeys(["stream mic", "embed-0", "match", "history"], why)


def test_a_stream_that_is_played_far_behind_its_schedule_is_said_with_the_way_out() -> None:
    said = troubles([playing(48.7)], [], None)
    assert list(said) == ["stream mic"]
    assert said["stream mic"].startswith("fell more than 5 s behind its schedule")
    assert "`speed`" in said["stream mic"]
    assert troubles([playing(48.7, error="OSError: x")], [], None) == {"stream mic": "OSError: x"}


@pytest.mark.parametrize(
    ("behind_s", "state"), [(BEHIND_S, "live"), (0.0, "live"), (48.7, "ended")]
)
def test_one_that_is_nearly_in_time_or_over_is_well(behind_s: float, state: State) -> None:
    assert troubles([playing(behind_s, state)], [], None) == {}


def test_one_that_was_far_behind_is_well_when_it_is_well_in_time() -> None:
    far = troubles([playing(BEHIND_S + 0.1)], [], None)
    assert troubles([playing(BEHIND_S - 0.1)], [], None, before=far) == far
    assert troubles([playing(STILL_BEHIND_S)], [], None, before=far) == {}
    other = {"stream mic": "silent for 9 s"}
    assert troubles([playing(BEHIND_S - 0.1)], [], None, before=other) == {}


def test_only_a_stream_whose_recording_has_ended_is_over() -> None:
    assert over([playing(48.7, "ended")]) == {"stream mic"}
    assert over([playing(48.7), playing(0.0, "failed"), failed("mic")]) == set()


def test_one_that_catches_up_after_a_late_start_is_well() -> None:
    assert troubles([playing(48.7, catching_up=True)], [], None) == {}
    said = troubles([playing(48.7, error="OSError: x", catching_up=True)], [], None)
    assert said == {"stream mic": "OSError: x"}


@pytest.mark.parametrize("state", ["waiting", "opening"])
def test_a_device_that_is_tried_again_is_not_well(state: State) -> None:
    tried = playing(0.0)
    assert tried.health is not None
    detail = "stream 'mic': there is no input 'USB' (tried again after 2 s)"
    reader = ReaderHealth(state, detail, opens=0, losses=1, samples=0, dropped=0, silent_s=9.0)
    intake = dataclasses.replace(tried.health.intake, reader=reader)
    tried.health = dataclasses.replace(tried.health, intake=intake)
    what = "there is no input 'USB' (tried again after 2 s)"
    assert troubles([tried], [], None) == {"stream mic": f"{state}: {what}"}
