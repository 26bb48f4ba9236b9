from __future__ import annotations

import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from bindstream.errors import ModelError
from bindstream.models.published.checkpoint import check_content, read_checkpoint

WEIGHTS = {"a.weight": torch.arange(300.0).reshape(3, 100), "b": torch.tensor(2.5)}


def same(found: dict) -> bool:
    return set(found) == set(WEIGHTS) and all(torch.equal(found[n], WEIGHTS[n]) for n in WEIGHTS)


@pytest.mark.parametrize(
    "wrapped",
    [
        WEIGHTS,
        {"state_dict": WEIGHTS, "epoch": 3},
        {f"module.{name}": value for name, value in WEIGHTS.items()},
        {"state_dict": {f"module.{name}": value for name, value in WEIGHTS.items()}},
    ],
    ids=["bare", "state_dict", "module", "both"],
)
def test_a_state_dict_is_found_in_its_wrapping(tmp_path, wrapped):
    torch.save(wrapped, tmp_path / "x.pth")
    assert same(read_checkpoint(tmp_path / "x.pth"))


def test_safetensors_are_read_whatever_the_file_is_called(tmp_path):
    save_file(WEIGHTS, tmp_path / "x.bin")
    assert same(read_checkpoint(tmp_path / "x.bin"))


def test_one_name_of_many_that_begins_with_module_is_left(tmp_path):
    torch.save({**WEIGHTS, "module.c": torch.zeros(1)}, tmp_path / "x.pth")
    assert "module.c" in read_checkpoint(tmp_path / "x.pth")


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.005, 0.3, 0.7, 0.999])
def test_a_file_cut_off_anywhere_is_refused_by_name(tmp_path, suffix, share):
    path = tmp_path / f"x.{suffix}"
    (save_file if suffix == "safetensors" else torch.save)(WEIGHTS, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ModelError, match=r"truncated|no checkpoint") as raised:
        read_checkpoint(path)
    assert path.name in str(raised.value)


def test_a_hole_in_the_weights_is_found_by_its_checksum(tmp_path):
    path = tmp_path / "x.pth"
    torch.save(WEIGHTS, path)
    seen: list[int] = []
    check_content(path, seen.append)
    assert 1200 < sum(seen) < path.stat().st_size
    whole = bytearray(path.read_bytes())
    start = whole.index(WEIGHTS["a.weight"].numpy().tobytes())
    whole[start + 400 : start + 800] = bytes(400)
    path.write_bytes(whole)
    read_checkpoint(path)  # names and shapes are all there
    with pytest.raises(ModelError, match="damaged"):
        check_content(path, seen.append)


@pytest.mark.parametrize("save", [torch.save, lambda o, p: pickle.dump(o, p.open("wb"))])
def test_a_checkpoint_that_carries_code_is_not_run(tmp_path, save):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    save({"a": Bomb()}, tmp_path / "x.pth")
    with pytest.raises(ModelError, match=r"run(ning)? (code|what)") as raised:
        read_checkpoint(tmp_path / "x.pth")
    assert not (tmp_path / "ran").exists()
    assert "weights_only" not in str(raised.value)  # torch's advice to load it regardless


def test_a_file_of_old_pytorch_says_how_to_convert_it(tmp_path):
    torch.save(WEIGHTS, tmp_path / "x.pth", _use_new_zipfile_serialization=False)
    with pytest.raises(ModelError, match=r"before 1\.6.*save its state dict as safetensors"):
        read_checkpoint(tmp_path / "x.pth")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_program_is_not_taken_for_weights(tmp_path):
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), tmp_path / "x.pt")
    with pytest.raises(ModelError, match="TorchScript"):
        read_checkpoint(tmp_path / "x.pt")


@pytest.mark.parametrize("content", [[torch.zeros(2)], {"epoch": 3}, {}, {"a": {"b": 1}}])
def test_what_is_no_state_dict_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(ModelError, match="no state dict"):
        read_checkpoint(tmp_path / "x.pth")


def test_an_error_page_and_a_missing_file_are_named(tmp_path):
    (tmp_path / "x.pth").write_text("<html>404</html>")
    with pytest.raises(ModelError, match="neither a zip"):
        read_checkpoint(tmp_path / "x.pth")
    for path in (tmp_path / "none.pth", tmp_path):
        with pytest.raises(ModelError, match="cannot be read"):
            read_checkpoint(path)
