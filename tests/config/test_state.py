from __future__ import annotations

from pathlib import Path

import pytest

from bindstream.config import Problem, check_config, json_schema, load_config

STREAMS = "streams:\n  - {name: heat, source: {kind: thermal, device: 1}}\n"


def problems(folder: Path, section: str) -> list[Problem]:
    path = folder / "config.yaml"
    path.write_text(STREAMS + section)
    return check_config(path)


@pytest.mark.parametrize(
    ("section", "where"),
    [
        ("", None),
        ("state: {}\n", "state.db"),
        ("state: {path: deep/down.db}\n", "deep/down.db"),
        ("history: {}\n", "history/state.db"),
        ("history: {}\nstate: {path: elsewhere.db}\n", "elsewhere.db"),
    ],
)
def test_state_is_kept_where_it_is_asked_for_or_beside_a_history(
    tmp_path: Path, section: str, where: str | None
) -> None:
    assert [p for p in problems(tmp_path, section) if p.severity == "error"] == []
    kept = load_config(tmp_path / "config.yaml").state_path
    assert kept == (None if where is None else tmp_path / where)
    assert not (tmp_path / "deep").exists()


def test_a_section_left_empty_by_mistake_is_warned_of(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "state:\n")
    assert (problem.severity, problem.line) == ("warning", 3)
    assert "state: {}" in problem.fix


@pytest.mark.parametrize(
    ("section", "path"),
    [
        ("{file: a.db}", "state.file"),
        ("{path: .}", "state.path"),
        ("{path: config.yaml/below.db}", "state.path"),
        ("here", "state"),
    ],
)
def test_what_cannot_be_is_said_where_it_stands(tmp_path: Path, section: str, path: str) -> None:
    (problem,) = problems(tmp_path, f"state: {section}\n")
    assert (problem.path, problem.severity, problem.line) == (path, "error", 3)


def test_the_schema_has_it() -> None:
    properties = json_schema()["$defs"]["StateConfig"]["properties"]
    assert all(each["description"] for each in properties.values())
