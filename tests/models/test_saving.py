from __future__ import annotations

import stat

import pytest
import torch

from bindstream.errors import ModelError
from bindstream.models import load_model
from bindstream.models.directory import CARD, ModelSpec
from bindstream.models.saving import PARTIAL, ModelWriter, save_model
from bindstream.models.tokenizer import word_tokenizer
from tests.models import narrow


def only_imu() -> tuple[ModelSpec, torch.nn.Module]:
    spec, towers, _ = narrow.parts()
    one = {"towers": {"imu": spec.towers["imu"]}, "temperature": {}, "background": {}}
    return spec.model_copy(update=one), towers["imu"]


def test_saving_over_a_model_replaces_it(tmp_path):
    before = narrow.save(tmp_path)
    assert narrow.save(tmp_path, seed=1) != before
    assert min(load_model(tmp_path).golden.values()) > 0.9999
    assert not (tmp_path / PARTIAL).exists()


def test_towers_the_new_model_lacks_are_removed_and_other_files_are_kept(tmp_path):
    narrow.save(tmp_path)
    (tmp_path / "MODEL_CARD.md").write_text("mine")
    spec, tower = only_imu()
    save_model(tmp_path, spec, {"imu": tower})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("MODEL_CARD.md", "golden.safetensors", "imu.safetensors", "model.json")
    ]


def test_a_directory_that_was_not_finished_is_no_model(tmp_path):
    spec, tower = only_imu()
    with ModelWriter(tmp_path / "new", spec) as writer:
        writer.add_tower("imu", tower.state_dict().items())
        assert {path.name for path in (tmp_path / "new").iterdir()} == {PARTIAL}
    with pytest.raises(ModelError, match=r"no model\.json"):
        load_model(tmp_path / "new")


def test_weights_are_taken_one_by_one(tmp_path):
    spec, tower = only_imu()
    names = list(tower.state_dict())
    with ModelWriter(tmp_path, spec) as writer:
        writer.add_tower("imu", ((name, tower.get_parameter(name)) for name in names))
        assert writer.finish().files["imu.safetensors"].bytes > 1000
    assert load_model(tmp_path).faults() == {}


def test_weights_that_overflow_are_not_saved(tmp_path):
    spec, towers, tokenizer = narrow.parts()
    with torch.no_grad():
        towers["imu"].head.weight[0, 0] = 1e6
    with pytest.raises(ModelError, match=r"head\.weight are not finite in float16"):
        save_model(tmp_path / "new", spec, towers, tokenizer)
    assert not (tmp_path / "new").exists()
    wide = spec.model_copy(update={"dtype": "bfloat16"})
    save_model(tmp_path / "new", wide, towers, tokenizer)
    assert load_model(tmp_path / "new").faults() == {}


def test_a_tower_that_answers_with_nan_is_not_saved(tmp_path):
    spec, tower = only_imu()
    wide = spec.model_copy(update={"dtype": "float32"})
    with torch.no_grad():
        tower.head.weight.fill_(3e38)  # finite, and the sum over a token is not
        tower.head_norm.bias.fill_(3.0)
    with pytest.raises(ModelError, match="tower imu: The tower answers with NaN"):
        save_model(tmp_path / "new", wide, {"imu": tower})
    assert not (tmp_path / "new").exists()


def test_towers_spec_and_tokenizer_must_agree(tmp_path):
    spec, towers, tokenizer = narrow.parts()
    with pytest.raises(ModelError, match="needs its tokenizer"):
        save_model(tmp_path, spec, towers)
    with pytest.raises(ModelError, match="tokens"):
        save_model(tmp_path, spec, towers, word_tokenizer(["dog"]))
    one, tower = only_imu()
    with pytest.raises(ModelError, match=r"states towers \['imu'\], got audio"):
        save_model(tmp_path, one, {"imu": tower, "audio": towers["audio"]})
    del towers["imu"]
    with pytest.raises(ModelError, match="towers for imu, got none"):
        save_model(tmp_path, spec, towers, tokenizer)
    assert not (tmp_path / CARD).exists()


def test_weights_of_another_shape_are_refused(tmp_path):
    spec, tower = only_imu()
    weights = {**tower.state_dict(), "head.weight": torch.zeros(3, 3)}
    with ModelWriter(tmp_path, spec) as writer, pytest.raises(ModelError, match="do not fit"):
        writer.add_tower("imu", weights.items())


def test_files_are_as_readable_as_others(tmp_path):
    narrow.save(tmp_path / "model")
    (tmp_path / "other").touch()
    usual = stat.S_IMODE((tmp_path / "other").stat().st_mode)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "model").iterdir()} == {usual}


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match=r"file/new: .*cannot be written"):
        narrow.save(tmp_path / "file" / "new")
