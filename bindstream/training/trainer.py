"""Trains one tower against frozen anchors: steps, running mean, checkpoints, evaluation, curve."""

from __future__ import annotations

import copy
import math
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bindstream.errors import DataError
from bindstream.models.imagebind import Tower
from bindstream.models.precision import HARDWARE, cpu_flags
from bindstream.training.dropping import dropping
from bindstream.training.loss import contrastive_loss
from bindstream.training.recipe import BETAS, Recipe
from bindstream.training.stem import begin

KEEP_EVERY_S = 60.0
SHOW_EVERY_S = 5.0
_STATED = {"tower", "averaged", "optimiser", "config", "step", "spent_s", "loss", "finished"}
"""What a checkpoint holds."""


@dataclass(frozen=True)
class Targets:
    """What a batch of n windows is to answer to: see `contrastive_loss` for the shapes."""

    anchors: Tensor
    wanted: Tensor
    ignored: Tensor


class Anchors(Protocol):
    """Frozen vectors to train against; `labels` are whatever the windows' maker says of each."""

    def targets(self, labels: Sequence[Any], rng: np.random.Generator) -> Targets: ...


NextBatch = Callable[[int, np.random.Generator], tuple[NDArray[np.float32], Sequence[Any]]]
Evaluate = Callable[[Tower], Mapping[str, float]]


@dataclass(frozen=True)
class Moment:
    """Where a training stands. `loss` is a running mean; `figures` those of an evaluation."""

    progress: float
    step: int
    spent_s: float
    loss: float
    rate: float
    figures: Mapping[str, float] = field(default_factory=dict)


Watch = Callable[[Moment], None]


def train_tower(
    tower: Tower,
    next_batch: NextBatch,
    anchors: Anchors,
    recipe: Recipe,
    *,
    pairs: int,
    checkpoint: Path,
    resume: bool,
    seed: int,
    watch: Watch,
    evaluate: Evaluate | None = None,
    evaluations: int = 10,
    fresh: bool = True,
    finish: Callable[[], None] = lambda: None,
) -> None:
    """Trains `tower` and leaves it with the running mean of its weights, in evaluation mode.

    Every minute, and on KeyboardInterrupt, the state goes to `checkpoint`; with `resume` an
    interrupted training goes on from it, and one that has finished is only read.

    Args:
        pairs: how many there are, so that epochs can be counted.
        evaluate: called `evaluations` times, evenly spread, with the averaged tower.
        fresh: start the stem and the attention from the data's statistics; False keeps weights.
        finish: called once at the end, with the averaged weights in `tower`.

    Raises:
        DataError: the loss is no number any more, or the checkpoint is of another tower or cannot
            be written.
    """
    state = stored(checkpoint, tower) if resume and checkpoint.is_file() else None
    if state is None and fresh:
        torch.manual_seed(seed)
        begin(tower, next_batch(128, np.random.default_rng(seed))[0])
    step_so_far = state["step"] if state else 0
    descent = Descent(tower, recipe, checkpoint, state)
    rng = np.random.default_rng((seed, step_so_far))
    patches = tower.config.patches
    kept = max(min(8, patches), round(recipe.keep * patches))
    narrow = recipe.bfloat16
    if narrow is None:
        narrow = bool(cpu_flags() & {*HARDWARE["bfloat16"]})

    def loss(progress: float) -> Tensor:
        x, labels = batches.get()
        places = None
        if progress < 0.9 and kept < patches:
            places = torch.rand(len(x), patches).argsort(1)[:, :kept]
        targets = anchors.targets(labels, rng)
        with torch.autocast("cpu", torch.bfloat16) if narrow else nullcontext():
            vectors = tower(torch.from_numpy(x), places)
        return contrastive_loss(
            vectors,
            targets.anchors,
            targets.wanted,
            targets.ignored,
            recipe.temperature,
            recipe.back,
        )

    batches = _Ahead(next_batch, recipe.batch, recipe.reuse, (seed, step_so_far))
    try:
        with dropping(tower, recipe.drop_path, recipe.head_dropout):
            descent.run(loss, pairs, watch, evaluate, evaluations, finish)
    except KeyboardInterrupt:
        descent.store()
        raise
    finally:
        batches.close()


