"""Files of weights that others published: read without running what they may carry."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError
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
        ModelError: no such file, truncated, of another kind, or with more in it than tensors.
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
        try:
            return _state_dict(path, load_file(path))
        except (SafetensorError, OSError) as error:
            raise _truncated(path, str(error)) from error
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
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        for part in archive.infolist():
            try:
                with archive.open(part) as content:
                    while chunk := content.read(_CHUNK):
                        advance(len(chunk))
            except zipfile.BadZipFile as error:
                raise ModelError(
                    f"The checkpoint is damaged ({error}).",
                    where=str(path),
                    fix="Download it again.",
                ) from error


def _read_zip(path: Path) -> object:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.rpartition("/")[2] for name in archive.namelist()]
    except (zipfile.BadZipFile, OSError) as error:
        raise _truncated(path, str(error)) from error
    if "constants.pkl" in names:
        raise ModelError(
            "The checkpoint is a TorchScript program, not a state dict.",
            where=str(path),
            fix="Give a checkpoint of weights alone: OpenCLIP's, not OpenAI's.",
        )
    try:
        # weights_only: a checkpoint is a pickle, and a foreign one may carry code.
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        # torch's own words advise to load it regardless.
        wanted = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f" ({wanted[1]})" if wanted else ""
        raise ModelError(
            f"The checkpoint holds more than tensors{what}, which would run code: refused.",
            where=str(path),
            fix="If you trust it, load it with PyTorch and save its state dict as safetensors.",
        ) from error
    except (RuntimeError, OSError, EOFError, ValueError) as error:
        raise _truncated(path, str(error)) from error


def _state_dict(path: Path, loaded: object) -> dict[str, Tensor]:
    if isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, dict) or not loaded:
        raise ModelError("The checkpoint is no state dict.", where=str(path))
    others = [name for name, value in loaded.items() if not isinstance(value, Tensor)]
    if others:
        raise ModelError(
            f"The checkpoint is no state dict: {others[0]!r} is no tensor.", where=str(path)
        )
    if all(name.startswith(WRAPPING) for name in loaded):
        return {name[len(WRAPPING) :]: value for name, value in loaded.items()}
    return dict(loaded)


def _truncated(path: Path, why: str) -> ModelError:
    why = why.split("\n")[0].split(". ")[0].rstrip(".")
    return ModelError(
        f"The checkpoint of {path.stat().st_size / 1e9:.2f} GB cannot be read ({why}): truncated?",
        where=str(path),
        fix="Download it again.",
    )
