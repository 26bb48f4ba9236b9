from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from bindstream.errors import DataError
from bindstream.features import features_for
from bindstream.features.audio import filterbank
from bindstream.features.depth import DepthGeometry
from bindstream.modalities import MODALITIES, SENSORS
from bindstream.records import ModalityName, Window

S = 10**9
RNG = np.random.default_rng(0)


def window(modality: ModalityName) -> Window:
    """A window as the windower cuts it."""
    times_ns = None
    match modality:
        case "audio":
            data = RNG.normal(0, 0.1, 32000).astype(np.float32)
        case "vision":
            data = RNG.integers(0, 256, (2, 48, 64, 3), np.uint8)
        case "thermal":
            data = RNG.uniform(10, 40, (1, 48, 64)).astype(np.float32)
        case "depth":
            data = RNG.uniform(1, 4, (1, 48, 64)).astype(np.float32)
        case "imu":
            times_ns = np.arange(-1, 502, dtype=np.int64) * S // 100
            data = RNG.normal(0, 1, (503, 6)).astype(np.float32)
            data[:, 2] += 9.81
    length_s = MODALITIES[modality].window_s
    return Window(
        stream="s",
        modality=modality,
        seq=7,
        start_ns=0,
        end_ns=round(length_s * S),
        data=data,
        coverage=1.0,
        times_ns=times_ns,
        readings={"battery_v": 3.7},
        stages={"received": 5},
    )


@pytest.mark.parametrize("modality", SENSORS)
def test_data_become_the_model_input_that_the_table_states(modality):
    raw = window(modality)
    made = features_for(modality, "s").push(raw)
    assert made.void == ""
    assert made.data.shape == MODALITIES[modality].model_input
    assert made.data.dtype == np.float32
    assert made.times_ns is None
    assert replace(made, data=raw.data, times_ns=raw.times_ns, readings=raw.readings) == raw


@pytest.mark.parametrize("modality", SENSORS)
def test_the_same_windows_give_the_same_inputs(modality):
    raw = window(modality)
    one, two = features_for(modality, "s"), features_for(modality, "s")
    for _ in range(3):
        np.testing.assert_array_equal(one.push(raw).data, two.push(raw).data)


@pytest.mark.parametrize("modality", SENSORS)
def test_a_void_window_passes_untouched(modality):
    raw = replace(window(modality), void="half of it is missing")
    assert features_for(modality, "s").push(raw) is raw


@pytest.mark.parametrize("modality", SENSORS)
@pytest.mark.parametrize(
    "data",
    [np.zeros(0, np.float32), np.full((1, 9, 9), np.nan, np.float32), np.array(["no"])],
    ids=["empty", "nan", "words"],
)
def test_bad_data_make_the_window_void_with_the_reason(modality, data):
    made = features_for(modality, "s").push(replace(window(modality), data=data))
    assert made.void
    assert made.data is data


def test_a_window_after_a_bad_one_is_as_good_as_ever():
    features = features_for("thermal", "s")
    raw = window("thermal")
    good = features.push(raw)
    assert features.push(replace(raw, data=raw.data + 30000)).void
    np.testing.assert_array_equal(features.push(raw).data, good.data)


def test_thermal_windows_carry_the_temperatures_the_vector_would_lose():
    raw = window("thermal")
    raw.data[0, 5, 6] = 77
    found = features_for("thermal", "s").push(raw).readings
    assert found["max_c"] == 77
    assert found["min_c"] == raw.data.min()
    assert found["mean_c"] == pytest.approx(raw.data.mean(), rel=1e-5)
    assert found["battery_v"] == 3.7


def test_options_reach_the_picture():
    thermal = features_for("thermal", "s", span_c=(-50, 1000)).push(window("thermal"))
    assert thermal.data.max() < 0.1
    near = DepthGeometry(baseline_m=1, focal_px=1000)
    assert features_for("depth", "s", geometry=near).push(window("depth")).data.min() > 0.99


def test_imu_without_times_is_void():
    made = features_for("imu", "s").push(replace(window("imu"), times_ns=None))
    assert "capture times" in made.void


def test_a_window_of_another_stream_is_a_wiring_fault():
    with pytest.raises(DataError, match="other"):
        features_for("audio", "s").push(replace(window("audio"), stream="other"))


def test_gaps_filled_with_zeros_are_silence_not_an_error():
    raw = window("audio")
    raw.data[8000:9000] = 0
    np.testing.assert_array_equal(features_for("audio", "s").push(raw).data, filterbank(raw.data))


def test_importing_features_imports_no_torch_and_no_device_library():
    code = "import sys, bindstream.features.whole; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"torch", "cv2", "av", "sounddevice", "soxr", "serial", "ray"}