class Descent:
    """Gradient descent with a running mean of the weights, which is what is kept."""

    def __init__(
        self, tower: Tower, recipe: Recipe, checkpoint: Path | None, state: dict[str, Any] | None
    ) -> None:
        self._tower, self._recipe, self._checkpoint = tower, recipe, checkpoint
        matrices = [p for p in tower.parameters() if p.ndim >= 2]
        others = [p for p in tower.parameters() if p.ndim < 2]
        groups = [
            {"params": matrices, "weight_decay": recipe.decay},
            {"params": others, "weight_decay": 0.0},
        ]
        self._optimiser = torch.optim.AdamW(groups, lr=recipe.rate, betas=BETAS)
        self._averaged = copy.deepcopy(tower).requires_grad_(False)
        self._step, self._spent_s, self._mean = 0, 0.0, math.nan
        self._finished = False
        if state:
            self._averaged.load_state_dict(state["averaged"])
            tower.load_state_dict(state["tower"])
            self._optimiser.load_state_dict(state["optimiser"])
            self._step, self._spent_s = state["step"], state["spent_s"]
            self._mean, self._finished = state["loss"], state["finished"]

    def run(
        self,
        loss: Callable[[float], Tensor],
        pairs: int,
        watch: Watch,
        evaluate: Evaluate | None = None,
        evaluations: int = 10,
        finish: Callable[[], None] = lambda: None,
    ) -> None:
        """Descends until the recipe's length is reached, then has `finish` do the rest. Blocks."""
        began = time.monotonic() - self._spent_s
        stored_s, shown_s = self._spent_s, -math.inf
        self._tower.train()
        while not self._finished:
            self._spent_s = time.monotonic() - began
            progress = self._recipe.progress(self._step, self._spent_s, pairs)
            if progress >= 1:
                break
            rate = self._one_step(loss, progress)
            after = self._recipe.progress(self._step, time.monotonic() - began, pairs)
            due = int(after * evaluations) > int(progress * evaluations) and evaluate is not None
            if due and evaluate is not None:
                watch(self._moment(after, rate, evaluate(self._averaged.eval())))
            elif self._spent_s - shown_s > SHOW_EVERY_S:
                shown_s = self._spent_s
                watch(self._moment(progress, rate, {}))
            if self._spent_s - stored_s > KEEP_EVERY_S:
                stored_s = self._spent_s
                self.store()
        self._tower.load_state_dict(self._averaged.state_dict())
        self._tower.eval()
        if not self._finished:
            finish()
            self._averaged.load_state_dict(self._tower.state_dict())
            self._finished = True
            self.store()

    def _one_step(self, loss: Callable[[float], Tensor], progress: float) -> float:
        recipe = self._recipe
        warmed = min(progress / recipe.warm_up, 1.0) if recipe.warm_up else 1.0
        cosine = 0.5 + 0.5 * math.cos(
            math.pi * max(progress - recipe.warm_up, 0.0) / (1 - recipe.warm_up)
        )
        # The first step of a training that counts by time would otherwise be taken at a rate of 0.
        rate = recipe.rate * max(min(warmed, cosine), 1e-3)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        value = loss(progress)
        number = value.item()
        if not math.isfinite(number):
            raise DataError(
                f"The loss is {number} after {self._step} steps.",
                fix="Lower the recipe's rate, or set bfloat16: false. The last checkpoint is kept.",
            )
        self._optimiser.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._tower.parameters(), recipe.clip)
        self._optimiser.step()
        self._step += 1
        # In a short training the first steps must not weigh most of a running mean.
        young = self._step / (self._step + 9)
        decay = min(recipe.averaged, young)
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self._averaged.parameters()), list(self._tower.parameters()), 1 - decay
            )
        kept = min(0.98, young)
        self._mean = number if math.isnan(self._mean) else kept * self._mean + (1 - kept) * number
        return rate

    def _moment(self, progress: float, rate: float, figures: Mapping[str, float]) -> Moment:
        return Moment(min(progress, 1.0), self._step, self._spent_s, self._mean, rate, figures)

    def store(self) -> None:
        """Write the checkpoint, whole or not at all; nothing where there is to be none.

        Raises:
            DataError: the disk does not take it.
        """
        if self._checkpoint is None:
            return
        state = {
            "tower": self._tower.state_dict(),
            "averaged": self._averaged.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "config": self._tower.config.model_dump(),
            "step": self._step,
            "spent_s": self._spent_s,
            "loss": self._mean,
            "finished": self._finished,
        }
        partial = self._checkpoint.with_suffix(".partial")
        try:
            self._checkpoint.parent.mkdir(parents=True, exist_ok=True)
            torch.save(state, partial)
            partial.replace(self._checkpoint)
        except (OSError, RuntimeError) as error:  # of a full disk torch says the latter
            raise DataError(
                f"The checkpoint cannot be written ({error}).",
                where=str(self._checkpoint),
                fix="Free space. An earlier one is kept.",
            ) from error


def stored(checkpoint: Path, tower: Tower) -> dict[str, Any]:
    """The state of an earlier run.

    Raises:
        DataError: it cannot be read, or is of a tower of another size.
    """
    way_out = "Train without --resume, or into another folder."
    try:
        state: dict[str, Any] = torch.load(checkpoint, weights_only=True)
        if lacking := sorted(_STATED - set(state)):
            raise ValueError(f"it lacks {', '.join(lacking)}")
    except Exception as error:
        raise DataError(
            f"The checkpoint cannot be read: {error}.", where=str(checkpoint), fix=way_out
        ) from error
    if state["config"] != tower.config.model_dump():
        raise DataError("The checkpoint is of another tower.", where=str(checkpoint), fix=way_out)
    return state


class _Ahead:
    """Makes batches in a thread of its own while the tower is busy with the one before."""

    def __init__(self, next_batch: NextBatch, size: int, reuse: int, seed: tuple[int, int]) -> None:
        self._queue: queue.Queue[Any] = queue.Queue(maxsize=2)
        self._closed = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(next_batch, size, reuse, np.random.default_rng(seed))
        )
        self._thread.start()

    def get(self) -> tuple[NDArray[np.float32], Sequence[Any]]:
        found = self._queue.get()
        if isinstance(found, BaseException):
            raise found
        batch: tuple[NDArray[np.float32], Sequence[Any]] = found
        return batch

    def close(self) -> None:
        self._closed.set()
        while self._thread.is_alive():
            try:
                self._queue.get(timeout=0.05)
            except queue.Empty:
                continue

    def _run(self, next_batch: NextBatch, size: int, reuse: int, rng: np.random.Generator) -> None:
        try:
            while not self._closed.is_set():
                found = next_batch(size, rng)
                for _ in range(reuse):
                    self._queue.put(found)
        except Exception as error:  # handed to the trainer, which would wait for ever otherwise
            self._queue.put(error)
