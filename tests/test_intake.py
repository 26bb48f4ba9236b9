"""The sensor side of a stream: each window counted once, in order, without torch."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bindstream.clock import Clock
from bindstream.config import StreamConfig
from bindstream.errors import DataError
from bindstream.intake import Intake
from bindstream.modalities import MODALITIES, SENSORS
from bindstream.records import Window
from tests.devices.mjpeg_server import MjpegServer

S = 1_000_000_000
CLOCK = Clock.read()
START_NS = 1_700_000_000 * S
LENGTH_S = {"imu": 8.0}
"""Long enough for a few windows of each modality; imu's are 5 s, the others 2 s."""


def scene(modality: str, **options: Any) -> StreamConfig:
    source = {"kind": "scene", "speed": "max", "events": [], "rate_hz": None, **options}
    source.setdefault("length_s", LENGTH_S.get(modality, 5.0))
    if modality in ("vision", "thermal", "depth"):
        source["rate_hz"] = source["rate_hz"] or 4
    return StreamConfig.model_validate(
        {"name": f"{modality}0", "modality": modality, "source": source}
    )


def folder(path: Path, **options: Any) -> StreamConfig:
    source = {"kind": "camera", "folder": str(path), "fps": 4, "speed": "max", **options}
    return StreamConfig.model_validate({"name": "door", "source": source})


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures")
    for i in range(24):  # 6 s at 4 a second
        picture = np.random.default_rng(i).integers(0, 255, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(picture).save(path / f"{i}.png")
    return path


def played(intake: Intake, *, at_most: int = 1000, outcome: Any = "embedded") -> list[Window]:
    """Every window until the recording is over, each settled as soon as it comes out."""
    out: list[Window] = []
    until_s = time.monotonic() + 20
    intake.start()
    while not intake.ended and len(out) < at_most:
        assert time.monotonic() < until_s, intake.health()
        windows = intake.poll(0.05)
        assert len(windows) <= 4
        for window in windows:
            intake.ledger.settle(window.seq, outcome)
        out += windows
    intake.stop()
    return out


@pytest.mark.parametrize("modality", SENSORS)
def test_a_recording_becomes_model_inputs_on_the_grid_each_counted_once(modality: str) -> None:
    intake = Intake(scene(modality), CLOCK, START_NS)
    windows = played(intake)
    table = MODALITIES[modality]  # type: ignore[index]
    # The last one ends with the last reading: sound is there to the end, frames and rows are not.
    assert len(windows) == (4 if modality == "audio" else 3)
    assert [(w.start_ns - START_NS) / S for w in windows] == list(range(len(windows)))
    assert {w.end_ns - w.start_ns for w in windows} == {table.window_s * S}
    assert [w.seq for w in windows] == list(range(len(windows)))
    for window in windows:
        assert window.data.shape == table.model_input
        assert window.data.dtype == np.float32
        assert window.coverage >= table.min_coverage
        assert window.stages["received"] <= window.stages["closed"] <= window.stages["features"]
    health = intake.health()
    assert health.accounts.captured == health.accounts.embedded == len(windows)
    assert health.accounts.pending == 0
    assert health.reader.state == "ended"
    assert intake.recorded


def test_playing_it_again_gives_the_same_windows() -> None:
    one, two = (played(Intake(scene("audio", seed=5), CLOCK, START_NS)) for _ in range(2))
    assert len(one) == len(two) > 0
    for a, b in zip(one, two, strict=True):
        assert (a.seq, a.start_ns, a.end_ns, a.coverage) == (
            b.seq,
            b.start_ns,
            b.end_ns,
            b.coverage,
        )
        np.testing.assert_array_equal(a.data, b.data)


def test_windows_with_too_little_in_them_are_counted_as_void_and_do_not_come_out() -> None:
    intake = Intake(scene("audio", length_s=10, gap_every_s=5, gap_s=1.5), CLOCK, START_NS)
    windows = played(intake)
    health = intake.health()
    assert 0 < len(windows) == health.accounts.embedded
    assert health.accounts.dropped["void"] == health.accounts.captured - len(windows) > 0
    assert health.accounts.pending == 0
    assert "observed" in health.void
    seqs = [w.seq for w in windows]
    assert seqs != list(range(len(seqs)))  # void windows keep their numbers


def test_duplicates_are_refused_and_counted() -> None:
    intake = Intake(scene("imu", duplicates=1.0), CLOCK, START_NS)
    windows = played(intake)
    assert windows
    assert intake.health().refused["duplicate"] >= 700


def test_a_restarted_stream_goes_on_behind_what_it_captured(pictures: Path, tmp_path: Path) -> None:
    recording = folder(pictures, fps=2)  # more windows than one poll hands out
    ledger = tmp_path / "door.ledger"
    first = Intake(recording, CLOCK, START_NS, ledger)
    before = played(first, at_most=1)
    captured = first.ledger.read().captured
    second = Intake(recording, CLOCK, START_NS, ledger)
    lost = second.ledger.recover({})
    after = played(second)
    assert after[0].seq == captured
    assert after[0].end_ns == START_NS + (captured + 2) * S
    said = second.health().accounts
    whole = played(Intake(recording, CLOCK, START_NS))
    assert said.captured == len(whole) == len(before) + lost + len(after)
    assert said.pending == 0


def test_a_recording_that_is_not_there_ends_with_the_reason_and_no_window(tmp_path: Path) -> None:
    intake = Intake(folder(tmp_path / "nowhere"), CLOCK, START_NS)
    assert played(intake) == []
    health = intake.health()
    assert health.reader.state == "failed"
    assert "stream 'door'" in health.reader.detail
    assert str(tmp_path / "nowhere") in health.reader.detail
    assert health.accounts.captured == 0


def test_a_recording_shorter_than_a_window_ends_without_one(pictures: Path) -> None:
    intake = Intake(folder(pictures, fps=100), CLOCK, START_NS)
    assert played(intake) == []
    assert intake.health().reader.state == "ended"


def test_pictures_that_cannot_be_read_are_noted(pictures: Path, tmp_path: Path) -> None:
    for i, path in enumerate(sorted(pictures.iterdir())):
        content = path.read_bytes()
        (tmp_path / path.name).write_bytes(content[:60] if i == 7 else content)
    intake = Intake(folder(tmp_path), CLOCK, START_NS)
    assert played(intake)
    assert intake.health().notes == {"undecodable": 1}


def test_a_live_streams_windows_close_by_the_clock_and_silence_is_added_up() -> None:
    with MjpegServer(fps=20) as camera:
        config = StreamConfig.model_validate(
            {
                "name": "door",
                "source": {"kind": "camera", "url": camera.url, "lateness_s": 0.05},
                "window_s": 0.4,
                "hop_s": 0.2,
            }
        )
        intake = Intake(config, CLOCK, CLOCK.now_ns())
        intake.start()
        until_s = time.monotonic() + 20
        windows: list[Window] = []
        while len(windows) < 3:
            assert time.monotonic() < until_s, intake.health()
            windows += intake.poll(0.05)
        camera.frozen.set()
        captured = 0
        while intake.health().accounts.unheard_s == 0:  # no frame comes: the clock closes them
            assert time.monotonic() < until_s, intake.health()
            intake.poll(0.05)
            captured = intake.ledger.read().captured
        intake.stop()
    assert not intake.recorded
    assert captured >= 3
    assert intake.ledger.read().pending == captured - intake.ledger.read().dropped["void"]
    lags_s = [(w.stages["closed"] - w.end_ns) / S for w in windows]
    assert min(lags_s) >= 0.05 - 0.01


WHAT_A_SENSOR_PROCESS_HOLDS = """
import json, sys
import psutil
import nodes.stream  # what Ray imports to make a stream actor
from bindstream.clock import Clock
from bindstream.config import StreamConfig
from bindstream.intake import Intake

clock = Clock.read()
for config in json.loads(sys.argv[1]):
    intake = Intake(StreamConfig.model_validate(config), clock, 1_700_000_000 * 10**9)
    intake.start()
    windows = []
    while not windows:
        assert not intake.ended, intake.health()
        windows = intake.poll(0.05)
    intake.stop()
heavy = {"torch", "transformers", "tokenizers", "safetensors", "matplotlib", "scipy"}
print(json.dumps({
    "imported": sorted(heavy & set(sys.modules)),
    "libraries": [m.path for m in psutil.Process().memory_maps() if "libtorch" in m.path],
    "resident_mib": psutil.Process().memory_info().rss / 2**20,
}))
"""


def test_a_sensors_process_never_imports_torch_and_stays_under_200_mib(pictures: Path) -> None:
    configs = [folder(pictures), scene("audio"), scene("depth")]
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            WHAT_A_SENSOR_PROCESS_HOLDS,
            json.dumps([c.model_dump(mode="json") for c in configs]),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    found = json.loads(said.stdout.splitlines()[-1])
    assert found["imported"] == []
    assert found["libraries"] == []
    assert found["resident_mib"] < 200


def test_a_window_whose_features_fail_is_not_pending_for_ever() -> None:
    """As where a library breaks: anything but bad data, which makes a window void."""
    intake = Intake(scene("audio"), CLOCK, START_NS)
    sound = Window(
        stream="another",
        modality="audio",
        seq=0,
        start_ns=0,
        end_ns=2 * S,
        data=np.zeros(32000, np.float32),
        coverage=1.0,
    )
    with pytest.raises(DataError, match="another"):
        intake._ready(sound)
    accounts = intake.ledger.read()
    assert (accounts.captured, accounts.dropped["failed"], accounts.pending) == (1, 1, 0)
