from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from bindstream.models import load_model
from bindstream.models.published.imagebind import IMAGEBIND
from bindstream.models.sizes import HUGE
from tests.cli.conftest import Command


@pytest.fixture(scope="module")
def imu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published IMU tower's entries, in their size, with seeded values."""
    draw, state = torch.Generator().manual_seed(0), {}
    for entry in IMAGEBIND.weights(HUGE["imu"]).values():
        state[entry.name] = torch.randn(entry.shape, generator=draw) * 0.04
    state[IMAGEBIND.log_scales["imu"]] = torch.tensor(math.log(5))
    path = tmp_path_factory.mktemp("checkpoint") / "imu.pth"
    torch.save(state, path)
    return path


def test_a_checkpoint_becomes_a_model_and_what_to_do_with_it_is_said(
    bindstream: Command, imu: Path, tmp_path: Path
) -> None:
    to = tmp_path / "ears"
    shown = bindstream("model", "import", imu, "--towers", "imu", "--out", to, "--name", "wrist")
    assert shown.code == 0
    model = load_model(to, device="cpu")
    assert (model.name, model.modalities) == ("wrist", ("imu",))
    assert f"fingerprint {model.fingerprint}" in shown.out
    assert "39.2 MB, float16" in shown.out
    assert "CC BY-NC-SA 4.0" in shown.out
    assert "research only" in shown.out
    assert f'model: {{name: "{to}"}}' in shown.out
    assert f"bindstream model info {to}" in shown.out
    again = bindstream("model", "import", imu, "--towers", "imu", "--out", to)
    assert again.code == 1
    assert "--force" in again.err


def test_a_refused_checkpoint_lists_what_is_wrong_and_leaves_nothing(
    bindstream: Command, imu: Path, tmp_path: Path
) -> None:
    shown = bindstream("model", "import", imu, "--out", tmp_path / "out")
    assert shown.code == 1
    assert "no entry of the tower for vision, text, audio, depth, thermal" in shown.err
    assert "--towers imu" in shown.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--towers", "smell"], "vision,audio,thermal,depth,imu,text"),
        (["--towers", ","], "names no towers"),
        (["--dtype", "int4"], "float16"),
    ],
)
def test_wrong_usage_is_exit_code_2(
    bindstream: Command, imu: Path, tmp_path: Path, options: list[str], says: str
) -> None:
    shown = bindstream("model", "import", imu, "--out", tmp_path / "out", *options)
    assert shown.code == 2
    assert says in shown.err


def test_where_it_goes_must_be_said(bindstream: Command, imu: Path) -> None:
    assert bindstream("model", "import", imu).code == 2
