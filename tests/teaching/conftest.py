from __future__ import annotations

import pytest

from bindstream.models import load_model
from bindstream.models.encoder import Model


@pytest.fixture(scope="session")
def starter() -> Model:
    return load_model("starter", modalities=["audio", "vision", "text"], device="cpu", threads=1)
