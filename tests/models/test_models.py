from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from bindstream.errors import ModelError
from bindstream.models import load_model
from tests.models import narrow


def test_a_name_that_is_not_installed_says_which_are():
    with pytest.raises(ModelError, match=r"model ghost: .*\(installed: "):
        load_model("ghost")


def test_a_directory_may_be_named_without_a_slash(tmp_path, monkeypatch):
    narrow.save(tmp_path / "narrow")
    monkeypatch.chdir(tmp_path)
    assert load_model("narrow").name == "narrow"


def test_a_tower_the_model_lacks_is_named(tmp_path):
    narrow.save(tmp_path)
    with pytest.raises(ModelError, match=r"no tower for smell.*It has: vision, audio"):
        load_model(tmp_path, modalities=["imu", "smell"])


@pytest.mark.parametrize("device", ["potato", "cuda:99"])
def test_a_device_that_does_not_compute_is_refused_by_name(tmp_path, device):
    narrow.save(tmp_path)
    with pytest.raises(ModelError, match=device):
        load_model(tmp_path, device=device)


def test_threads_are_torch_s_own(tmp_path):
    narrow.save(tmp_path)
    before = torch.get_num_threads()
    try:
        load_model(tmp_path, modalities=["imu"], threads=1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_importing_the_package_imports_no_torch():
    code = "import sys, bindstream.models; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
