"""What a stream gave, as backgrounds are learned from it: each computed vector once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bindstream.budget.heard import Piece
from bindstream.history.reader import EVER_NS, Block, History
from bindstream.history.rows import Times, widened


def computed(
    history: History, model: str, stream: str, since_ns: int = -EVER_NS, until_ns: int = EVER_NS
) -> Iterator[Piece]:
    """Starts and ends (n,) int64 UTC ns and vectors (n, dim) float32 of a stream's windows that
    were computed, oldest first. Windows that were reused prolong the one that stood for them.
    Blocks for the disk.
    """
    held: Piece | None = None
    last = -1  # number of the window whose vector `held` is
    for block in history.read(model, stream, since_ns, until_ns):
        firsts = _firsts(block, last)
        ends = _ends(block, firsts)
        if held is not None:
            before = int(firsts[0]) if len(firsts) else len(block.seq)
            if before:  # the block goes on with the vector held back
                held = held[0], block.ends_ns[before - 1 : before], held[2]
            if len(firsts):
                yield held
        if len(firsts):
            vectors = widened(np.ascontiguousarray(block.vectors[firsts]))
            starts = block.starts_ns[firsts]
            if len(firsts) > 1:
                yield starts[:-1], ends[:-1], vectors[:-1]
            held = starts[-1:], ends[-1:], vectors[-1:]
        last = int(block.computed[-1])
    if held is not None:
        yield held


def _firsts(block: Block, last: int) -> NDArray[np.intp]:
    """Rows that bring a vector which the row before them did not have."""
    before = np.concatenate(([last], block.computed[:-1]))
    return np.flatnonzero(block.computed != before)


def _ends(block: Block, firsts: NDArray[np.intp]) -> Times:
    """Where the last window ends that each vector stands for."""
    lasts = np.append(firsts[1:], len(block.seq)) - 1
    ends: Times = block.ends_ns[lasts]
    return ends
