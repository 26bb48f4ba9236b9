"""Measuring towers: rounds in which all that is compared takes turns, memory, and tables."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import drawn
import torch
import torch.nn.functional as F
from memory import forget_peak, peak_bytes, resident_bytes
from reference import published_tower
from torch import Tensor, nn

from bindstream.models.cost import operations, parameters, weight_bytes
from bindstream.models.loading import dtype_of
from bindstream.models.precision import Arithmetic
from bindstream.models.product import linear
from bindstream.models.sizes import TowerConfig
from bindstream.models.towers import give_back_memory

SIDE = {"cpu": 2048, "cuda": 8192}  # of the square matrices that show what the machine can
TEXT_TOKENS = (8, 77)
MB, GIGA = 1e6, 1e9
Name = TypeVar("Name")


@dataclass(frozen=True)
class Case:
    """An input of a tower: `batch` views of `tokens` tokens each."""

    tokens: int
    batch: int


@dataclass(frozen=True)
class Row:
    """A tower in one case and precision. Operations are counted for one view.

    `share` is that of `peak_gflop_per_s` which the tower reached. `cosine` is the least one to the
    vectors in float32. The last three hold it against the published code in the same precision:
    how many times faster it is, and the largest difference of the unit vectors' values.
    """

    tower: str
    tokens: int
    batch: int
    precision: Arithmetic
    median_ms: float
    gflop_per_s: float
    peak_gflop_per_s: float
    share: float
    weights_mb: float
    memory_mb: float
    cosine: float
    published_gflop: float
    here_gflop: float
    published_ms: float | None = None
    speedup: float | None = None
    difference: float | None = None


@dataclass
class Loaded:
    """A tower in one precision, with its vectors and its memory the first time it ran."""

    tower: nn.Module
    published: Callable[[Tensor], Tensor] | None = None
    vectors: dict[Case, Tensor] = field(default_factory=dict)
    memory_mb: dict[Case, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Bench:
    """What is measured, and how. `precisions` begin with float32, to which the others are held;
    `code` is the published code's module, or None."""

    device: torch.device
    precisions: tuple[Arithmetic, ...]
    batches: tuple[int, ...]
    rounds: int
    code: Any = None

    @torch.inference_mode()
    def measure(self, config: TowerConfig, build: Callable[[Arithmetic], nn.Module]) -> list[Row]:
        """The rows of one tower, whose weights `build` makes. Prints them as they are found."""
        print(f"\n{config.modality}", end="", flush=True)
        tokens = TEXT_TOKENS if config.modality == "text" else (config.tokens,)
        cases = [Case(count, batch) for count in tokens for batch in sorted(self.batches)]
        loaded: dict[Arithmetic, Loaded] = {}
        for precision in self.precisions:
            print(f" · weights in {precision} …", end="", flush=True)
            loaded[precision] = self._load(config, build, precision, cases)
        print(f"\n{parameters(config) / 1e6:.1f} M parameters")
        for count in tokens:
            print(stated(config, count))
        print(f"{HEADING}{AGAINST_PUBLISHED if self.code is not None else ''}")
        return [row for case in cases for row in self._compare(config, case, loaded)]

    def _load(
        self,
        config: TowerConfig,
        build: Callable[[Arithmetic], nn.Module],
        precision: Arithmetic,
        cases: list[Case],
    ) -> Loaded:
        give_back_memory()
        before = self._begin_memory()
        loaded = Loaded(build(precision))
        for case in cases:
            x = self._input(config, case, precision)
            loaded.vectors[case] = loaded.tower(x).float().cpu()
            loaded.memory_mb[case] = (self._peak_memory() - before) / MB
        if self.code is not None and precision != "int8":
            loaded.published = published_tower(self.code, loaded.tower)
        return loaded

    def _compare(
        self, config: TowerConfig, case: Case, loaded: Mapping[Arithmetic, Loaded]
    ) -> list[Row]:
        turns: dict[tuple[Arithmetic, str], Callable[[], object]] = {}
        for precision, each in loaded.items():
            x = self._input(config, case, precision)
            turns[precision, "here"] = lambda tower=each.tower, x=x: tower(x)
            if each.published is not None:
                turns[precision, "published"] = lambda run=each.published, x=x: run(x)
            for name, product in self._products(precision).items():
                turns[precision, name] = product
        taken_s = self._take_turns(turns)
        rows = []
        for precision, each in loaded.items():
            of_it = {name: s for (which, name), s in taken_s.items() if which == precision}
            exact = loaded["float32"].vectors[case]
            rows.append(self._row(config, case, precision, each, exact, of_it))
            print(line(rows[-1]), flush=True)
        return rows

    def _row(
        self,
        config: TowerConfig,
        case: Case,
        precision: Arithmetic,
        found: Loaded,
        exact: Tensor,
        taken_s: dict[str, float],
    ) -> Row:
        here_s, published_s = taken_s.pop("here"), taken_s.pop("published", None)
        peak = 2 * SIDE[self.device.type] ** 3 / GIGA / min(taken_s.values())
        cost = operations(config, case.tokens)
        rate = cost.here_gflop * case.batch / here_s
        vectors, difference = found.vectors[case], None
        if found.published is not None:
            published = found.published(self._input(config, case, precision)).float().cpu()
            difference = float((F.normalize(published, dim=-1) - vectors).abs().max())
        return Row(
            tower=config.modality,
            tokens=case.tokens,
            batch=case.batch,
            precision=precision,
            median_ms=1e3 * here_s,
            gflop_per_s=rate,
            peak_gflop_per_s=peak,
            share=rate / peak,
            weights_mb=weight_bytes(config, precision) / MB,
            memory_mb=found.memory_mb[case],
            cosine=float((vectors * exact).sum(-1).min()),
            published_gflop=cost.published_gflop,
            here_gflop=cost.here_gflop,
            published_ms=None if published_s is None else 1e3 * published_s,
            speedup=None if published_s is None else published_s / here_s,
            difference=difference,
        )

    def _take_turns(self, turns: Mapping[Name, Callable[[], object]]) -> dict[Name, float]:
        """Median seconds of each, after one round that does not count."""
        taken_s: dict[Name, list[float]] = {name: [] for name in turns}
        for _ in range(self.rounds + 1):
            for name, turn in turns.items():
                begun = time.perf_counter()
                turn()
                self._wait()
                taken_s[name].append(time.perf_counter() - begun)
        return {name: statistics.median(seconds[1:]) for name, seconds in taken_s.items()}

    def _products(self, precision: Arithmetic) -> dict[str, Callable[[], object]]:
        """Products of large square matrices, by each library that there is."""
        side = SIDE[self.device.type]
        if precision == "int8":
            levels = torch.randint(-127, 128, (side, side), dtype=torch.int8, device=self.device)
            return {"_int_mm": lambda: torch._int_mm(levels, levels.T)}
        square = torch.randn(side, side, dtype=dtype_of(precision), device=self.device)
        return {"mm": lambda: torch.mm(square, square), "linear": lambda: linear(square, square)}

    def _input(self, config: TowerConfig, case: Case, precision: Arithmetic) -> Tensor:
        if config.modality != "text":
            x = drawn.inputs(config.modality, case.batch)
            return x.to(self.device, dtype_of(precision))
        texts = [drawn.text(case.tokens, seed, config.end_id) for seed in range(case.batch)]
        return torch.cat(texts).to(self.device)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def _begin_memory(self) -> int:
        """Forget the peak; what is in memory now, in bytes: on a GPU its own, else resident."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
            return torch.cuda.memory_allocated()
        forget_peak()
        return resident_bytes()

    def _peak_memory(self) -> int:
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated()
        return peak_bytes()


def stated(config: TowerConfig, tokens: int) -> str:
    """The operations for one view, as published and as computed here."""
    cost = operations(config, tokens)
    published, here = cost.published_gflop, cost.here_gflop
    return (
        f"{tokens} tokens: {published:.2f} GFLOP a view as published, {here:.2f} here, "
        f"{published / here:.2f} times fewer"
    )


HEADING = (
    f"{'tokens':>6s}{'batch':>6s} {'precision':9s}{'ms':>9s}{'GFLOP/s':>9s}{'of peak':>9s}"
    f"{'weights':>9s}{'in all MB':>10s}{'cosine':>9s}"
)
AGAINST_PUBLISHED = f"{'published ms':>14s}{'faster':>8s}{'difference':>12s}"


def line(row: Row) -> str:
    """A row of the table under the headings."""
    found = (
        f"{row.tokens:6d}{row.batch:6d} {row.precision:9s}{row.median_ms:9.1f}"
        f"{row.gflop_per_s:9.0f}{row.share:9.0%}"
        f"{row.weights_mb:9.0f}{row.memory_mb:10.0f}{row.cosine:9.5f}"
    )
    if row.published_ms is None or row.speedup is None or row.difference is None:
        return found
    return f"{found}{row.published_ms:14.1f}{row.speedup:7.2f}x{row.difference:12.1e}"
