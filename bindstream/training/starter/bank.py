"""What sensors' towers are trained against: every concept's words, as frozen vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from bindstream.models.imagebind import Tower
from bindstream.models.tokenizer import Tokenizer
from bindstream.training.starter.phrases import broader, concepts, related, worded
from bindstream.training.trainer import Targets

Labels = frozenset[str]

BROADER_SHARE = 0.15  # how often a window is to answer to what it also is ("an animal")


class Bank:
    """Every concept said in several ways, as frozen unit vectors."""

    def __init__(self, tower: Tower, tokenizer: Tokenizer, ways: int, seed: int) -> None:
        self.names = tuple(concepts())
        self.index = {name: i for i, name in enumerate(self.names)}
        rng = np.random.default_rng(seed)
        texts = [
            text
            for name in self.names
            for text in [*_first(name, ways // 2), *(worded(name, rng) for _ in range(ways // 2))]
        ]
        with torch.inference_mode():
            vectors = torch.cat(
                [tower(torch.from_numpy(ids)) for ids in _split(tokenizer.encode(texts), 256)]
            )
        self.vectors = vectors.clone().view(len(self.names), ways, -1)
        self.related = torch.zeros(len(self.names), len(self.names), dtype=torch.bool)
        for name in self.names:
            self.related[self.index[name], [self.index[n] for n in related(name)]] = True
        self.broader = [[self.index[n] for n in broader(name)] for name in self.names]

    def targets(self, labels: Sequence[Labels], rng: np.random.Generator) -> Targets:
        """One way of saying each concept; for each window the one to answer to, at random one of
        those it shows, and which others not to count."""
        rows, ignored = [], torch.zeros(len(labels), len(self.names), dtype=torch.bool)
        for row, shown in enumerate(labels):
            found = [self.index[name] for name in sorted(shown)]
            pick = found[int(rng.integers(len(found)))]
            wide = self.broader[pick]
            for one in found:
                if one not in wide:  # its other kinds are wrong answers for a window of this kind
                    ignored[row] |= self.related[one]
            if wide and rng.random() < BROADER_SHARE:
                pick = wide[int(rng.integers(len(wide)))]
            ignored[row, pick] = False
            rows.append(pick)
        ways = torch.from_numpy(rng.integers(self.vectors.shape[1], size=len(self.names)))
        said = self.vectors[torch.arange(len(self.names)), ways]
        return Targets(said, torch.tensor(rows), ignored)


def _first(name: str, count: int) -> list[str]:
    phrases = concepts()[name].phrases
    return [phrases[i % len(phrases)] for i in range(count)]


def _split(ids: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    return [ids[i : i + size] for i in range(0, len(ids), size)]
