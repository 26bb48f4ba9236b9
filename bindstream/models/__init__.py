"""Models: towers that turn windows and words into vectors of one joint space.

Importing this package is cheap; torch is imported where a model is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bindstream.errors import MissingPackageError, ModelError
from bindstream.records import ModalityName

if TYPE_CHECKING:
    import torch

    from bindstream.models.encoder import Model

__all__ = ["installed_models", "load_model", "missing_package", "model_directory"]

INSTALLED = Path(__file__).parent  # models that come with the package, each a directory


def load_model(
    name_or_path: str | Path = "starter",
    *,
    modalities: Sequence[ModalityName] | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> Model:
    """Load the towers asked for of a model. Blocks while files are read and checked.

    Args:
        name_or_path: a model that comes with the package, or the path of a model directory.
        modalities: the towers to load, "text" among them; all that the model has if None.
        device: "auto" (a GPU that computes, else the CPU), or a torch device such as "cuda:1".
            float32 on a CPU, float16 on CUDA.
        threads: torch's threads in this process; left as it is if None.

    Raises:
        ModelError: no such model, a damaged or foreign directory, a tower it does not have, or a
            device that does not compute.
        MissingPackageError: torch, safetensors or tokenizers is not installed.
    """
    directory = model_directory(name_or_path)
    try:
        import torch

        from bindstream.models.encoder import open_model
    except ImportError as error:
        raise missing_package(error) from error
    if threads is not None:
        torch.set_num_threads(threads)
    return open_model(directory, modalities, _device(device))


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
        ModelError: a bare name that no installed model and no directory here has.
    """
    path = Path(name_or_path)
    if isinstance(name_or_path, str) and path.name == name_or_path and not path.is_dir():
        installed = INSTALLED / name_or_path
        if not (installed / "model.json").is_file():
            present = ", ".join(installed_models()) or "none"
            raise ModelError(
                f"No model of this name is installed (installed: {present}).",
                where=f"model {name_or_path}",
                fix="Give an installed name or the path of a model directory.",
            )
        return installed
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
