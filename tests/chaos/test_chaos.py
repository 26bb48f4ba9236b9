"""A minute of seeded blows: actors die and stall, sensors go, the disk is full, too much comes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("serial")
pytest.importorskip("lancedb")
pytest.importorskip("mcap")
pytest.importorskip("prometheus_client")

from blows import Port
from chaos import STREAMS, chaos, slow_model
from holding import Checks

pytestmark = pytest.mark.slow
SECONDS = 60


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[list[Port]]:
    ports = [Port(tmp_path / name) for name in STREAMS]
    yield ports
    for port in ports:
        port.close()


@pytest.mark.timeout(600)
def test_whatever_happens_the_books_are_right_and_no_alert_is_lost(
    tmp_path: Path, ports: list[Port]
) -> None:
    said = chaos(tmp_path, ports, slow_model(tmp_path), SECONDS, seed=11)
    assert said["wrong"] == []
    assert sum(said["blows"].values()) >= 4
    assert said["looks"] > 20
    for accounts in said["accounts"].values():
        assert accounts["captured"] > accounts["embedded"] > 0
        assert accounts["pending"] == 0
    # More came than could be computed, and that is what was dropped for it.
    assert sum(accounts["dropped"]["overload"] for accounts in said["accounts"].values()) > 100


def accounts(**over: Any) -> dict[str, Any]:
    dropped = {"void": 0, "overload": 1, "failed": 0, "killed": 0, "ended": 0}
    said = {"captured": 5, "embedded": 2, "reused": 0, "dropped": dropped, "unheard_s": 0.0}
    return {**said, "pending": 2, **over}


class Run:
    """A run as far as a look at it goes."""

    def __init__(self) -> None:
        self.said: dict[str, Any] = accounts()

    def status(self) -> dict[str, Any]:
        one = {"restarts": 0}
        streams = {"wrist": {"accounts": self.said, **one}}
        return {"streams": streams, "embedders": {}, "match": one, "history": one}


@pytest.mark.parametrize(
    ("over", "wrong"),
    [
        ({"embedded": 3}, "wrist: "),
        ({"captured": 4, "embedded": 1}, "went back"),
        ({"captured": 103, "pending": 100}, "pending 100"),
        ({"captured": 2, "pending": -1}, "pending -1"),
    ],
)
def test_a_look_sees_books_that_are_wrong(over: dict[str, Any], wrong: str) -> None:
    run, checks = Run(), Checks()
    checks.look(run)  # type: ignore[arg-type]
    assert checks.wrong == []
    run.said = accounts(**over)
    checks.look(run)  # type: ignore[arg-type]
    assert any(wrong in said for said in checks.wrong)
