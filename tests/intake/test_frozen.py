"""Frozen sensors: the same readings again and again are noticed in any modality, noise is not."""

from __future__ import annotations

import numpy as np
import pytest

from bindstream.intake.frozen import FROZEN_AFTER, FrozenCheck
from bindstream.modalities import SENSORS
from bindstream.records import ModalityName, Window


def window(modality: ModalityName, seq: int, seed: int) -> Window:
    """A second of readings; those of one seed are the same."""
    rng = np.random.default_rng(seed)
    data = {
        "vision": rng.integers(0, 255, (2, 24, 32, 3), dtype=np.uint8),
        "audio": rng.normal(0, 0.01, 16000).astype(np.float32),
        "thermal": rng.normal(20, 0.05, (1, 24, 32)).astype(np.float32),
        "depth": rng.normal(3, 0.01, (1, 24, 32)).astype(np.float32),
        # A stuck sensor repeats one reading; how many of them fall into a window varies.
        "imu": np.repeat(rng.normal(0, 1, (1, 6)), 100 + seq % 2, 0).astype(np.float32),
    }[modality]
    return Window("s", modality, seq, seq, seq + 1, data, 1.0)


@pytest.mark.parametrize("modality", SENSORS)
def test_a_sensor_that_repeats_itself_is_called_frozen_until_it_moves(
    modality: ModalityName,
) -> None:
    check = FrozenCheck()
    for seq in range(FROZEN_AFTER):
        assert check.warning == ""
        check.push(window(modality, seq, 7))
    assert f"last {FROZEN_AFTER} windows" in check.warning
    check.push(window(modality, 99, 7))
    assert f"last {FROZEN_AFTER + 1} windows" in check.warning
    check.push(window(modality, 100, 8))
    assert check.warning == ""


@pytest.mark.parametrize("modality", SENSORS)
def test_a_still_scene_with_a_sensors_noise_is_not_frozen(modality: ModalityName) -> None:
    check = FrozenCheck()
    for seq in range(2 * FROZEN_AFTER):
        check.push(window(modality, seq, seq))
    assert check.warning == ""
