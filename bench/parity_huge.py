"""Vectors of all six towers at imagebind_huge's size, from weights that anyone can draw.

Fills each tower by the rule in drawn.py, one tower in memory at a time (under 4 GB), embeds two
inputs a modality, and multiplies the published fixed scales onto the vectors. Another
implementation of the architecture that follows the rule has to land on the same figures:
in float32 to about 1e-5 of their range.

    python bench/parity_huge.py --out huge.npz           # one to three minutes, 3 GB
    python bench/parity_huge.py --small --out small.npz  # width 64, 2 blocks, dimension 32: seconds
    python bench/parity_huge.py --towers imu,depth
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import drawn
import numpy as np
import torch
from arguments import some_of
from memory import peak_bytes
from numpy.typing import NDArray

from bindstream.models.cost import parameters
from bindstream.models.sizes import TowerConfig
from bindstream.records import ModalityName

# What the published code multiplies onto its unit vectors; text's is learned, from 1/0.07 on.
SCALES: dict[ModalityName, float] = {
    "vision": 1,
    "audio": 20,
    "depth": 5,
    "thermal": 10,
    "imu": 5,
    "text": 1 / 0.07,
}
ORDER: tuple[ModalityName, ...] = tuple(SCALES)
BATCH = 2


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the vectors here (NPZ)")
    parser.add_argument("--towers", type=some_of(ORDER), default=ORDER, metavar="A,B")
    parser.add_argument("--small", action="store_true", help="the narrowed architecture")
    parser.add_argument("--threads", type=int, help="of torch; its own choice if left out")
    arguments = parser.parse_args(given)
    wanted = [name for name in ORDER if name in arguments.towers]
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    begun, sizes = time.monotonic(), drawn.sizes(narrowed=arguments.small)
    vectors = {modality: embed(modality, sizes[modality]) for modality in wanted}
    print(f"all in {time.monotonic() - begun:.1f} s, at most {peak_bytes() / 1e9:.2f} GB resident")
    if arguments.out:
        np.savez(arguments.out, **vectors)
        print(f"written to {arguments.out}")


@torch.inference_mode()
def embed(modality: ModalityName, config: TowerConfig) -> NDArray[np.float32]:
    """Scaled vectors (2, dim) float32 of one tower, which is gone afterwards."""
    millions = parameters(config) / 1e6
    print(f"{modality:8s}{millions:8.1f} M parameters …", end="", flush=True)
    begun = time.monotonic()
    tower = drawn.tower(config)
    filled = time.monotonic()
    print(f" drawn in {filled - begun:5.1f} s …", end="", flush=True)
    vectors: NDArray[np.float32] = tower(drawn.inputs(modality, BATCH)).numpy()
    took_s = time.monotonic() - filled
    print(f" {BATCH} vectors in {took_s:5.2f} s, so far {peak_bytes() / 1e9:.2f} GB at most")
    return vectors * np.float32(SCALES[modality])


if __name__ == "__main__":
    main()
