"""What loading towers takes of memory and time, each case in a process of its own.

    python bench/loading.py                                # audio and IMU at imagebind_huge's size
    python bench/loading.py --model ~/models/imagebind_huge --towers vision,text
    python bench/loading.py --small                        # narrowed towers: seconds

Without --model the towers are drawn (drawn.py) and stored as float16. Memory is what is resident
above the same process before, in which torch is imported already: the most while loading, what is
left when the towers are ready and were held against their golden vectors, and after a window of
each was embedded. Pages of the stored file count, though the system takes them back when it needs
room.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import drawn
import numpy as np
import torch
from arguments import some_of
from memory import forget_peak, peak_bytes, resident_bytes

from bindstream.models.cost import weight_bytes
from bindstream.models.directory import ModelSpec, read_spec
from bindstream.models.precision import Arithmetic
from bindstream.models.sizes import HUGE
from bindstream.records import ModalityName

MB = 1e6


@dataclass(frozen=True)
class Loaded:
    """`computes` is what the towers came to; bytes are above what was resident before."""

    computes: str
    seconds: float
    most: int
    ready: int
    used: int


def main(given: Sequence[str] | None = None) -> None:
    arguments = parsed(given)
    with tempfile.TemporaryDirectory() as folder:
        directory = arguments.model or draw(Path(folder), arguments.towers, arguments.small)
        spec = read_spec(directory)
        print(f"{', '.join(arguments.towers)} of {spec.name}, stored as {spec.dtype}")
        print(f"{'asked for':10s}{'weights MB':>11s}{'most':>8s}{'ready':>8s}{'used':>8s}{'s':>8s}")
        for precision in ("auto", *get_args(Arithmetic)):
            found = apart(directory, arguments.towers, precision)
            weights = "" if precision == "auto" else f"{weights_mb(spec, arguments, precision):.0f}"
            megabytes = "".join(f"{b / MB:8.0f}" for b in (found.most, found.ready, found.used))
            print(
                f"{precision:10s}{weights:>11s}{megabytes}{found.seconds:8.1f}  {found.computes}",
                flush=True,
            )


def weights_mb(spec: ModelSpec, arguments: argparse.Namespace, precision: Arithmetic) -> float:
    return sum(weight_bytes(spec.towers[m], precision) for m in arguments.towers) / MB


def draw(folder: Path, towers: Sequence[ModalityName], narrowed: bool) -> Path:
    """A model directory with towers whose weights follow the rule of drawn.py."""
    from bindstream.models.saving import ModelWriter

    sizes = drawn.sizes(narrowed=narrowed)
    stated = {m: sizes[m] for m in towers}
    dim = next(iter(stated.values())).dim
    spec = ModelSpec(name="drawn", licence="none", dim=dim, dtype="float16", towers=stated)
    with ModelWriter(folder, spec) as writer:
        for modality in towers:
            writer.add_tower(modality, drawn.tower(sizes[modality]).state_dict().items())
        writer.finish()
    return folder


def apart(directory: Path, towers: Sequence[ModalityName], precision: str) -> Loaded:
    """`load` in a process that does nothing else."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(load, directory, towers, precision).result()


def load(directory: Path, towers: Sequence[ModalityName], precision: str) -> Loaded:
    """Load the towers in this process, and embed a window of each."""
    from bindstream.modalities import MODALITIES
    from bindstream.models import load_model

    torch.zeros(1)
    forget_peak()
    before, begun = resident_bytes(), time.monotonic()
    model = load_model(directory, modalities=towers, device="cpu", precision=precision)
    ready, seconds = resident_bytes() - before, time.monotonic() - begun
    most = peak_bytes() - before
    for modality in towers:
        if modality == "text":
            model.encode_text(["a dog"])
        else:
            model.encode(modality, np.zeros((1, *MODALITIES[modality].model_input), np.float32))
    return Loaded("; ".join(model.reasons), seconds, most, ready, resident_bytes() - before)


def parsed(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, metavar="DIR", help="a model directory")
    parser.add_argument(
        "--towers", type=some_of(tuple(HUGE)), default=("audio", "imu"), metavar="A,B"
    )
    parser.add_argument("--small", action="store_true", help="draw narrowed towers")
    arguments = parser.parse_args(given)
    if arguments.model is None and "text" in arguments.towers:
        parser.error("--towers: text needs its tokenizer: give a --model directory")
    return arguments


if __name__ == "__main__":
    main()
