"""Models: towers that turn windows and words into vectors of one joint space.

Importing this package is cheap; torch is imported where a model is loaded.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from bindstream.errors import MissingPackageError, ModelError
from bindstream.models.precision import Precision

if TYPE_CHECKING:
    import torch

    from bindstream.models.encoder import Model
    from bindstream.records import ModalityName

__all__ = ["installed_models", "load_model", "missing_package", "model_directory"]

INSTALLED = Path(__file__).parent  # models that come with the package, each a directory


def load_model(
    name_or_path: str | Path = "starter",
    *,
    modalities: Sequence[ModalityName] | None = None,
    device: str = "auto",
    threads: int | None = None,
    precision: Precision = "auto",
    compile: bool = False,
) -> Model:
    """Load the towers asked for of a model. Blocks while files are read and checked.

    A tower whose golden vectors are wrong in a precision is computed in a wider one: int8 and
    float16 give way to bfloat16 (not where a CPU would emulate it), that to float32.
    `Model.reasons` says what it came to, `Model.warnings` what did not go as asked. A tower that is
    a little off in float32 too is warned of, one that is far off (`LEAST_USABLE`) is refused.

    Args:
        name_or_path: a model that comes with the package, or the path of a model directory.
        modalities: the towers to load, "text" among them; all that the model has if None.
        device: "auto" (a GPU that computes, else the CPU), or a torch device such as "cuda:1".
        threads: torch's threads in this process; left as it is if None.
        precision: "auto" is bfloat16 on a CPU that computes in it (by its flags in /proc/cpuinfo),
            float16 on CUDA, else float32. "int8" is for CPUs: a quarter of float32's memory.
        compile: compile towers other than text with torch.compile, which needs a C++ compiler and
            takes a minute or more a tower, in which nothing is embedded.

    Raises:
        ModelError: no such model, a damaged or foreign directory, a tower or precision there is
            not, too little memory, or a device that does not compute.
        MissingPackageError: torch, safetensors or tokenizers is not installed.
    """
    directory = model_directory(name_or_path)
    try:
        import torch

        from bindstream.models.encoder import open_model
    except ImportError as error:
        raise missing_package(error) from error
    if precision not in get_args(Precision):
        raise ModelError(
            f"{precision!r} is no precision.", fix=f"Choose {', '.join(get_args(Precision))}."
        )
    if threads is not None:
        torch.set_num_threads(threads)
    return open_model(directory, modalities, _device(device), precision, compile)


def missing_package(error: ImportError) -> MissingPackageError:
    """The error for a package that models need and that is not there."""
    return MissingPackageError(
        f"Models need {error.name}, which is not installed.",
        fix="Run: pip install 'bindstream[model]' (on Jetson, torch from NVIDIA's index).",
    )


def installed_models() -> list[str]:
    """Names of the models that come with the package, in order."""
    return sorted(path.parent.name for path in INSTALLED.glob("*/model.json"))


def model_directory(name_or_path: str | Path) -> Path:
    """The directory of a model: one that comes with the package by its name, or the path given.

    Raises:
        ModelError: a bare name that no installed model and no directory here has, or a file.
    """
    path = Path(name_or_path)
    if isinstance(name_or_path, str) and path.name == name_or_path and not os.path.isdir(path):
        installed = INSTALLED / name_or_path
        if not os.path.isfile(installed / "model.json"):
            present = ", ".join(installed_models()) or "none"
            raise ModelError(
                f"No model of this name is installed (installed: {present}).",
                where=f"model {name_or_path}",
                fix="Give an installed name or the path of a model directory.",
            )
        return installed
    if os.path.isfile(path):
        raise ModelError(
            "It is a file, not a model directory.",
            where=str(path),
            fix="Make one of a published checkpoint: bindstream model import FILE --out DIR.",
        )
    return path


def _device(name: str) -> torch.device:
    import torch

    if name == "auto":
        if torch.cuda.is_available() and _computes(torch.device("cuda")) is None:
            return torch.device("cuda")
        return torch.device("cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ModelError(
            f"{name!r} is no device torch knows.", where="device", fix='Use "auto" or "cpu".'
        ) from error
    fault = _computes(device)
    if fault is not None:
        raise ModelError(
            f"The device does not compute ({fault}).",
            where=f"device {name}",
            fix='Use "auto" or "cpu", or install the torch build made for this device.',
        )
    return device


def _computes(device: torch.device) -> Exception | None:
    """Why a real product fails on the device: a build without its kernels is only found so."""
    import torch

    try:
        one = torch.ones(8, 8, device=device)
        (one @ one).sum().item()
    except (RuntimeError, AssertionError) as error:
        return error
    return None
