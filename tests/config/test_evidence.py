"""The evidence section: off unless it is there, its folder looked at before a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from bindstream.config import check_config, load_config
from bindstream.errors import ConfigError

LONE = """streams:
  - {name: mic, source: {kind: scene, length_s: 5}, modality: audio}
"""


def written(folder: Path, section: str) -> Path:
    path = folder / "c.yaml"
    path.write_text(LONE + section)
    return path


def test_nothing_is_kept_unless_it_is_asked_for(tmp_path: Path) -> None:
    assert load_config(written(tmp_path, "")).evidence is None


def test_an_empty_section_takes_the_defaults_beside_the_file(tmp_path: Path) -> None:
    kept = load_config(written(tmp_path, "evidence: {}\n")).evidence
    assert kept is not None
    assert kept.path == tmp_path / "evidence"
    assert (kept.before_s, kept.after_s) == (3, 3)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("evidence:\n", "is empty: nothing is kept"),
        ("evidence: {before_s: 31}\n", "before_s"),
        ("evidence: {before: 3}\n", "unknown key"),
        ("evidence: {keep_bytes: 10}\n", "keep_bytes"),
        ("evidence: {path: c.yaml/e}\n", "c.yaml is a file"),
    ],
)
def test_what_is_wrong_with_it_is_said_with_its_line(
    tmp_path: Path, section: str, said: str
) -> None:
    (problem,) = check_config(written(tmp_path, section))
    assert said in str(problem)
    assert problem.line >= 3


def test_a_folder_that_cannot_be_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Choose one that you may write to"):
        load_config(written(tmp_path, "evidence: {path: c.yaml/e}\n"))
