"""How fast each tower is, how near to what the machine can, and what it takes of memory.

For each tower, batch and precision: milliseconds (the median of several rounds, in which all that
is compared takes turns), the operations a second that were really computed, and their share of the
fastest large matrix product that the machine gave at that precision in the same rounds. Memory is
the most that was resident while the tower was built and run, above what was before; on a GPU, the
most that was allocated on it. Weights are drawn (drawn.py), so that nothing has to be downloaded.

    python bench/towers.py                                    # all six at imagebind_huge's size
    python bench/towers.py --towers audio,imu --batches 1,4,8 --json figures.json
    python bench/towers.py --precision bfloat16,int8 --threads 1
    python bench/towers.py --reference ~/ImageBind            # beside the published code
    python bench/towers.py --model ~/models/imagebind_huge    # a model directory's own weights
    python bench/towers.py --small --rounds 3                 # narrowed towers: half a minute

--reference takes a checkout of facebookresearch/ImageBind and runs its towers with the very same
weights, inputs and threads, in turns with ours; it also prints how far the vectors are apart.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, get_args

import drawn
import torch
from arguments import some_of
from measuring import Bench
from reference import published_code
from torch import nn

from bindstream.models.directory import read_spec
from bindstream.models.loading import load_tower
from bindstream.models.precision import Arithmetic, choose, cpu_flags
from bindstream.models.sizes import HUGE, TowerConfig

BATCHES = {"cpu": (1, 4), "cuda": (1, 8, 32)}
Build = Callable[[Arithmetic], nn.Module]


def main(given: Sequence[str] | None = None) -> None:
    arguments = parsed(given)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    about = machine(device)
    print("\n".join(f"{name}: {value}" for name, value in about.items()), flush=True)
    if note := slow_bfloat16(device):
        print(f"note: {note}")
    precisions = arguments.precision or reduced_precisions(device)
    bench = Bench(
        device=device,
        precisions=tuple(dict.fromkeys(("float32", *precisions))),
        batches=arguments.batches or BATCHES.get(device.type, BATCHES["cpu"]),
        rounds=arguments.rounds,
        code=published_code(arguments.reference) if arguments.reference else None,
    )
    rows = []
    for config, build in towers(arguments, device):
        rows += bench.measure(config, build)
    if arguments.json:
        figures = {"machine": about, "rows": [asdict(row) for row in rows]}
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        print(f"\nwritten to {arguments.json}")


def towers(arguments: argparse.Namespace, device: torch.device) -> list[tuple[TowerConfig, Build]]:
    """Each tower's size, and what makes it in a precision."""
    if arguments.model is None:
        sizes = drawn.sizes(narrowed=arguments.small)
        return [(sizes[m], partial(drawn.tower, sizes[m], device)) for m in arguments.towers]
    spec, found = read_spec(arguments.model), []
    for modality in arguments.towers:
        if modality in spec.towers:
            path = arguments.model / f"{modality}.safetensors"
            build = partial(load_tower, spec, modality, path, device=device)
            found.append((spec.towers[modality], build))
    return found


def reduced_precisions(device: torch.device) -> tuple[Arithmetic, ...]:
    """Those worth measuring beside float32: what the device computes in."""
    if device.type == "cuda":
        return ("float16", "bfloat16")
    if device.type != "cpu":
        return ()
    return ("int8",) if slow_bfloat16(device) else ("bfloat16", "int8")


def slow_bfloat16(device: torch.device) -> str:
    """Why bfloat16 is no gain on this device ("" if it may be one)."""
    return choose("bfloat16", device.type, cpu_flags()).warning


def machine(device: torch.device) -> dict[str, Any]:
    """What the figures depend on."""
    stated = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = {line.partition(":")[2].strip() for line in stated if line.startswith("model name")}
    found = {
        "processor": ", ".join(sorted(names)) or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "load of the last minute": round(os.getloadavg()[0], 2),
    }
    if device.type == "cuda":
        found["device"] = torch.cuda.get_device_name(device)
    return found


def parsed(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    modalities, precisions = tuple(HUGE), get_args(Arithmetic)
    parser.add_argument("--towers", type=some_of(modalities), default=modalities, metavar="A,B")
    parser.add_argument("--batches", type=counts, metavar="N,N", help="1,4; on CUDA 1,8,32")
    parser.add_argument(
        "--precision", type=some_of(precisions), metavar="A,B", help="beside float32"
    )
    parser.add_argument("--small", action="store_true", help="towers of width 64 and 2 blocks")
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument("--model", type=Path, metavar="DIR", help="measure this model directory")
    weights.add_argument("--reference", type=Path, metavar="PATH", help="ImageBind's checkout")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, help="of torch; its own choice if left out")
    parser.add_argument("--rounds", type=int, default=7, help="of which the median is taken")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    return parser.parse_args(given)


def counts(given: str) -> tuple[int, ...]:
    found = tuple(int(count) for count in given.split(","))
    if min(found) < 1:
        raise argparse.ArgumentTypeError("a batch has one view at least")
    return found


if __name__ == "__main__":
    main()
