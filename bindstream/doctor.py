"""What a machine needs to run bindstream, tried for real: each check says what it found."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Literal

from bindstream.clocks.host import Clock
from bindstream.clocks.kernel import read_kernel_clock
from bindstream.config import Config, StreamConfig
from bindstream.devices import list_devices
from bindstream.errors import BindstreamError
from bindstream.models.precision import Precision
from bindstream.records import ModalityName
from bindstream.sources import SourceContext
from bindstream.sources.registry import open_source

OLDEST_PYTHON = (3, 10)
SHARED_MEMORY = Path("/dev/shm")
CLOCK_ERROR_NS = 100_000_000
"""Clocks that are kept are right to a few ms; off by more, streams of two hosts part visibly."""

State = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class Finding:
    """What one check found; `fix` is the way out ("" if none is needed).

    "failed" means that bindstream cannot run as asked; "warning" that something it could do, it
    cannot do here.
    """

    name: str
    state: State
    found: str
    fix: str = ""


@dataclass(frozen=True)
class _Extra:
    """Modules an optional part is made of, and the kinds of sources that cannot do without."""

    modules: tuple[str, ...]
    kinds: tuple[str, ...] = ()
    always: bool = False


_EXTRAS = {
    "model": _Extra(("torch", "safetensors", "tokenizers", "kaldi_native_fbank"), always=True),
    "ray": _Extra(("ray", "psutil"), always=True),
    "camera": _Extra(("cv2", "av"), kinds=("camera", "thermal", "depth")),
    "microphone": _Extra(("sounddevice", "soundfile", "soxr"), kinds=("microphone",)),
    "imu": _Extra(("serial",), kinds=("imu",)),
    "history": _Extra(("lancedb", "pyarrow"), kinds=("history",)),
    "record": _Extra(
        ("mcap", "mcap_protobuf", "foxglove_schemas_protobuf", "zstandard"),
        kinds=("record", "recording"),
    ),
}


def examine(config: Config | None, ray: Callable[[], str] | None = None) -> Iterator[Finding]:
    """All checks, one after the other; those of a configuration if one is given.

    Args:
        ray: starts and stops Ray and says what it found; raises if it cannot. Left out where
            there is no Ray.
    """
    yield _python()
    yield _clock()
    kinds = {_kind_of(s.source) for s in config.streams} if config else set()
    if config is not None and config.history is not None:
        kinds.add("history")
    if config is not None and config.record is not None:
        kinds.add("record")
    for extra in _EXTRAS:
        yield _packages(extra, kinds)
    yield _tried("torch", _torch, "Install the torch build made for this machine.")
    name = config.model.name if config else "starter"
    device = config.model.device if config else "auto"
    precision: Precision = config.model.precision if config else "auto"
    fix = "Install or copy the model again."
    towers = config.towers if config else None  # all that the model has
    yield _tried(f"model {name}", lambda: _model(name, device, precision, towers), fix)
    store_mb = config.ray.object_store_mb if config else 256
    yield _shared_memory(store_mb)
    if ray is not None:
        yield _tried("Ray", ray, "See the newest folder in /tmp/ray for Ray's own logs.")
    for address in _addresses(config):
        yield _port(address)
    yield _devices()
    for stream in config.streams if config else ():
        fix = "`bindstream devices` lists what is plugged in."
        yield _tried(f"stream {stream.name}", partial(_opened, stream), fix)


def _kind_of(source: object) -> str:
    return str(getattr(source, "kind", ""))


def _python() -> Finding:
    found = f"{platform.python_version()} on {platform.machine()}, {platform.platform()}"
    if sys.version_info < OLDEST_PYTHON:
        return Finding("Python", "failed", found, "Install Python 3.10 or newer.")
    return Finding("Python", "ok", found)


def _clock() -> Finding:
    """How wrong times of day may be."""
    found = read_kernel_clock()
    if found.error_ns is not None:
        off_by = f"{found.error_ns / 1e6:,.2f} ms"
        if found.error_ns <= CLOCK_ERROR_NS:
            return Finding("clock", "ok", f"kept on UTC, off by {off_by} or less")
        fix = (
            "Is its time server reachable? Ask `chronyc tracking` or `timedatectl timesync-status`."
        )
        return Finding("clock", "warning", f"kept on UTC, but may be off by {off_by}", fix)
    return Finding(
        "clock",
        "warning",
        "nothing keeps this host's clock on UTC: times of day may be off by any amount",
        "Install chrony or run: timedatectl set-ntp true. In a container the host has to do it.",
    )


def _packages(extra: str, kinds: set[str]) -> Finding:
    part = _EXTRAS[extra]
    absent = [name for name in part.modules if importlib.util.find_spec(name) is None]
    if not absent:
        versions = ", ".join(f"{name} {_version(name)}" for name in part.modules)
        return Finding(f"packages: {extra}", "ok", versions)
    needed = part.always or bool(kinds & set(part.kinds))
    return Finding(
        f"packages: {extra}",
        "failed" if needed else "warning",
        f"not installed: {', '.join(absent)}",
        f"Run: pip install 'bindstream[{extra}]'",
    )


def _version(module: str) -> str:
    names = metadata.packages_distributions().get(module, [module])
    try:
        return metadata.version(names[0])
    except metadata.PackageNotFoundError:
        return "?"


def _tried(name: str, check: Callable[[], str], fix: str) -> Finding:
    """A check that anything may come out of: libraries fail in their own ways."""
    try:
        return Finding(name, "ok", check())
    except BindstreamError as error:
        return Finding(
            name, "failed", f"{error.where}: {error.what}".lstrip(": "), error.fix or fix
        )
    except Exception as error:
        return Finding(name, "failed", f"{type(error).__name__}: {error}", fix)


def _torch() -> str:
    """A real product on each device: a build without its kernels is only found so."""
    import numpy as np
    import torch

    numbers = np.arange(16, dtype=np.float32).reshape(4, 4)
    found = [f"{torch.__version__}, {torch.get_num_threads()} threads, product on the CPU right"]
    devices = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    for device in devices:
        there = torch.from_numpy(numbers).to(device)
        if not np.array_equal((there @ there).cpu().numpy(), numbers @ numbers):
            raise ArithmeticError(f"a 4 × 4 product is wrong on {device}")
        if device != "cpu":
            about = torch.cuda.get_device_properties(device)
            arch = f"sm_{about.major}{about.minor}"
            built = " ".join(torch.cuda.get_arch_list())
            found.append(f"{about.name} ({arch}; this torch is built for {built}) right")
    if len(devices) == 1:
        found.append("no CUDA")
    return "; ".join(found)


def _model(
    name: str, device: str, precision: Precision, towers: Sequence[ModalityName] | None
) -> str:
    """Every tower's golden vectors, and what it computes in."""
    from bindstream.models import load_model

    model = load_model(name, modalities=towers, device=device, precision=precision)
    if faults := model.faults():
        said = "; ".join(f"{tower} {fault}" for tower, fault in faults.items())
        raise ArithmeticError(f"golden vectors differ: {said}")
    right = f"golden vectors right for {', '.join(model.modalities)}"
    warnings = [f"{tower} {warning}" for tower, warning in model.warnings.items()]
    return "; ".join([f"{model.name} {model.fingerprint}: {right}", *model.reasons, *warnings])


