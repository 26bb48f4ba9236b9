"""The gate: an earlier vector stands for what hardly changed, and for nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bindstream.calibration import WARM_UP
from bindstream.gate import GATE_LEVELS, REFRESH_S, Gate, bare
from bindstream.modalities import SENSORS
from bindstream.records import ModalityName, Window

S = 1_000_000_000
LEVELS = {"celsius": 1.0}


def heat(seq: int, warmer_c: float = 0.0, **more: Any) -> Window:
    """The thermal window of second `seq`, a wall of 20 °C and some."""
    frame = np.full((1, 24, 32), 20 + warmer_c, np.float32)
    return Window("wall", "thermal", seq, seq * S, (seq + 2) * S, frame, 1.0, **more)


def pushed(gate: Gate, window: Window) -> int | None:
    """As the sensor's side does it: what cannot be reused is embedded, and referred to."""
    look = gate.look(window)
    same_as = gate.same_as(look)
    if same_as is None:
        gate.refer(look)
    return same_as


def learned(levels: Any = LEVELS, refresh_s: float = REFRESH_S) -> Gate:
    """A gate that has seen its first windows; the reference is window `WARM_UP` - 1."""
    gate = Gate("thermal", levels, refresh_s)
    assert [pushed(gate, heat(seq)) for seq in range(WARM_UP)] == [None] * WARM_UP
    return gate


def test_the_first_windows_are_all_embedded_though_nothing_changes() -> None:
    gate = learned()
    assert pushed(gate, heat(WARM_UP)) == WARM_UP - 1
    assert pushed(gate, heat(WARM_UP + 1)) == WARM_UP - 1


def test_what_changed_is_embedded_and_is_what_later_windows_are_compared_with() -> None:
    gate = learned()
    assert pushed(gate, heat(20, 5.0)) is None
    assert pushed(gate, heat(21, 5.5)) == 20
    assert gate.change["celsius"] == pytest.approx(0.5, abs=1e-5)
    assert pushed(gate, heat(22)) is None


def test_a_slow_drift_does_not_creep_by() -> None:
    gate = learned()
    said = [pushed(gate, heat(WARM_UP + i, 0.1 * i)) for i in range(40)]
    # Each step is a tenth of the level; a vector must not stand for what is more than it away.
    embedded = [i for i, same_as in enumerate(said) if same_as is None]
    assert embedded == [11, 22, 33]


def test_a_vector_does_not_grow_older_than_it_may() -> None:
    gate = learned(refresh_s=30)
    said = [pushed(gate, heat(WARM_UP + i)) for i in range(70)]
    assert [i for i, same_as in enumerate(said) if same_as is None] == [29, 59]


def test_a_clock_that_went_back_reuses_nothing() -> None:
    gate = learned()
    back = replace(heat(WARM_UP), start_ns=S, end_ns=3 * S)
    assert pushed(gate, back) is None


def test_a_window_that_saw_less_than_the_reference_is_embedded_itself() -> None:
    gate = learned()
    assert pushed(gate, replace(heat(20), coverage=0.8)) is None
    assert pushed(gate, replace(heat(21), coverage=0.9)) == 20
    assert pushed(gate, replace(heat(22), coverage=0.7)) is None


def test_a_reference_without_a_vector_is_forgotten() -> None:
    gate = learned()
    gate.forget(WARM_UP - 1)
    assert pushed(gate, heat(20)) is None
    assert pushed(gate, heat(21)) == 20
    gate.forget(3)  # none of its business any more
    assert pushed(gate, heat(22)) == 20


def test_an_older_window_that_is_embedded_late_does_not_become_the_reference() -> None:
    gate = learned()
    late = gate.look(heat(20))
    assert pushed(gate, heat(21, 5.0)) is None
    gate.refer(late)
    assert pushed(gate, heat(22, 5.0)) == 21


def test_all_levels_of_a_modality_must_hold() -> None:
    rest = np.tile(np.array([0, 0, 9.8, 0, 0, 0], np.float32), (500, 1))
    times_ns = np.arange(500) * 10_000_000

    def motion(seq: int, turning: float) -> Window:
        data = rest + np.array([0, 0, 0, turning, 0, 0], np.float32)
        return Window("w", "imu", seq, seq * S, (seq + 5) * S, data, 1.0, times_ns=times_ns)

    gate = Gate("imu", GATE_LEVELS["imu"], REFRESH_S)
    for seq in range(WARM_UP):
        pushed(gate, motion(seq, 0))
    assert pushed(gate, motion(20, 0.1)) == WARM_UP - 1
    assert pushed(gate, motion(21, 1.0)) is None


@pytest.mark.parametrize("modality", SENSORS)
def test_every_sensor_has_levels_that_its_measure_knows(modality: ModalityName) -> None:
    data = {
        "vision": np.zeros((2, 48, 64, 3), np.uint8),
        "audio": np.zeros(32000, np.float32),
        "thermal": np.full((1, 48, 64), 20, np.float32),
        "depth": np.full((1, 48, 64), 2, np.float32),
        "imu": np.ones((500, 6), np.float32),
    }[modality]
    times_ns = np.arange(500) * 10_000_000 if modality == "imu" else None
    gate = Gate(modality, GATE_LEVELS[modality], REFRESH_S)
    for seq in range(WARM_UP + 1):
        same_as = pushed(
            gate, Window("s", modality, seq, seq * S, (seq + 2) * S, data, 1.0, times_ns=times_ns)
        )
    assert same_as == WARM_UP - 1
    assert set(gate.change) == set(GATE_LEVELS[modality])


def test_a_bare_window_keeps_everything_but_its_data() -> None:
    window = heat(7, readings={"max_c": 20.0}, same_as=3, times_ns=np.arange(3))
    light = bare(window)
    assert light.data.nbytes == 0
    assert light.times_ns is None
    for name in set(Window.__dataclass_fields__) - {"data", "times_ns"}:
        assert getattr(light, name) == getattr(window, name), name
