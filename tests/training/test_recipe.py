"""Recipes: one length, and the published figures."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from bindstream.training.recipe import PUBLISHED, Recipe


@pytest.mark.parametrize("given", [{}, {"epochs": 1, "steps": 5}, {"minutes": 1, "epochs": 2}])
def test_a_recipe_has_exactly_one_length(given: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match="give one of epochs, steps and minutes"):
        Recipe.model_validate(given)


def test_progress_counts_epochs_steps_or_minutes() -> None:
    assert Recipe(epochs=2, batch=10).progress(5, 0.0, pairs=100) == 0.25
    assert Recipe(steps=8).progress(2, 99.0, pairs=100) == 0.25
    assert Recipe(minutes=2).progress(99, 30.0, pairs=100) == 0.25


def test_published_recipes_are_those_of_the_paper() -> None:
    """arXiv 2305.05665, table 9."""
    assert {m: (r.rate, r.decay, r.batch, r.epochs) for m, r in PUBLISHED.items()} == {
        "audio": (1.6e-3, 0.2, 2048, 64),
        "depth": (1.6e-3, 0.2, 512, 64),
        "thermal": (5e-4, 0.05, 512, 64),
        "imu": (5e-4, 0.5, 512, 8),
    }
    assert {m: r.temperature for m, r in PUBLISHED.items()} == {
        "audio": 0.05, "depth": 0.2, "thermal": 0.1, "imu": 0.2,
    }  # fmt: skip
    assert {m: r.clip for m, r in PUBLISHED.items()} == {
        "audio": 1.0, "depth": 1.0, "thermal": 5.0, "imu": 1.0,
    }  # fmt: skip
    assert (PUBLISHED["audio"].drop_path, PUBLISHED["imu"].drop_path) == (0.1, 0.7)
    assert PUBLISHED["imu"].head_dropout == 0.5
