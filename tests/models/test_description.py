from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from bindstream.models import model_directory
from bindstream.models.cost import operations
from bindstream.models.description import describe
from bindstream.models.directory import CARD
from bindstream.models.saving import save_model
from tests.models import narrow


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_a_model_is_described_as_it_was_saved(tmp_path, dtype):
    spec, towers, tokenizer = narrow.parts()
    save_model(tmp_path, spec.model_copy(update={"dtype": dtype}), towers, tokenizer)
    found = describe(tmp_path)
    assert found.spec.dtype == dtype
    assert (found.vocabulary, found.known_words) == (tokenizer.vocabulary, len(narrow.WORDS))
    assert found.background["audio"] == 1  # its own
    assert found.background["imu"] == 4  # the common ones
    for modality, tower in towers.items():
        said, config = found.towers[modality], tower.config
        count = sum(weight.numel() for weight in tower.parameters())
        assert said.parameters == count
        assert (said.float32_bytes, said.half_bytes) == (4 * count, 2 * count)
        assert (said.width, said.heads, said.blocks) == (32, 4, 2)
        assert (said.tokens, said.gflop) == (config.tokens, operations(config).here_gflop)
        assert said.file_bytes == (tmp_path / f"{modality}.safetensors").stat().st_size
        assert said.fault == ""


def test_a_tower_s_file_that_is_not_whole_is_said_and_the_rest_is_described(tmp_path):
    narrow.save(tmp_path)
    (tmp_path / "imu.safetensors").unlink()
    audio = tmp_path / "audio.safetensors"
    audio.write_bytes(audio.read_bytes()[:-7])
    depth = tmp_path / "depth.safetensors"
    depth.write_bytes(bytes(depth.stat().st_size))
    towers = describe(tmp_path).towers
    assert towers["imu"].fault == "imu.safetensors is missing"
    assert f"{audio.stat().st_size} bytes, {audio.stat().st_size + 7} are due" in (
        towers["audio"].fault
    )
    assert "no safetensors file" in towers["depth"].fault
    assert all(towers[m].parameters is None for m in ("imu", "audio", "depth"))
    assert towers["vision"].parameters


def test_a_model_without_text_knows_no_words(tmp_path):
    spec, towers, _ = narrow.parts()
    one = {"towers": {"imu": spec.towers["imu"]}, "trained_words": None}
    save_model(tmp_path, spec.model_copy(update=one), {"imu": towers["imu"]})
    found = describe(tmp_path)
    assert (found.vocabulary, found.known_words, set(found.towers)) == (0, None, {"imu"})


def test_the_starter_states_its_limits():
    limits = describe(model_directory("starter")).spec.limits
    assert all(any(modality in limit for limit in limits) for modality in ("vision", "depth"))


def test_describing_imports_no_torch(tmp_path):
    narrow.save(tmp_path)
    code = (
        "import sys, pathlib; from bindstream.models.description import describe;"
        f"describe(pathlib.Path({str(tmp_path)!r})); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    assert torch.__version__  # which is installed, so the above means something
    assert (tmp_path / CARD).is_file()
