"""Whatever a run keeps: that it cannot be kept is said before the run, the same way for all."""

from __future__ import annotations

from pathlib import Path

import pytest

from bindstream.config import check_config

SECTIONS = {
    "history.path": "history: {path: PLACE}",
    "state.path": "state: {path: PLACE}",
    "evidence.path": "evidence: {path: PLACE}",
    "record.path": "record: {path: PLACE}",
    "sinks[0].path": "sinks: [{kind: jsonl, path: PLACE}]",
}
UNUSABLE = ["config.yaml/below", "/proc/below", "a" * 300, "a/" + "b" * 300 + "/c", r'"\ud800"']
SCENE = "streams:\n  - {name: a, modality: audio, source: {kind: scene}}\n"


@pytest.mark.parametrize(
    "place", UNUSABLE, ids=["in_a_file", "read_only", "long", "long_above", "half"]
)
@pytest.mark.parametrize("path", SECTIONS)
def test_where_nothing_can_be_written_is_said(tmp_path: Path, path: str, place: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(SCENE + SECTIONS[path].replace("PLACE", place), encoding="utf-8")
    (problem,) = check_config(file)
    assert (problem.path, problem.line, problem.severity) == (path, 3, "error")
    assert "may write to" in problem.fix


@pytest.mark.parametrize("path", SECTIONS)
def test_what_is_not_there_yet_will_be_made_and_checking_leaves_nothing(
    tmp_path: Path, path: str
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(SCENE + SECTIONS[path].replace("PLACE", "new/one"), encoding="utf-8")
    assert check_config(file) == []
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_is_no_file_to_append_to(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    (tmp_path / "log").mkdir()
    file.write_text(SCENE + "sinks: [{kind: jsonl, path: log}]", encoding="utf-8")
    (problem,) = check_config(file)
    assert "is a folder" in problem.what
