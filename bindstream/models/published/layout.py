"""How a published checkpoint lays out towers: its names and shapes for ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from bindstream.models.loading import Shape, tower_shapes
from bindstream.models.sizes import TowerConfig
from bindstream.records import ModalityName


def _as_it_is(value: Tensor) -> Tensor:
    return value


@dataclass(frozen=True)
class Entry:
    """A tensor of a published checkpoint. `ours` turns it into what our tower holds."""

    name: str
    shape: Shape
    ours: Callable[[Tensor], Tensor] = _as_it_is


@dataclass(frozen=True)
class Layout:
    """One family of published checkpoints.

    `weights` gives a tower's entries by our name of each, `constants` name and shape of entries
    that have to be there and are no weights, `log_scales` the names of those that hold the
    logarithm of a tower's scale. `optional` entries may be there. `oddity` says of names and shapes
    what other model they are of ("" if it cannot tell). `limits` are sentences for `ModelSpec`.
    """

    title: str
    name: str
    licence: str
    wanted: str  # which file has to be given, as one imperative sentence
    marks: tuple[str, ...]  # with one of which its names begin
    modalities: tuple[ModalityName, ...]
    weights: Callable[[TowerConfig], dict[str, Entry]]
    constants: Callable[[TowerConfig], dict[str, Shape]]
    log_scales: Mapping[ModalityName, str]
    limits: Mapping[ModalityName, tuple[str, ...]]
    optional: frozenset[str] = field(default_factory=frozenset)
    oddity: Callable[[Mapping[str, Shape]], str] = lambda shapes: ""


def published_names(config: TowerConfig, parts: Mapping[str, str]) -> dict[str, str]:
    """The published name of each weight of our tower.

    Args:
        parts: how names begin here, and how they begin there. Exactly one begins each of ours.
    """
    names: dict[str, str] = {}
    for ours in tower_shapes(config):
        (part,) = (part for part in parts if ours.startswith(part))
        names[ours] = parts[part] + ours[len(part) :]
    return names
