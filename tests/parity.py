"""Reference figures that lie beside the repository, where there are any."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "shared" / "parity"


def seeded() -> ModuleType:
    """The module that draws every reference weight and input from its name."""
    spec = importlib.util.spec_from_file_location("seeded", _path("seeded.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def figures(name: str) -> dict[str, np.ndarray]:
    with np.load(_path(name)) as arrays:
        return dict(arrays)


def table(name: str) -> Any:
    return json.loads(_path(name).read_text())


def _path(name: str) -> Path:
    if not (FOLDER / name).is_file():
        pytest.skip(f"needs the reference figures {FOLDER / name}")
    return FOLDER / name
