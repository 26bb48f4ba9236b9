"""Rendered windows to train on: every kind, nothing in particular, and the same each time."""

from __future__ import annotations

import numpy as np
import pytest

from bindstream.modalities import MODALITIES
from bindstream.records import ModalityName
from bindstream.scene.catalogue import kinds_of
from bindstream.training.starter import scenes
from bindstream.training.starter.phrases import BACKGROUND_OF


@pytest.mark.parametrize("modality", ["thermal", "depth"])
def test_rendered_sights_hold_every_kind_and_four_times_as_much_of_none(
    modality: ModalityName,
) -> None:
    found = scenes.sights(modality, 1, "a test")
    shown = [name for sight in found for name in sight.labels]
    assert {*shown} == {*kinds_of(modality), BACKGROUND_OF[modality]}
    assert shown.count(BACKGROUND_OF[modality]) == 4
    assert all(sight.is_scene and sight.frames.dtype == np.uint8 for sight in found)


def test_rendered_motions_are_windows_of_five_seconds() -> None:
    found = scenes.motions(1, "a test")
    assert {name for _, labels in found for name in labels} == {
        *kinds_of("imu"), BACKGROUND_OF["imu"],
    }  # fmt: skip
    assert all(window.shape == MODALITIES["imu"].model_input for window, _ in found)


def test_rendered_sounds_say_where_the_event_is() -> None:
    found = {next(iter(p.labels)): p for p in scenes.sounds(1, "a test")}
    assert found[BACKGROUND_OF["audio"]].active.all()
    siren = found["siren"]
    assert 0.2 < siren.active.mean() < 0.9
    mel = siren.mel.astype(np.float32)
    assert mel[siren.active].max() > mel[~siren.active].max()


def test_seeds_of_another_part_give_other_scenes_and_the_same_part_the_same() -> None:
    first, same, other = (scenes.motions(1, part)[0][0] for part in ("a", "a", "b"))
    assert np.array_equal(first, same)
    assert not np.allclose(first, other)
