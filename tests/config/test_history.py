from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from bindstream.config import HistoryConfig, Problem, check_config, json_schema, load_config

STREAMS = "streams:\n  - {name: heat, source: {kind: thermal, device: 1}}\n"


def problems(folder: Path, section: str) -> list[Problem]:
    path = folder / "config.yaml"
    path.write_text(STREAMS + section)
    return check_config(path)


def test_nothing_is_kept_unless_it_is_asked_for(tmp_path: Path) -> None:
    assert problems(tmp_path, "") == []
    assert load_config(tmp_path / "config.yaml").history is None


def test_an_empty_section_takes_the_defaults_beside_the_file(tmp_path: Path) -> None:
    assert problems(tmp_path, "history: {}\n") == []
    history = load_config(tmp_path / "config.yaml").history
    assert history == HistoryConfig(path=tmp_path / "history")
    assert (history.keep_days, history.flush_s) == (30, 2)


def test_a_section_left_empty_by_mistake_is_warned_of(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "history:\n")
    assert (problem.severity, problem.line) == ("warning", 3)
    assert "history: {}" in problem.fix


@pytest.mark.parametrize(
    ("section", "path"),
    [
        ("{keep_day: 3}", "history.keep_day"),
        ("{keep_days: 0}", "history.keep_days"),
        ("{keep_bytes: 1000}", "history.keep_bytes"),
        ("{flush_s: 0}", "history.flush_s"),
        ("{path: config.yaml}", "history.path"),
        ("{path: config.yaml/below}", "history.path"),
        ("here", "history"),
    ],
)
def test_what_cannot_be_is_said_where_it_stands(tmp_path: Path, section: str, path: str) -> None:
    (problem,) = problems(tmp_path, f"history: {section}\n")
    assert (problem.path, problem.severity, problem.line) == (path, "error", 3)


def test_a_key_that_was_meant_is_named(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "history: {keep_day: 3}\n")
    assert "'keep_days'" in problem.fix


def test_a_folder_that_is_not_there_yet_will_be_made(tmp_path: Path) -> None:
    assert problems(tmp_path, "history: {path: deep/down/here}\n") == []
    assert not (tmp_path / "deep").exists()


def test_without_lancedb_one_is_warned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "lancedb" else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    (problem,) = problems(tmp_path, "history: {}\n")
    assert (problem.severity, problem.path) == ("warning", "history")
    assert "pip install 'bindstream[history]'" in problem.fix


def test_the_schema_has_it() -> None:
    properties = json_schema()["$defs"]["HistoryConfig"]["properties"]
    assert set(properties) == {"path", "keep_days", "keep_bytes", "flush_s"}
    assert all(each["description"] for each in properties.values())
