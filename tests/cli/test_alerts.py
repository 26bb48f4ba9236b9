"""bindstream alerts, confirm, reject: on the file when nothing runs, else through the pipeline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bindstream.control import ControlServer
from bindstream.state import KeptAlert, State
from tests.cli.conftest import Command
from tests.state.alerts import T0, S, alert

NOBODY = "bus: {control: 'tcp://127.0.0.1:9'}\n"  # the port of `discard`: nothing listens there


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration whose state holds three alerts, in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "home.yaml"
    streams = "streams:\n  - {name: mic, source: {kind: thermal, device: 1}}\n"
    path.write_text(streams + NOBODY + "state: {path: kept.db}\n")
    state = State(tmp_path / "kept.db")
    vector = np.eye(1, 8, dtype=np.float32)[0]
    kept = [alert(0, "ended"), alert(60, "ended", query="cat"), alert(90, stream="[yard]")]
    state.keep_alerts([KeptAlert(each, vector, 0.2) for each in kept])
    state.close()
    return path


def test_the_file_is_read_when_nothing_runs(bindstream: Command, home: Path) -> None:
    said = bindstream("alerts", "-c", home)
    assert said.code == 0, said.err
    lines = [line for line in said.out.splitlines() if "/mic/" in line]
    assert [line.split()[0].partition("/")[0] for line in lines] == ["dog", "cat", "dog"]
    assert all(line.split()[0].endswith("000000000") for line in lines)  # whole, to be copied
    assert "so far" in lines[0]
    assert "9.5" in lines[1]


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ((), [90, 60, 0]),
        (("--query", "dog"), [90, 0]),
        (("--stream", "mic"), [60, 0]),
        (("-n", 1), [90]),
        (("--since", "1h"), []),
        (("--since", "2023-11-14T22:14:20+00:00"), [90, 60]),
    ],
)
def test_alerts_are_chosen(
    bindstream: Command, home: Path, asked: tuple[object, ...], seconds: list[int]
) -> None:
    found = json.loads(bindstream("alerts", "-c", home, "--json", *asked).out)
    assert [(each["start_ns"] - T0) // S for each in found] == seconds


def test_a_verdict_is_kept_shown_and_changed(bindstream: Command, home: Path) -> None:
    said = bindstream("reject", "cat", "-c", home, "--note", "the TV [loud]")
    assert (said.code, said.out.startswith("Rejected: cat/mic/")) == (0, True), said.err
    shown = bindstream("alerts", "-c", home).out
    assert "rejected" in shown
    assert "[loud]" in shown
    judged = json.loads(bindstream("confirm", "cat", "-c", home, "--json").out)
    assert (judged["verdict"], judged["note"]) == ("confirmed", "")
    assert "rejected" not in bindstream("alerts", "-c", home).out
    assert bindstream("confirm", "last", "--state", "kept.db").code == 0


def test_what_cannot_be_done_is_said(bindstream: Command, home: Path, tmp_path: Path) -> None:
    assert "several alerts begin with 'dog'" in bindstream("reject", "dog", "-c", home).err
    assert "there is no alert 'owl'" in bindstream("confirm", "owl", "--state", "kept.db").err
    held = State(tmp_path / "kept.db", alone=True)
    assert "writes it" in bindstream("reject", "last", "--state", "kept.db").err
    assert bindstream("alerts", "--state", "kept.db").code == 0
    held.close()
    nothing = bindstream("alerts", "--state", "nothing.db")
    assert nothing.code == 1
    assert "nothing.db" in nothing.err
    (tmp_path / "bare.yaml").write_text(home.read_text().replace("state:", "# "))
    assert "`state: {}`" in bindstream("alerts", "-c", "bare.yaml").err
    assert not (tmp_path / "nothing.db").exists()


def test_no_alerts_at_all_are_said(bindstream: Command, tmp_path: Path) -> None:
    State(tmp_path / "new.db").close()
    assert "no alerts" in bindstream("alerts", "--state", tmp_path / "new.db").out


def test_a_running_pipeline_is_asked(bindstream: Command, home: Path) -> None:
    asked: list[dict[str, Any]] = []

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        asked.append(request)
        there = KeptAlert(alert(5, query="fire")).plain()
        known = {"alert.list": {"alerts": [there]}, "alert.judge": {"alert": there}}
        return known.get(request["op"], {"queries": []})

    server = ControlServer("tcp://127.0.0.1:0", answer)
    try:
        home.write_text(home.read_text().replace("tcp://127.0.0.1:9", server.address))
        assert "fire" in bindstream("alerts", "-c", home, "--query", "fire").out
        assert bindstream("reject", "last", "-c", home, "--note", "no").code == 0
    finally:
        server.close()
    said = [request for request in asked if request["op"] != "query.list"]
    assert (said[0]["query"], said[0]["stream"]) == ("fire", None)
    assert said[1] == {"op": "alert.judge", "id": "last", "verdict": "rejected", "note": "no"}


def test_what_a_verdict_on_an_alert_of_a_rule_does_not_do_is_said(
    bindstream: Command, home: Path
) -> None:
    state = State(home.parent / "kept.db")
    state.keep_alerts([KeptAlert(alert(200, query="break-in", measure="log_odds"))])
    state.close()
    said = bindstream("reject", "break-in", "-c", home)
    assert "Rejected: break-in" in said.out
    assert "is a rule over queries: this counts as a false alarm" in " ".join(said.err.split())
    assert bindstream("confirm", "break-in", "-c", home).err == ""


def test_json_has_null_where_a_number_is_none(bindstream: Command, home: Path) -> None:
    state = State(home.parent / "kept.db")
    state.keep_alerts([KeptAlert(alert(120, "ended", readings={"max_c": float("nan")}))])
    state.close()

    def refused(number: str) -> float:
        raise AssertionError(number)

    said = bindstream("alerts", "-c", home, "--json").out
    assert json.loads(said, parse_constant=refused)[0]["readings"] == {"max_c": None}
    said = bindstream("confirm", "last", "-c", home, "--json").out
    assert json.loads(said, parse_constant=refused)["readings"] == {"max_c": None}


def test_a_name_that_no_alert_has_is_said_with_those_that_some_have(
    bindstream: Command, home: Path
) -> None:
    said = bindstream("alerts", "-c", home, "--query", "dgo")
    assert said.code == 0
    assert "query 'dgo'; queries of which there are: cat, dog" in " ".join(said.err.split())
    said = bindstream("alerts", "-c", home, "--stream", "attic", "--json")
    assert json.loads(said.out) == []
    assert "stream 'attic'" in said.err
    assert "mic" in said.err
    said = bindstream("alerts", "-c", home, "--query", "dog", "--since", "1h")
    assert (said.out.strip(), said.err) == ("There are no alerts.", "")
