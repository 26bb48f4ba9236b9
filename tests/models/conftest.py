"""A narrow model on disk, which most of these tests open."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.models import narrow


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A narrow model that tests do not change."""
    directory = tmp_path_factory.mktemp("model")
    narrow.save(directory)
    return directory


@pytest.fixture
def saved(kept: Path, tmp_path: Path) -> Path:
    """Another that they may."""
    return shutil.copytree(kept, tmp_path / "narrow")
