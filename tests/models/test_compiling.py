from __future__ import annotations

import os
import shutil
import sysconfig
from pathlib import Path

import numpy as np
import pytest
import torch

from bindstream.models import load_model, towers
from bindstream.models.encoder import Model
from bindstream.models.imagebind import Tower
from bindstream.models.saving import save_model
from bindstream.models.sizes import TowerConfig
from tests.models import narrow

HAS_COMPILER = (
    shutil.which(os.environ.get("CXX", "g++")) is not None
    and Path(sysconfig.get_path("include"), "Python.h").is_file()
)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """What the compiler makes goes with the test."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))


def opened(directory: Path, *modalities: str, compile: bool = True) -> Model:
    return load_model(
        directory, modalities=modalities, device="cpu", precision="float32", compile=compile
    )


def imu(rows: int) -> np.ndarray:
    return np.random.default_rng(rows).standard_normal((rows, 6, 2000), np.float32)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not HAS_COMPILER, reason="no C++ compiler and Python.h here")
def test_a_compiled_tower_gives_the_same_vectors(tmp_path, cache):
    torch.manual_seed(0)
    config = TowerConfig(modality="imu", width=16, blocks=2, heads=2, dim=narrow.DIM, patch=40)
    spec = narrow.parts()[0].model_copy(update={"towers": {"imu": config}})
    save_model(tmp_path / "model", spec, {"imu": Tower(config)})
    compiled = opened(tmp_path / "model", "imu")
    assert compiled.warnings == {}
    plain = opened(tmp_path / "model", "imu", compile=False)
    made = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    assert made > 0
    for rows in (1, 3, 2, 16):
        found = compiled.encode("imu", imu(rows))
        np.testing.assert_allclose(found, plain.encode("imu", imu(rows)), atol=1e-5)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == made  # none while it runs


@pytest.mark.slow
def test_a_compiler_that_fails_leaves_the_tower_uncompiled_with_a_warning(tmp_path, cache):
    narrow.save(tmp_path / "model")
    import torch._inductor.config as settings

    with settings.patch({"cpp.cxx": ("/bin/false",)}):
        model = opened(tmp_path / "model", "imu")
    assert list(model.warnings) == ["tower imu"]
    assert model.warnings["tower imu"].startswith("runs uncompiled: ")
    assert "/bin/false" in model.warnings["tower imu"]
    plain = opened(tmp_path / "model", "imu", compile=False)
    np.testing.assert_array_equal(model.encode("imu", imu(3)), plain.encode("imu", imu(3)))


@pytest.fixture
def failing(monkeypatch) -> list[str]:
    """Lets compiling fail half-way; holds what was tried."""
    tried: list[str] = []

    def fail(tower, config):
        tried.append(config.modality)
        tower.forward = None  # as a tower that is half compiled, it is of no use
        raise OSError("no space left\nand a long trace")

    monkeypatch.setattr(towers, "compile_tower", fail)
    return tried


def test_towers_that_cannot_be_compiled_run_uncompiled_and_say_so(tmp_path, failing):
    narrow.save(tmp_path)
    model = opened(tmp_path, "imu", "audio", "text")
    assert failing == ["imu", "audio"]  # text is of another length each time
    said = "runs uncompiled: OSError: no space left"
    assert model.warnings == {"tower imu": said, "tower audio": said}
    assert model.faults() == {}
    plain = opened(tmp_path, "imu", "text", compile=False)
    np.testing.assert_array_equal(model.encode("imu", imu(3)), plain.encode("imu", imu(3)))
    np.testing.assert_array_equal(model.encode_text(["a dog"]), plain.encode_text(["a dog"]))


def test_compiling_that_failed_is_not_tried_again(tmp_path, failing):
    narrow.save(tmp_path)
    model = opened(tmp_path, "imu")
    model.release("imu")
    assert model.encode("imu", imu(1)).shape == (1, narrow.DIM)
    assert failing == ["imu"]


def test_nothing_is_compiled_unless_it_is_asked_for(tmp_path, failing):
    narrow.save(tmp_path)
    assert opened(tmp_path, "imu", compile=False).warnings == {}
    assert load_model(tmp_path, modalities=["imu"]).modalities == ("imu",)
    assert failing == []
