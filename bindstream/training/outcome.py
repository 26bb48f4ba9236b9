"""What a training came to: figures of each tower, and the model that was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bindstream.models.sizes import TowerConfig
from bindstream.records import ModalityName
from bindstream.training.recipe import Recipe

Figures = Mapping[str, float]


@dataclass(frozen=True)
class TowerOutcome:
    """One tower. `before` and `after` are figures on held-out windows (see `measuring.FIGURES`;
    empty if nothing is held out), `chance` what guessing gives. `void` windows could not be used.
    `said` is the first phrase of each class. `minutes` of wall clock were spent in `steps`."""

    modality: ModalityName
    size: TowerConfig
    start: Literal["base", "fresh"]
    recipe: Recipe
    windows: int
    sources: int
    held_out_windows: int
    held_out_sources: int
    void: int
    steps: int
    minutes: float
    loss: float
    before: Figures
    after: Figures
    chance: Figures
    said: tuple[str, ...]
    curve: Path

    def record(self) -> dict[str, Any]:
        """All of it, as JSON holds it."""
        return {
            "modality": self.modality,
            "size": self.size.model_dump(mode="json"),
            "start": self.start,
            "recipe": self.recipe.model_dump(mode="json"),
            "trained_on": {"windows": self.windows, "sources": self.sources},
            "held_out": {"windows": self.held_out_windows, "sources": self.held_out_sources},
            "void_windows": self.void,
            "steps": self.steps,
            "minutes": self.minutes,
            "loss": self.loss,
            "before": dict(self.before),
            "after": dict(self.after),
            "chance": dict(self.chance),
            "curve": str(self.curve),
        }


@dataclass(frozen=True)
class Outcome:
    """A training's end. `computed` and `reused` count recordings and texts whose vectors, as
    anchors, were computed or were there from an earlier run."""

    directory: Path
    name: str
    fingerprint: str
    base: str
    base_fingerprint: str
    licence: str
    towers: tuple[TowerOutcome, ...]
    notes: tuple[str, ...]
    computed: int
    reused: int

    def record(self) -> dict[str, Any]:
        """All of it, as JSON holds it."""
        return {
            "directory": str(self.directory),
            "model": {"name": self.name, "fingerprint": self.fingerprint},
            "base": {"name": self.base, "fingerprint": self.base_fingerprint},
            "licence": self.licence,
            "towers": [tower.record() for tower in self.towers],
            "anchors": {"computed": self.computed, "reused": self.reused},
            "notes": list(self.notes),
        }
