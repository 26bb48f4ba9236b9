"""Starting Ray: what a person is told when it does not start."""

import os
import subprocess
import sys
from pathlib import Path

_START = """
from bindstream.config import RayConfig
from bindstream.errors import BindstreamError
from nodes.cluster import start_ray
try:
    start_ray(RayConfig())
except BindstreamError as error:
    print(error)
"""


def test_a_ray_that_cannot_start_is_an_error_people_can_read(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    # A process of its own: Ray keeps to the folder in which it was first started.
    said = subprocess.run(
        [sys.executable, "-c", _START],
        env={**os.environ, "RAY_TMPDIR": str(file / "below")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.startswith("ray: Ray did not start (")
    assert "try again" in said
    assert "bindstream doctor" in said
