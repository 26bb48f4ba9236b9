"""Requests about alerts: what is none is refused, with what would be one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bindstream.clocks.host import Clock
from bindstream.errors import ConfigError
from bindstream.state import KeptAlert, State
from nodes.alert_desk import AlertDesk
from nodes.watched import Watched
from tests.state.alerts import alert


@pytest.fixture
def desk(tmp_path: Path) -> AlertDesk:
    state = State(tmp_path / "state.db")
    state.keep_alerts([KeptAlert(alert(i)) for i in range(3)])
    match: Watched[Any] = Watched("match", None, local=True)  # nobody asks it here
    return AlertDesk(state, match, Clock.read())


def test_alerts_are_listed(desk: AlertDesk) -> None:
    assert len(desk.answer({"op": "alert.list"})["alerts"]) == 3
    assert len(desk.answer({"op": "alert.list", "most": 2, "since_ns": 0})["alerts"]) == 2
    nothing = desk.answer({"op": "alert.list", "query": ["dog"]})
    assert nothing["alerts"] == []
    assert "queries of which there are: dog" in nothing["note"]


@pytest.mark.parametrize(
    "asked",
    [{"most": -1}, {"most": 10**9}, {"most": "x"}, {"since_ns": 10**30}, {"since_ns": "1h"}],
)
def test_what_is_no_number_or_too_large_is_refused(
    desk: AlertDesk, asked: dict[str, object]
) -> None:
    (name,) = asked
    with pytest.raises(ConfigError, match=f"{name} is .*a whole number from"):
        desk.answer({"op": "alert.list", **asked})


def test_a_note_as_long_as_a_book_is_refused(desk: AlertDesk) -> None:
    said = {"op": "alert.judge", "id": "last", "verdict": "rejected", "note": "x" * 5000}
    with pytest.raises(ConfigError, match="5000 characters"):
        desk.answer(said)
    assert [each["verdict"] for each in desk.answer({"op": "alert.list"})["alerts"]] == [""] * 3
