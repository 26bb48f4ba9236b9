"""Files of weights that others published: read without running what they may carry."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from bindstream.errors import ModelError

WRAPPING = "module."  # before every name, where a model was trained on several devices
_CHUNK = 1 << 20


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Every tensor of the file by its name, memory-mapped: bytes are read when they are touched.

    Takes what `torch.save` wrote (a zip, as PyTorch has written since 1.6) and safetensors. A state
    dict within {"state_dict": ...} is taken out, and `WRAPPING` is taken off.

    Raises:
        ModelError: no such file, truncated, damaged, of another kind, or with more in it than
            tensors.
    """
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as error:
        raise ModelError(
            f"The checkpoint cannot be read ({error.strerror}).",
            where=str(path),
            fix="Give the path of the file.",
        ) from error
    if head.startswith(b"PK\3\4"):
        return _state_dict(path, _read_zip(path))
    if head[8:] == b"{":
        with _reading(path):
            loaded = load_file(path)
        return _state_dict(path, loaded)
    if head[8:] and head[0] == 0x80 and head[1] in (2, 3, 4, 5):
        raise ModelError(
            "The checkpoint is a bare pickle (or in PyTorch's format from before 1.6), which cannot"
            " be read without running what is in it.",
            where=str(path),
            fix="If you trust it, load it with PyTorch and save its state dict as safetensors.",
        )
    raise ModelError(
        "This is no checkpoint: it is neither a zip of torch.save nor safetensors.",
        where=str(path),
        fix="Look at what was downloaded: an error page, perhaps.",
    )


def check_content(path: Path, advance: Callable[[int], None]) -> None:
    """Hold what a zip of torch.save contains against the checksums in it; blocks.

    A download that left holes has all its names and shapes. Safetensors has no checksums, and
    passes. `advance` is called with the bytes read since the last call.

    Raises:
        ModelError: a part is damaged.
    """
    if zipfile.is_zipfile(path):
        for count in _bytes_checked(path):
            advance(count)


def _bytes_checked(path: Path, name: str = "") -> Iterator[int]:
    """Read the parts of a zip (those of this name) to their ends, where their checksums are held
    against those that are stated; gives the bytes read since it last did."""
    with _reading(path), zipfile.ZipFile(path) as archive:
        for part in archive.infolist():
            if part.filename.endswith(name):
                with archive.open(part) as content:
                    while chunk := content.read(_CHUNK):
                        yield len(chunk)


def _read_zip(path: Path) -> object:
    with _reading(path), zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
    names = [part.filename.rpartition("/")[2] for part in parts]
    if "constants.pkl" in names:
        raise ModelError(
            "The checkpoint is a TorchScript program, not a state dict.",
            where=str(path),
            fix="Give a checkpoint of weights alone: OpenCLIP's, not OpenAI's.",
        )
    if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
        raise ModelError(  # whose bytes would be mapped as weights
            "The checkpoint was packed again: torch.save compresses nothing.",
            where=str(path),
            fix="Give the file as it was published.",
        )
    for _ in _bytes_checked(path, "data.pkl"):
        pass  # names and shapes: zeros in them are a hole in the file, and no code
    with _reading(path):
        try:
            # weights_only: a checkpoint is a pickle, and a foreign one may carry code.
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except pickle.UnpicklingError as error:
            raise _no_weights(path, str(error)) from error


def _no_weights(path: Path, said: str) -> ModelError:
    """The error for a whole pickle that torch refuses; torch's own words advise to run it."""
    if wanted := re.search(r"GLOBAL ([\w.]+)", said):
        return ModelError(
            f"The checkpoint holds more than tensors ({wanted[1]}), which would run code: refused.",
            where=str(path),
            fix="If you trust it, load it with PyTorch and save its state dict as safetensors.",
        )
    why = re.search(r"WeightsUnpickler error:\s*(.+)", said)
    return ModelError(
        f"The checkpoint's list of tensors is damaged ({why[1] if why else 'no such list'}).",
        where=str(path),
        fix="Download it again, or as safetensors if there is such a file.",
    )


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turns what foreign bytes make zipfile, safetensors and torch trip over into damage.

    They raise whatever comes up: IndexError, KeyError, struct.error, zlib.error and more.
    """
    try:
        yield
    except ModelError:
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {error}".split("\n")[0].split(". ")[0].rstrip(".")
        size = f"{path.stat().st_size / 1e9:.2f} GB"
        raise ModelError(
            f"The checkpoint of {size} cannot be read ({why}): truncated or damaged?",
            where=str(path),
            fix="Download it again.",
        ) from error


def _state_dict(path: Path, loaded: object) -> dict[str, Tensor]:
    if isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, dict) or not loaded:
        raise ModelError("The checkpoint is no state dict.", where=str(path))
    for name, value in loaded.items():
        if not isinstance(name, str):
            raise ModelError(
                f"The checkpoint is no state dict: {name!r} is no name.", where=str(path)
            )
        if not isinstance(value, Tensor) or value.is_nested:
            raise ModelError(
                f"The checkpoint is no state dict: {name!r} is no tensor.", where=str(path)
            )
    if all(name.startswith(WRAPPING) for name in loaded):
        return {name[len(WRAPPING) :]: value for name, value in loaded.items()}
    return dict(loaded)
