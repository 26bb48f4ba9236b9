"""How the towers are trained: words first, then every sensor against the words' frozen vectors.

Symmetric InfoNCE with label-aware targets at a fixed temperature, as in ImageBind (arXiv
2305.05665), except that text is the anchor: here there are captions of everything and pictures of
little. Because the words' vectors are cached, every window meets all concepts in each step.
"""

from __future__ import annotations

import copy
import math
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from bindstream.models.imagebind import Tower
from bindstream.models.tokenizer import Tokenizer
from bindstream.training.bank import Bank, Labels
from bindstream.training.phrases import concepts, related, worded
from bindstream.training.stem import whiten_stem

NextBatch = Callable[[int, np.random.Generator], tuple[NDArray[np.float32], list[Labels]]]
Log = Callable[[str], None]

BETAS = (0.9, 0.95)  # of ImageBind's table 9
AVERAGED = 0.998  # decay of the running mean of the weights, which is what is kept

RIDGE = 0.0005  # of the closed-form head, as a share of the phrases' variance per dimension
TIMES = 2  # how often a batch is used, each time with other patches and other words


@dataclass(frozen=True)
class Recipe:
    """How long and how hard a tower is trained.

    `minutes` of wall clock, or `steps` where that is given (the same result each time); the
    learning rate warms up over the first 3 % and then follows a cosine to 0. `keep` is the share
    of patches computed in training; the last tenth sees them all.
    """

    minutes: float
    batch: int = 64
    rate: float = 1e-3
    decay: float = 0.1
    keep: float = 0.5
    temperature: float = 0.07
    clip: float = 1.0
    steps: int = 0


def contrastive_loss(
    vectors: Tensor, words: Tensor, wanted: Tensor, ignored: Tensor, temperature: float
) -> Tensor:
    """Symmetric InfoNCE: windows choose among all concepts, concepts among the batch's windows.

    Args:
        vectors: (n, dim) units of windows. words: (c, dim) units of concepts.
        wanted: (n,) the concept each window answers to.
        ignored: (n, c) bool, concepts that are neither wanted nor wrong for a window.
    """
    logits = vectors @ words.T / temperature
    logits = logits.masked_fill(ignored, -1e4)
    to_words = F.cross_entropy(logits, wanted)
    named = torch.unique(wanted)
    columns = F.log_softmax(logits[:, named], dim=0)
    hits = (wanted[:, None] == named).float()
    to_windows = -((columns * hits).sum(0) / hits.sum(0)).mean()
    total: Tensor = to_words + 0.5 * to_windows
    return total


def train_text(tower: Tower, tokenizer: Tokenizer, recipe: Recipe, seed: int, log: Log) -> None:
    """Trains `tower` until phrasings of one concept lie together and concepts lie apart."""
    rng = np.random.default_rng(seed)
    names = tuple(concepts())
    near = torch.zeros(len(names), len(names), dtype=torch.bool)
    for i, name in enumerate(names):
        near[i, [names.index(other) for other in related(name)]] = True
    near.fill_diagonal_(False)
    far = ~(near | torch.eye(len(names), dtype=torch.bool))

    def loss(progress: float) -> Tensor:
        two = [tower(torch.from_numpy(tokenizer.encode([worded(n, rng) for n in names])))
               for _ in range(2)]  # fmt: skip
        logits = (two[0] @ two[1].T / recipe.temperature).masked_fill(near, -1e4)
        own = torch.arange(len(names))
        # Cross-entropy is content once a concept is its own best match; alerts need unrelated ones
        # at a cosine near 0, and what may be true at once half way.
        cosines = two[0] @ two[1].T
        spread = (cosines[far] ** 2).mean() + 0.2 * ((cosines[near] - 0.5) ** 2).mean()
        total: Tensor = F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own) + 20 * spread
        return total

    _descend(tower, loss, recipe, Path(), False, log)


def spread_concepts(tower: Tower, tokenizer: Tokenizer, seed: int, ways: int = 40) -> None:
    """Sets the text tower's head in closed form, so that concepts lie as far apart as they should.

    Least squares from phrases to targets at a cosine of 0 where concepts are unrelated and of 0.5
    where both may be true at once. Gradient descent gets there too, in many times as long.
    """
    bank = Bank(tower, tokenizer, ways, seed)
    near = bank.related.float()
    wanted = 0.5 * near + 0.5 * torch.eye(len(near))
    values, axes = torch.linalg.eigh(wanted)
    targets = F.normalize(axes * values.clamp(min=1e-3).sqrt(), dim=1)
    x = bank.vectors.flatten(0, 1)
    y = F.pad(targets, (0, x.shape[1] - targets.shape[1])).repeat_interleave(ways, 0)
    ridge = RIDGE * len(x) / x.shape[1]
    gram = x.T @ x + ridge * torch.eye(x.shape[1])
    turn = torch.linalg.solve(gram, x.T @ y).T
    with torch.no_grad():
        tower.head.weight.copy_(turn @ tower.head.weight)


