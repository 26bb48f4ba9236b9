"""Examples: windows of the right form for every kind, and telling enough to learn from."""

from __future__ import annotations

import numpy as np
import pytest

from bindstream.errors import ConfigError
from bindstream.modalities import SENSORS
from bindstream.records import ModalityName
from bindstream.scene.catalogue import CATALOGUE, kinds_of
from bindstream.scene.examples import example, window
from bindstream.scene.script import Event, Script
from bindstream.scene.world import Renderer

SHAPES: dict[ModalityName, tuple[tuple[int, ...], type]] = {
    "audio": ((32000,), np.float32),
    "vision": ((2, 240, 320, 3), np.uint8),
    "thermal": ((1, 120, 160), np.float32),
    "depth": ((1, 120, 160), np.float32),
}
CASES = [(m, k) for m in SENSORS for k in (None, *kinds_of(m))]


@pytest.mark.parametrize(("modality", "kind"), CASES)
def test_an_example_has_the_form_of_its_sensor_s_windows(
    modality: ModalityName, kind: str | None
) -> None:
    made = example(modality, kind, np.random.default_rng(5))
    again = example(modality, kind, np.random.default_rng(5))
    if modality == "imu":
        (times_ns, readings), (_, same) = made, again
        assert times_ns.dtype == np.int64
        assert readings.shape == (len(times_ns), 6)
        assert 4.9 < (times_ns[-1] - times_ns[0]) / 1e9 < 5
        assert 90 < len(times_ns) / 5 < 110
        np.testing.assert_array_equal(readings, same)
    else:
        shape, dtype = SHAPES[modality]
        assert (made.shape, made.dtype) == (shape, dtype)
        np.testing.assert_array_equal(made, again)


def test_a_kind_that_a_sensor_cannot_perceive_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'siren' does not show in imu.*walking"):
        example("imu", "siren", np.random.default_rng(0))


def test_a_fall_s_window_holds_the_fall_itself() -> None:
    for seed in range(20):
        _, readings = example("imu", "falling", np.random.default_rng(seed))
        weight = np.linalg.norm(readings[:, :3], axis=1)
        assert weight.min() < 5, seed
        assert weight.max() > 22, seed


def test_a_sound_is_heard_in_its_window() -> None:
    rng = np.random.default_rng(3)
    for kind in kinds_of("audio"):
        peaks = [np.abs(example("audio", kind, rng)).max() for _ in range(4)]
        assert np.median(peaks) > 0.08, kind


def test_an_example_comes_from_the_same_house_as_a_scene() -> None:
    script = Script(seed=9, length_s=40, events=(Event(kind="siren", start_s=20, end_s=27),))
    renderer = Renderer(script)
    cut = window(renderer, "audio", 21.0, np.random.default_rng(0))
    chunks = [Renderer(script).sound(21 + k / 10, 1600) for k in range(20)]
    np.testing.assert_array_equal(cut, np.concatenate(chunks))


def _ear(sound: np.ndarray) -> np.ndarray:
    """A coarse description of a sound: level and variation in twenty-four bands."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, 512)[::320] * np.hanning(512)
    power = np.abs(np.fft.rfft(frames)) ** 2
    edges = np.unique(np.geomspace(2, 256, 25).astype(int))
    bands = np.log(np.add.reduceat(power, edges, axis=1) + 1e-7)
    bands -= np.median(bands)
    return np.concatenate([bands.mean(0), bands.std(0), np.abs(np.diff(bands, axis=0)).mean(0)])


def test_sounds_of_unseen_houses_are_recognised_from_those_of_others() -> None:
    kinds = (None, "smoke_alarm", "siren", "glass_breaking", "dog", "fire", "running_water")
    seen, heard = (
        np.array(
            [
                [_ear(example("audio", k, np.random.default_rng([part, c, i]))) for i in range(n)]
                for c, k in enumerate(kinds)
            ]
        )
        for part, n in ((0, 12), (1, 4))
    )
    spread = seen.reshape(-1, seen.shape[-1]).std(0)
    known = (seen / spread).reshape(-1, seen.shape[-1])
    right = 0
    for c, sounds in enumerate(heard / spread):
        for sound in sounds:
            nearest = np.argsort(np.abs(known - sound).sum(1))[:5] // seen.shape[1]
            right += np.bincount(nearest).argmax() == c
    assert right / heard[..., 0].size > 0.7


def test_every_kind_is_in_the_catalogue_of_some_sensor() -> None:
    assert {k for m in SENSORS for k in kinds_of(m)} == set(CATALOGUE)
