"""The accounts of a run are the same wherever one looks: status, figures, report, recording."""

from __future__ import annotations

import json
import signal
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from bindstream.accounts import DROP_REASONS
from bindstream.config import Config
from bindstream.control import ask
from bindstream.recording import Recording
from nodes.supervisor import Supervisor
from tests.cli.test_run import config_in, start
from tests.nodes.test_books import NAMES, config
from tests.nodes.test_supervisor import kill, published, wait_for
from tests.test_metrics import points

pytestmark = pytest.mark.slow
__all__ = ["config"]
mcap = pytest.importorskip("mcap")


def scraped(address: str) -> dict[str, dict[str, Any]]:
    """The accounts of every stream, as Prometheus reads them."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as answer:
        found = points(answer.read().decode())
    accounts: dict[str, dict[str, Any]] = {}
    for (name, labels), value in found.items():
        said = dict(labels)
        one = accounts.setdefault(said.get("stream", ""), {"dropped": {}})
        match name.removeprefix("bindstream_"):
            case "windows_captured_total":
                one["captured"] = value
            case "windows_settled_total" if said["outcome"] in DROP_REASONS:
                one["dropped"][said["outcome"]] = value
            case "windows_settled_total":
                one[said["outcome"]] = value
            case "windows_pending":
                one["pending"] = value
            case "unheard_seconds_total":
                one["unheard_s"] = value
    accounts.pop("", None)
    return accounts


def test_four_views_of_a_run_agree_to_the_last_window(config: Config, tmp_path: Path) -> None:
    more = {"metrics": {"address": "127.0.0.1:0"}, "record": {"path": str(tmp_path / "tapes")}}
    with Supervisor(Config.model_validate({**config.model_dump(), **more})) as run:
        assert run.metrics is not None
        wait_for(run, lambda s: all(published(s, name) > 5 for name in NAMES), 60)
        kill(run, "streams", "door1")
        kill(run, "embedders", "embed-0")
        wait_for(run, lambda s: all(published(s, name) > 9 for name in NAMES), 60)
        run.drain()
        asked, figures = ask(run.control, {"op": "status"}), scraped(run.metrics.address)
        run.poll()  # it changes nothing any more
        report = run.status()
    with Recording(Path(report["recording"]["folder"])) as recording:
        recorded = dict(recording.accounts())
    for name in NAMES:
        said = report["streams"][name]["accounts"]
        settled = said["embedded"] + said["reused"] + sum(said["dropped"].values())
        assert (said["captured"], said["pending"]) == (settled, 0)
        assert report["streams"][name]["intake"]["accounts"] == said
        assert asked["streams"][name]["accounts"] == said
        assert figures[name] == said
        assert recorded[name] == said


def test_the_report_of_a_run_is_what_was_recorded_of_it(tmp_path: Path, tiny_model: Path) -> None:
    path, report = config_in(tmp_path, tiny_model, length_s=3600), tmp_path / "made" / "report.json"
    path.write_text(path.read_text() + "record: {path: tapes}\n")
    process = start("run", path, "--metrics", 0, "--report", report)
    assert process.stdout is not None
    while not (line := process.stdout.readline()).startswith("Figures at"):
        assert line, f"ended early: {process.communicate()[1]}"
    address = line.split("//")[1].split("/")[0]
    until_s = time.monotonic() + 60
    while scraped(address).get("wrist", {}).get("embedded", 0) < 3 and time.monotonic() < until_s:
        time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    shown, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    said = json.loads(report.read_text())["streams"]["wrist"]["accounts"]
    row = next(line for line in shown.splitlines() if "wrist" in line)
    assert row.split()[2:4] == [str(said["captured"]), str(said["embedded"])]
    assert said["pending"] == 0
    with Recording(next((tmp_path / "tapes").iterdir())) as recording:
        assert recording.accounts()["wrist"] == said


def test_a_report_that_could_not_be_written_is_refused_before_the_run(
    tmp_path: Path, tiny_model: Path
) -> None:
    path = config_in(tmp_path, tiny_model, length_s=20, speed="max")
    process = start("run", path, "--report", "/dev/null/report.json")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "/dev/null/report.json" in err