def train_tower(
    tower: Tower,
    next_batch: NextBatch,
    bank: Bank,
    recipe: Recipe,
    *,
    checkpoint: Path,
    resume: bool,
    seed: int,
    log: Log,
) -> None:
    """Trains a sensor's tower against the bank; leaves it with the averaged weights.

    Every minute the state goes to `checkpoint`. With `resume` an interrupted run goes on where it
    was, and a finished one starts a new round from its weights.
    """
    if not (resume and checkpoint.is_file()):
        whiten_stem(tower, next_batch(128, np.random.default_rng(seed))[0])
    batches = _Ahead(next_batch, recipe.batch, seed + int(time.time()) * resume)
    rng = np.random.default_rng(seed)
    patches = tower.config.patches
    keep = max(8, round(recipe.keep * patches))

    def loss(progress: float) -> Tensor:
        x, labels = batches.get()
        kept = None
        if progress < 0.9 and keep < patches:
            kept = torch.rand(len(x), patches).argsort(1)[:, :keep]
        wanted, ignored = bank.targets(labels, rng)
        vectors = tower(torch.from_numpy(x), kept)
        return contrastive_loss(vectors, bank.draw(rng), wanted, ignored, recipe.temperature)

    try:
        _descend(tower, loss, recipe, checkpoint, resume, log)
    finally:
        batches.close()


def _descend(
    tower: Tower,
    loss: Callable[[float], Tensor],
    recipe: Recipe,
    checkpoint: Path,
    resume: bool,
    log: Log,
) -> None:
    matrices = [p for p in tower.parameters() if p.ndim >= 2]
    others = [p for p in tower.parameters() if p.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": recipe.decay},
        {"params": others, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=recipe.rate, betas=BETAS)
    averaged = copy.deepcopy(tower).requires_grad_(False)
    state: dict[str, Any] = {"step": 0, "spent_s": 0.0}
    sensor = checkpoint != Path()
    if resume and sensor and checkpoint.is_file():
        state = torch.load(checkpoint, weights_only=True)
        averaged.load_state_dict(state["averaged"])
        if state["finished"]:
            tower.load_state_dict(state["averaged"])
            state = {"step": 0, "spent_s": 0.0}
        else:
            tower.load_state_dict(state["tower"])
            optimiser.load_state_dict(state["optimiser"])
    began, saved, shown, mean = time.monotonic() - state["spent_s"], time.monotonic(), 0.0, 0.0
    step = state["step"]
    tower.train()
    while True:
        spent_s = time.monotonic() - began
        progress = step / recipe.steps if recipe.steps else spent_s / (60 * recipe.minutes)
        if progress >= 1:
            break
        rate = recipe.rate * min(progress / 0.03, 0.5 + 0.5 * math.cos(math.pi * progress))
        for group in optimiser.param_groups:
            group["lr"] = rate
        value = loss(progress)
        optimiser.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(tower.parameters(), recipe.clip)
        optimiser.step()
        step += 1
        decay = min(AVERAGED, step / (step + 9))
        with torch.no_grad():
            torch._foreach_lerp_(list(averaged.parameters()), list(tower.parameters()), 1 - decay)
        mean = value.item() if step == 1 else 0.98 * mean + 0.02 * value.item()
        if spent_s - shown > 20:
            shown = spent_s
            log(f"{spent_s / 60:5.1f} min  step {step}  loss {mean:.3f}")
        if sensor and time.monotonic() - saved > 60:
            saved = time.monotonic()
            _store(checkpoint, tower, averaged, optimiser, step, spent_s, finished=False)
    tower.load_state_dict(averaged.state_dict())
    tower.eval()
    log(f"done after {step} steps, loss {mean:.3f}")
    if sensor:
        _store(checkpoint, tower, averaged, optimiser, step, spent_s, finished=True)


def _store(
    path: Path,
    tower: Tower,
    averaged: nn.Module,
    optimiser: torch.optim.Optimizer,
    step: int,
    spent_s: float,
    *,
    finished: bool,
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(
        {
            "tower": tower.state_dict(),
            "averaged": averaged.state_dict(),
            "optimiser": optimiser.state_dict(),
            "step": step,
            "spent_s": spent_s,
            "finished": finished,
        },
        partial,
    )
    partial.replace(path)


class _Ahead:
    """Makes batches in a thread of its own while the tower is busy with the one before."""

    def __init__(self, next_batch: NextBatch, size: int, seed: int) -> None:
        self._queue: queue.Queue[Any] = queue.Queue(maxsize=2)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(next_batch, size, seed))
        self._thread.start()

    def get(self) -> tuple[NDArray[np.float32], list[Labels]]:
        found = self._queue.get()
        if isinstance(found, BaseException):
            raise found
        batch: tuple[NDArray[np.float32], list[Labels]] = found
        return batch

    def close(self) -> None:
        self._closed.set()
        while self._thread.is_alive():
            try:
                self._queue.get(timeout=0.05)
            except queue.Empty:
                continue

    def _run(self, next_batch: NextBatch, size: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        try:
            while not self._closed.is_set():
                found = next_batch(size, rng)
                for _ in range(TIMES):
                    self._queue.put(found)
        except Exception as error:  # handed to the trainer, which would wait for ever otherwise
            self._queue.put(error)
