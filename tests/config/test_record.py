"""The record section: its bounds, its folder, and what is said before a run begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from bindstream.config import RecordConfig, check_config, load_config
from bindstream.config import record as section

STREAM = "streams: [{name: a, modality: audio, source: {kind: scene, seed: 1}}]\n"


def problems(folder: Path, text: str) -> list[str]:
    (folder / "c.yaml").write_text(STREAM + text)
    return [f"{p.severity} {p.path}: {p.what}" for p in check_config(folder / "c.yaml")]


def test_nothing_is_recorded_unless_asked_for(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(STREAM)
    assert load_config(tmp_path / "c.yaml").record is None


def test_an_empty_section_takes_the_defaults_in_the_folder_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(STREAM + "record: {}\n")
    record = load_config(tmp_path / "c.yaml").record
    assert record == RecordConfig(path=tmp_path / "recordings")


def test_what_cannot_be_is_said_with_its_place(tmp_path: Path) -> None:
    [said] = problems(tmp_path, "record: {pictures: gif}\n")
    assert said.startswith("error record.pictures")
    [said] = problems(tmp_path, "record: {segment_bytes: 600000, keep_bytes: 1000000}\n")
    assert "at most half of keep_bytes" in said
    [said] = problems(tmp_path, "record: {qality: 80}\n")
    assert said.startswith("error record.qality: unknown key")
    (tmp_path / "file").write_text("")
    [said] = problems(tmp_path, "record: {path: file}\n")
    assert said.startswith("error record.path")
    assert "is a file" in said
    [said] = problems(tmp_path, "record:\n")
    assert said == "warning record: is empty: nothing is kept"


def test_a_package_that_is_missing_is_said_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(section, "missing", lambda: "mcap")
    assert problems(tmp_path, "record: {}\n") == [
        "warning record: needs mcap, which is not installed"
    ]
