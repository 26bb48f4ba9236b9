"""Starting Ray: what a person is told when it does not start."""

from pathlib import Path

import pytest

from bindstream.config import RayConfig
from bindstream.errors import BindstreamError
from nodes.cluster import start_ray, stop_ray


def test_a_ray_that_cannot_start_is_an_error_people_can_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("RAY_TMPDIR", str(file / "below"))
    try:
        with pytest.raises(BindstreamError, match=r"^ray: Ray did not start \(.*try again") as told:
            start_ray(RayConfig())
    finally:
        stop_ray()
    assert "bindstream doctor" in told.value.fix
