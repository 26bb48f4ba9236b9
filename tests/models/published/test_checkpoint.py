from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from bindstream.errors import ModelError
from bindstream.models.published.checkpoint import check_content, read_checkpoint

WEIGHTS = {"a.weight": torch.arange(300.0).reshape(3, 100), "b": torch.tensor(2.5)}


def with_pickle(path: Path, content: bytes) -> Path:
    """A zip of torch.save, whole by its checksums, whose list of tensors is another."""
    torch.save(WEIGHTS, path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, held in parts.items():
            archive.writestr(name, content if name.endswith("data.pkl") else held)
    return path


def overwrite(path: Path, old: bytes, new: bytes) -> None:
    whole = path.read_bytes()
    assert old in whole
    path.write_bytes(whole.replace(old, new))


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


def test_a_hole_in_the_list_of_tensors_is_damage_and_no_code(tmp_path):
    path = tmp_path / "x.pth"
    torch.save(WEIGHTS, path)
    with zipfile.ZipFile(path) as archive:
        listed = archive.read("x/data.pkl")
    overwrite(path, listed, bytes(len(listed)))
    with pytest.raises(ModelError, match=r"CRC-32.*damaged\?") as raised:
        read_checkpoint(path)
    assert raised.value.fix == "Download it again."
    assert "code" not in str(raised.value)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02a.",
        b"\x80\x02h\x05.",
        b"\x80\x02X\x05",
        b"\x80\x02" + b"(" * 9,
        b"",
        bytes(100),
        b"\xff" * 100,
        pickle.dumps({"a": 1.5}, 4),
    ],
)
def test_a_list_of_tensors_that_cannot_be_read_is_damage_and_no_code(tmp_path, content):
    path = with_pickle(tmp_path / "x.pth", content)
    with pytest.raises(ModelError, match="damaged") as raised:
        read_checkpoint(path)
    assert raised.value.where == str(path)
    assert "Download it again" in raised.value.fix
    assert "trust" not in str(raised.value)


@pytest.mark.parametrize(
    "content", [{5: torch.zeros(2)}, {None: torch.zeros(2), "a": WEIGHTS["b"]}]
)
def test_names_that_are_no_text_are_refused(tmp_path, content):
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(ModelError, match=r"no state dict: (5|None) is no name"):
        read_checkpoint(tmp_path / "x.pth")


def test_a_checkpoint_that_was_packed_again_is_refused(tmp_path):
    torch.save(WEIGHTS, tmp_path / "x.pth")
    with (
        zipfile.ZipFile(tmp_path / "x.pth") as archive,
        zipfile.ZipFile(tmp_path / "y.pth", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in archive.namelist():
            packed.writestr(name, archive.read(name))
    with pytest.raises(ModelError, match="compresses nothing"):
        read_checkpoint(tmp_path / "y.pth")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (8, 1),  # encrypted
        (10, 8),  # compressed, which it is not
        (10, 99),  # compressed in a way nobody knows
        (16, 7),  # another checksum
        (42, 3),  # begins elsewhere
    ],
)
def test_a_zip_whose_list_of_parts_is_wrong_is_damage(tmp_path, place, value):
    path = tmp_path / "x.pth"
    torch.save(WEIGHTS, path)
    whole = bytearray(path.read_bytes())
    start = whole.index(b"PK\1\2")  # where the first part is listed
    whole[start + place] ^= value
    path.write_bytes(whole)
    with pytest.raises(ModelError, match="damaged") as raised:
        check_content(path, lambda count: None)
    assert raised.value.fix == "Download it again."
    with pytest.raises(ModelError):
        read_checkpoint(path)


def test_what_a_listener_raises_is_no_damage(tmp_path):
    torch.save(WEIGHTS, tmp_path / "x.pth")

    def broken(count: int) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        check_content(tmp_path / "x.pth", broken)


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
