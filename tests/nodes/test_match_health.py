"""What the match actor says of what failed: until it works again, and long enough to be seen."""

from __future__ import annotations

import pytest

from nodes import match_health
from nodes.match_health import Failure


def test_what_failed_is_said_until_it_works_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match_health, "WELL_S", -1.0)
    failure = Failure(lasts=False)
    failure.worked()
    assert failure.what == ""
    failure.failed(ValueError("no such stream"))
    assert failure.what == "ValueError: no such stream"
    failure.worked()
    assert failure.what == ""


def test_what_failed_a_moment_ago_is_still_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match_health, "WELL_S", 3600.0)
    failure = Failure(lasts=False)
    failure.failed(OSError("no room"))
    failure.worked()
    assert failure.what == "OSError: no room"


def test_of_recordings_what_failed_once_is_said_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match_health, "WELL_S", -1.0)
    failure = Failure(lasts=True)
    failure.failed(ValueError("no such stream"))
    failure.worked()
    assert failure.what == "ValueError: no such stream"
