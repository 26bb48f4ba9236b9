"""Reading a model directory: checked files, weights mapped into memory, towers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from bindstream.errors import ModelError
from bindstream.models.directory import ARCHITECTURES, CARD, ModelSpec, damaged, digest, unreadable
from bindstream.models.imagebind import Tower
from bindstream.models.precision import Arithmetic, cpu_flags
from bindstream.models.quantized import int8_levels, int8_weights, scale_name, to_int8
from bindstream.models.sizes import TowerConfig
from bindstream.records import ModalityName

CPU = torch.device("cpu")
Shape = tuple[int, ...]

# What torch's allocators say: for CPUs on Linux and macOS, on Windows, and for other devices.
_LACKS = ("can't allocate memory", "not enough memory", "out of memory")


def check_file(directory: Path, spec: ModelSpec, name: str) -> Path:
    """The path of `name`, once its size and SHA-256 are as model.json says.

    It is read piece by piece, none of it stays in this process's memory.

    Raises:
        ModelError: the file is missing, truncated, changed, or cannot be read.
    """
    path, stated = directory / name, spec.files.get(name)
    if stated is None:
        raise ModelError(f"{CARD} states no file {name}.", where=str(directory))
    try:
        size = path.stat().st_size if path.is_file() else None
    except OSError as error:
        raise unreadable(path, error) from error
    if size is None:
        raise damaged(path, "The file is missing.")
    if size != stated.bytes:
        raise damaged(path, f"It has {size} bytes, {CARD} says {stated.bytes}: truncated?")
    if (found := digest(path)) != stated.sha256:
        raise damaged(path, f"Its SHA-256 is {found[:12]}…, {CARD} says {stated.sha256[:12]}….")
    return path


def read_tensors(path: Path, *, together: bool = True) -> Iterator[tuple[str, Tensor]]:
    """Names and tensors of a safetensors file, mapped into memory: read when they are touched.

    Args:
        together: all lie in one mapping, which stays as long as any of them. Else each has its own,
            so that its pages go when it does: mapped pages count as memory of this process.

    Raises:
        ModelError: it is no safetensors file.
    """
    try:
        with safe_open(path, "pt") as file:
            names = list(file.keys())
            if together:
                yield from ((name, file.get_tensor(name)) for name in names)
                return
        for name in names:
            with safe_open(path, "pt") as file:
                yield name, file.get_tensor(name)
    except (SafetensorError, OSError) as error:
        raise damaged(path, f"It is no safetensors file ({error}).") from error


def load_tower(
    spec: ModelSpec,
    modality: ModalityName,
    path: Path,
    precision: Arithmetic = "float32",
    device: torch.device = CPU,
) -> nn.Module:
    """The tower with the weights of `path`, which computes in `precision`, in evaluation mode.

    On a CPU, weights that are stored as they are computed with are the file's pages themselves, so
    nothing is copied, processes share them, and under pressure the system takes them back. Others
    are converted one by one.

    Raises:
        ModelError: the stated sizes cannot be built, names or shapes of the weights are others, or
            they are more than the device's memory takes.
    """
    kind = import_module(ARCHITECTURES[spec.architecture]).Tower
    weights = read_tensors(path, together=device == CPU and spec.dtype == precision)
    try:
        tower = blank(kind, spec.towers[modality])
        return fill_tower(tower, weights, precision, device)
    except (RuntimeError, MemoryError) as error:
        if is_lack_of_memory(error):
            raise lack_of_memory(modality, precision, device) from error
        raise ModelError(
            f"The weights do not fit the stated architecture ({error}).",
            where=f"tower {modality}",
            fix="Copy the model directory again.",
        ) from error


def fill_tower(
    tower: nn.Module,
    weights: Iterable[tuple[str, Tensor]],
    precision: Arithmetic = "float32",
    device: torch.device = CPU,
) -> nn.Module:
    """A `blank` tower once it has its weights, converted one by one, in evaluation mode.

    Raises:
        RuntimeError: names or shapes of the weights are not the tower's.
    """
    if precision == "int8":
        to_int8(tower)
    dtype = dtype_of(precision)
    wanted, levels = tower.state_dict(), int8_levels(cpu_flags())
    filled: dict[str, Tensor] = {}
    for name, value in weights:
        ours = wanted.get(name)
        if ours is not None and ours.dtype == torch.int8 and ours.shape == value.shape:
            filled[name], filled[scale_name(name)] = int8_weights(value, levels)
        else:
            filled[name] = value.to(device, dtype)
        del value  # before the next is made
    tower.load_state_dict(filled, assign=True)
    return tower.eval().requires_grad_(False)


def is_lack_of_memory(error: BaseException) -> bool:
    """Whether torch or Python found no memory; off CUDA torch has words for it alone."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _LACKS)


def lack_of_memory(
    modality: ModalityName, precision: Arithmetic, device: torch.device
) -> ModelError:
    """The error for a tower that the memory of a device does not take."""
    ways = [
        *(("a smaller `precision` (int8, bfloat16)",) if precision == "float32" else ()),
        "fewer towers",
        *(("another device (`device: cpu`)",) if device.type != "cpu" else ("another device",)),
    ]
    return ModelError(
        f"The tower does not fit into the memory of {device} in {precision}.",
        where=f"tower {modality}",
        fix=f"Choose {', '.join(ways[:-1])} or {ways[-1]}.",
    )


def dtype_of(precision: Arithmetic) -> torch.dtype:
    """The type of activations; in int8 only products are computed in it."""
    dtype: torch.dtype = getattr(torch, "float32" if precision == "int8" else precision)
    return dtype


def blank(kind: Callable[[TowerConfig], nn.Module], config: TowerConfig) -> nn.Module:
    """A tower without values (on the meta device), to load weights into or to ask for shapes."""
    with torch.device("meta"), _Undrawn():
        return kind(config)


@cache
def tower_shapes(config: TowerConfig) -> Mapping[str, Shape]:
    """Name and shape of every weight of a tower; none is made."""
    state = blank(Tower, config).state_dict()
    return {name: tuple(value.shape) for name, value in state.items()}


class _Undrawn(TorchFunctionMode):
    """Leaves out torch.nn.init: to draw nothing, on the meta device, torch imports its compiler,
    which takes over a second and 60 MB."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if getattr(function, "__module__", "") == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return function(*args, **(kwargs or {}))
