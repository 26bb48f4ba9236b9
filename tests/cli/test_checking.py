from __future__ import annotations

import json
from pathlib import Path

from bindstream.config import json_schema
from tests.cli.conftest import Command


def test_a_right_configuration_is_exit_code_0(bindstream: Command, tmp_path: Path) -> None:
    good = tmp_path / "good.yaml"
    good.write_text("streams:\n  - {name: a, source: {kind: scene}, modality: imu}\n")
    shown = bindstream("check", good)
    assert (shown.code, shown.err) == (0, "")
    assert "all is well" in shown.out


def test_problems_are_shown_with_file_and_line_and_exit_code_2(
    bindstream: Command, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("streams:\n  - {name: a, source: {kind: scene}, modality: imu}\nmodle: {}\n")
    shown = bindstream("check", bad)
    assert shown.code == 2
    assert f"{bad}:3" in shown.out
    assert "'model'" in shown.out


def test_problems_as_json_say_the_same(bindstream: Command, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("streams: []\n")
    shown = bindstream("check", "--json", bad)
    assert shown.code == 2
    (problem,) = json.loads(shown.out)
    assert (problem["line"], problem["path"], problem["severity"]) == (1, "streams", "error")


def test_warnings_alone_are_exit_code_0(bindstream: Command, tmp_path: Path) -> None:
    odd = tmp_path / "odd.yaml"
    odd.write_text("streams:\n  - {name: a, source: {kind: scene}, modality: imu, window_s: 4}\n")
    shown = bindstream("check", odd)
    assert shown.code == 0
    assert "warning" in shown.out


def test_the_schema_is_json(bindstream: Command) -> None:
    assert json.loads(bindstream("schema").out) == json_schema()