def _opened(stream: StreamConfig) -> str:
    """Open the stream's source as a run does, and let go of it."""
    clock = Clock.read()
    source = open_source(
        stream.source, SourceContext(stream.name, stream.modality, clock, clock.now_ns())
    )
    try:
        source.open()
    finally:
        source.close()
    return "its source opens"


def _shared_memory(store_mb: int) -> Finding:
    if not SHARED_MEMORY.is_dir():
        return Finding("shared memory", "warning", f"there is no {SHARED_MEMORY}")
    free_mb = shutil.disk_usage(SHARED_MEMORY).free // 2**20
    found = f"{free_mb} MiB free in {SHARED_MEMORY}, Ray takes {store_mb}"
    if free_mb < store_mb:
        fix = "Give the container --shm-size=1g, or lower ray.object_store_mb (75 at least)."
        return Finding("shared memory", "warning", f"{found}: Ray will use the disk", fix)
    return Finding("shared memory", "ok", found)


def _addresses(config: Config | None) -> list[str]:
    from bindstream.config import BusConfig

    bus = config.bus if config else BusConfig()
    return [bus.address, bus.inbound, bus.control, *([bus.time] if bus.time else [])]


def _port(address: str) -> Finding:
    name = f"port {address}"
    if not address.startswith("tcp://"):
        return Finding(name, "ok", "no TCP port")
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("" if host == "*" else host, int(port)))
        except OSError as error:
            fix = "Stop what uses it (`bindstream status` says if it is bindstream), or change it."
            return Finding(name, "failed", f"cannot be bound: {error.strerror}", fix)
    return Finding(name, "ok", "free")


def _devices() -> Finding:
    listed = list_devices()
    found = ", ".join(f"{d.kind} {d.name!r}" for d in listed.found) or "none found"
    if listed.unseen:
        return Finding("devices", "warning", f"{found}; {'; '.join(listed.unseen)}")
    return Finding("devices", "ok", found)
