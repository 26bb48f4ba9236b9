"""The sensor side of a stream: each window counted once, in order, without torch."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bindstream.calibration import WARM_UP
from bindstream.clocks.exchange import RunTime, TimeServer
from bindstream.clocks.host import Clock
from bindstream.config import StreamConfig
from bindstream.errors import DataError
from bindstream.intake import Intake
from bindstream.intake.frozen import FROZEN_AFTER
from bindstream.modalities import MODALITIES, SENSORS
from bindstream.records import Sample, Window
from tests.devices.mjpeg_server import MjpegServer
from tests.intake.test_schedule import HandClock

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


def test_a_wall_clock_set_under_a_running_stream_moves_no_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    true, set_by_s = time.time_ns, 0
    monkeypatch.setattr(time, "time_ns", lambda: true() + set_by_s * S)
    monkeypatch.setattr(time, "time", lambda: (true() + set_by_s * S) / S)
    with MjpegServer(fps=20) as camera:
        source = {"kind": "camera", "url": camera.url}
        config = StreamConfig.model_validate(
            {"name": "door", "source": source, "window_s": 0.4, "hop_s": 0.2}
        )
        intake = Intake(config, CLOCK, CLOCK.now_ns())
        intake.start()
        until_s = time.monotonic() + 20
        windows: list[Window] = []
        for set_by_s in (0, 3600, -7200):  # noqa: B007 - read by the clock above
            enough = len(windows) + 3
            while len(windows) < enough:
                assert time.monotonic() < until_s, intake.health()
                windows += intake.poll(0.05)
        intake.stop()
    starts_ns = np.array([w.start_ns for w in windows])
    steps = np.diff(starts_ns) // (S // 5)
    assert (steps >= 1).all()
    assert (starts_ns < CLOCK.now_ns()).all()
    assert starts_ns[-1] - starts_ns[0] < 20 * S
    assert intake.health().refused == {}


def watched(intake: Intake, least: int) -> list[Window]:
    """The first windows of a live stream, as they close."""
    until_s, windows = time.monotonic() + 20, list[Window]()
    while len(windows) < least:
        assert time.monotonic() < until_s, intake.health()
        windows += intake.poll(0.05)
    return windows


def test_on_another_host_what_is_live_says_how_far_off_the_runs_clock_it_is() -> None:
    ahead_ns = 3_700 * S // 1000
    heard: list[Sample] = []
    server = TimeServer("tcp://127.0.0.1:0", lambda: CLOCK.now_ns() + ahead_ns)
    run = RunTime(server.address, CLOCK, CLOCK)
    assert run.await_first(10)
    with MjpegServer(fps=20) as camera:
        source = {"kind": "camera", "url": camera.url}
        config = StreamConfig.model_validate(
            {"name": "door", "source": source, "window_s": 0.4, "hop_s": 0.2}
        )
        hearer = SimpleNamespace(push=heard.append)
        intake = Intake(config, CLOCK, CLOCK.now_ns(), hearers=[hearer], run_time=run)
        intake.start()
        windows = watched(intake, 3)
        intake.stop()
    for record in (*heard, *windows):
        assert abs(record.offset_ns - ahead_ns) < 100_000_000
        assert record.end_ns < CLOCK.now_ns() < record.end_ns + 20 * S
    for window in windows:
        stages = [window.stages[name] for name in ("received", "closed", "features")]
        assert stages == sorted(stages)
        assert window.end_ns + ahead_ns - S < stages[0]
    recorded = Intake(scene("audio"), CLOCK, START_NS, run_time=run)
    played_ns = {(w.offset_ns, w.start_ns) for w in played(recorded)}
    assert played_ns == {(0, START_NS + i * S) for i in range(4)}, "it begins with the run"
    run.close()
    server.close()


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
        windows = watched(intake, 3)
        camera.frozen.set()
        captured, until_s = 0, time.monotonic() + 20
        while intake.health().accounts.unheard_s == 0:  # no frame comes: the clock closes them
            assert time.monotonic() < until_s, intake.health()
            intake.poll(0.05)
            captured = intake.ledger.read().captured
        intake.stop()
    assert not intake.recorded
    assert (intake.health().behind_s, intake.health().catching_up) == (0, False)
    assert captured >= 3
    assert intake.ledger.read().pending == captured - intake.ledger.read().dropped["void"]
    lags_s = [(w.stages["closed"] - w.end_ns) / S for w in windows]
    assert min(lags_s) >= 0.05 - 0.01


def test_time_without_a_device_that_was_never_there_is_unheard() -> None:
    source = {"kind": "imu", "port": "/dev/tty-nobody-has"}
    intake = Intake(StreamConfig.model_validate({"name": "wrist", "source": source}), CLOCK, 0)
    begun_s, until_s = time.monotonic(), time.monotonic() + 20
    intake.start()
    while (unheard_s := intake.health().accounts.unheard_s) < 0.3:
        assert time.monotonic() < until_s, intake.health()
        assert intake.poll(0.05) == []
    intake.stop()
    assert unheard_s <= time.monotonic() - begun_s


# Behind the schedule --------------------------------------------------------------------------


def read_whole(clock: HandClock, samples: int = 50, **options: Any) -> Intake:
    """Of a scene of 5 s all readings wait to be taken."""
    clock.set(100)  # everything is long due
    intake = Intake(scene("audio", **{"speed": 1, **options}), clock, START_NS)
    intake.start()
    until_s = time.monotonic() + 20
    while (health := intake.health()).reader.samples < samples:
        assert time.monotonic() < until_s, health
        time.sleep(0.01)
    return intake


@pytest.mark.parametrize("speed", [1.0, 2.0])
def test_what_is_played_falls_behind_for_as_long_as_something_of_it_waits(speed: float) -> None:
    clock = HandClock()
    intake = read_whole(clock, speed=speed)
    (first,) = intake.poll(0, most=1)
    due_s = (first.end_ns - START_NS) / S / speed
    behind_s = intake.health().behind_s
    assert intake.health().catching_up  # it began late
    # A window is closed some readings of 0.1 s after its end, and the next one waits.
    assert 100 - due_s - 0.5 <= behind_s < 100 - due_s
    clock.set(140)
    assert intake.health().behind_s == pytest.approx(behind_s + 40)
    others: list[Window] = []
    while not intake.ended:
        others += intake.poll(0, most=1)
    assert [w.seq for w in others] == [1, 2, 3]
    last_s = 140 - 5 / speed  # the last reading's
    assert intake.health().behind_s == pytest.approx(last_s)
    clock.set(310)  # nothing waits: so late was the last
    assert intake.health().behind_s == pytest.approx(last_s)
    assert not intake.health().catching_up
    intake.stop()


def test_windows_that_wait_are_behind_though_all_readings_were_taken() -> None:
    clock = HandClock()
    intake = read_whole(clock, length_s=2, samples=20)
    intake._inlet.wait(0)
    while intake._inlet.next() is not None:
        pass
    assert intake.health().behind_s == 0  # no window was late yet
    intake._closed.append(Window("audio0", "audio", 0, 0, 1, np.zeros(32000, np.float32), 1.0))
    for now_s in (110, 150):
        clock.set(now_s)
        assert intake.health().behind_s == pytest.approx(now_s - 2)
    intake.stop()


def test_what_was_stopped_falls_behind_no_further() -> None:
    clock = HandClock()
    intake = read_whole(clock)
    intake.poll(0, most=1)
    behind_s = intake.health().behind_s
    intake.stop()
    clock.set(500)
    intake.stop()
    assert intake.health().behind_s == behind_s > 90


def test_before_anything_was_taken_and_at_max_nothing_is_behind() -> None:
    clock = HandClock()
    waits = read_whole(clock)
    assert waits.health().behind_s == 0
    waits.stop()
    at_max = read_whole(clock, speed="max")
    assert at_max.poll(0, most=1)
    assert (at_max.health().behind_s, at_max.health().catching_up) == (0, False)
    at_max.stop()


def test_what_is_played_in_time_is_not_behind() -> None:
    clock = HandClock()
    intake = Intake(scene("audio", speed=1), clock, START_NS)
    intake.start()
    windows: list[Window] = []
    until_s = time.monotonic() + 20
    for into_s in np.arange(0.55, 5.1, 0.5):  # five readings become due at each step
        clock.set(into_s)
        while intake.health().reader.samples < min(int(into_s * 10), 50):
            assert time.monotonic() < until_s, intake.health()
            time.sleep(0.005)
        windows += intake.poll(0)
        assert intake.health().behind_s < 0.5
    assert len(windows) >= 3
    intake.stop()


WHAT_A_SENSOR_PROCESS_HOLDS = """
import json, sys
import psutil
import nodes.stream  # what Ray imports to make a stream actor
from bindstream.clocks.host import Clock
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


def test_windows_before_one_whose_features_fail_come_out_and_the_failure_is_raised_next() -> None:
    intake = Intake(scene("audio"), CLOCK, START_NS)
    stream = intake.config.name
    sound = np.zeros(32000, np.float32)
    for seq, name in enumerate((stream, "another", stream)):
        window = Window(name, "audio", seq, seq * S, (seq + 2) * S, sound, 1.0)
        intake._closed.append(window)
    assert [window.seq for window in intake.poll(0)] == [0]
    with pytest.raises(DataError, match="another"):
        intake.poll(0)
    assert [window.seq for window in intake.poll(0)] == [2]
    for seq in (0, 2):
        intake.ledger.settle(seq, "embedded")
    accounts = intake.ledger.read()
    assert (accounts.captured, accounts.embedded, accounts.pending) == (3, 2, 0)
    assert accounts.dropped["failed"] == 1


# The gate ------------------------------------------------------------------------------------


def wall(seq: int, celsius: float = 20.0) -> Window:
    """The thermal window of second `seq`: a wall, and a warmer half of it."""
    frame = np.full((1, 24, 32), celsius, np.float32)
    frame[:, :12] += 15
    return Window("wall", "thermal", seq, seq * S, (seq + 2) * S, frame, 1.0)


def gated(**features: Any) -> Intake:
    """An intake that is fed by hand; the first windows, which are all embedded, have gone by."""
    config = StreamConfig.model_validate(
        {
            "name": "wall",
            "modality": "thermal",
            "source": {"kind": "scene"},
            "gate": {"celsius": 1},
            "features": features,
        }
    )
    intake = Intake(config, CLOCK, START_NS)
    for seq in range(WARM_UP):
        intake.settle(fed(intake, wall(seq)), "embedded")
    return intake


def fed(intake: Intake, window: Window) -> Window:
    """What comes out for a raw window."""
    ready = intake._ready(window)
    assert ready is not None
    return ready


def test_a_window_like_the_last_embedded_one_comes_out_raw_and_says_so() -> None:
    intake = gated()
    raw = wall(WARM_UP, 20.4)
    out = fed(intake, raw)
    assert out.same_as == WARM_UP - 1
    np.testing.assert_array_equal(out.data, raw.data)
    # Cheap readings are the new window's own.
    assert out.readings["max_c"] == pytest.approx(35.4, abs=1e-4)
    assert "features" not in out.stages
    assert out.stages["closed"] <= out.stages["gated"]
    assert intake.settle(out, "reused") is None
    said = intake.ledger.read()
    assert (said.embedded, said.reused, said.pending) == (WARM_UP, 1, 0)
    assert intake.health().change["celsius"] == pytest.approx(0.4, abs=1e-4)


def test_a_window_whose_stand_in_is_unknown_is_embedded_and_nothing_is_lost() -> None:
    intake = gated()
    out = [fed(intake, wall(WARM_UP + i)) for i in range(3)]
    assert {w.same_as for w in out} == {WARM_UP - 1}
    for window in out:
        again = intake.settle(window, "unknown")
        assert again is not None
        assert again.same_as is None
        assert again.data.shape == MODALITIES["thermal"].model_input
        assert again.stages["features"] >= again.stages["closed"]
        assert intake.ledger.pending()[0] == window.seq
        assert intake.settle(again, "embedded") is None
    # From now on the newest of them is what others are compared with.
    assert fed(intake, wall(20)).same_as == WARM_UP + 2
    assert intake.ledger.read().pending == 1


def test_a_stream_that_has_ended_has_nothing_pending_and_nothing_uncounted() -> None:
    intake = gated()
    for i in range(3):
        fed(intake, wall(WARM_UP + i))
    intake._closed += [wall(WARM_UP + 3), wall(WARM_UP + 4)]
    before = intake.ledger.read()
    intake.close({intake.ledger.pending()[0]: "reused"})
    said = intake.ledger.read()
    assert (said.captured, said.pending) == (before.captured + 2, 0)
    assert (said.reused, said.dropped["ended"]) == (before.reused + 1, 4)


@pytest.mark.parametrize("outcome", ["failed", "overload"])
def test_a_reference_that_came_to_nothing_is_referred_to_by_nobody(outcome: Any) -> None:
    intake = gated()
    changed = fed(intake, wall(20, 30.0))
    assert changed.same_as is None
    intake.settle(changed, outcome)
    assert fed(intake, wall(21, 30.0)).same_as is None


def test_bad_data_is_void_whether_gated_or_not() -> None:
    intake = gated()
    broken = dataclasses.replace(wall(20), data=np.full((1, 24, 32), np.nan, np.float32))
    assert intake._ready(broken) is None
    assert intake._ready(dataclasses.replace(wall(21), void="too little of it")) is None
    assert intake.ledger.read().dropped["void"] == 2
    assert fed(intake, wall(22)).same_as == WARM_UP - 1


def test_the_picture_after_a_gated_stretch_is_the_one_that_no_gate_would_have_given() -> None:
    """The gain control has seen every frame, so the span is the same."""
    with_gate, without = gated(), gated()
    without._gate = None
    reused = 0
    for seq in range(WARM_UP, 40):
        warmer = wall(seq, 20 + 0.9 * (seq % 2))
        out = [fed(intake, warmer) for intake in (with_gate, without)]
        reused += out[0].same_as is not None
        with_gate.settle(out[0], "reused" if out[0].same_as is not None else "embedded")
        without.settle(out[1], "embedded")
    assert reused > 20
    one, other = (fed(intake, wall(40, 60.0)) for intake in (with_gate, without))
    assert one.same_as is None
    np.testing.assert_array_equal(one.data, other.data)


def test_a_gated_stream_that_is_bit_by_bit_the_same_is_frozen_all_the_same() -> None:
    intake = gated()
    assert intake.health().frozen == ""
    for seq in range(WARM_UP, FROZEN_AFTER):
        intake.settle(fed(intake, wall(seq)), "reused")
    assert "frozen" in intake.health().frozen
    assert intake.ledger.read().reused > 10
    fed(intake, wall(99, 20.01))
    assert intake.health().frozen == ""


def test_without_a_gate_everything_is_embedded() -> None:
    config = scene("thermal").model_copy(update={"gate": None})
    windows = played(Intake(config, CLOCK, START_NS))
    assert windows
    assert all(w.same_as is None for w in windows)
    assert "gated" not in windows[0].stages


what_happens = st.lists(
    st.tuples(
        st.sampled_from(["same", "changed", "void"]),
        st.sampled_from(["vector", "failed", "unknown", "overload", "later", "killed"]),
    ),
    max_size=50,
)


@settings(max_examples=30, deadline=None)
@given(what_happens)
def test_captured_is_embedded_reused_dropped_and_pending_whatever_happens(
    steps: list[tuple[str, str]],
) -> None:
    intake = gated()
    expected = Counter({"embedded": WARM_UP})
    later: list[Window] = []

    def end(window: Window, end: str) -> None:
        if end == "unknown" and window.same_as is not None:
            again = intake.settle(window, "unknown")
            assert again is not None
            window, end = again, "vector"
        if end in ("vector", "unknown"):
            end = "embedded" if window.same_as is None else "reused"
        assert intake.settle(window, end) is None  # type: ignore[arg-type]
        expected[end] += 1

    celsius, captured = 20.0, WARM_UP
    for kind, outcome in steps:
        celsius += 5 * (kind == "changed")
        raw = wall(captured, min(celsius, 500))
        captured += 1
        ready = intake._ready(dataclasses.replace(raw, void="x" if kind == "void" else ""))
        if ready is None:
            expected["void"] += 1
        elif outcome in ("later", "killed"):
            later.append(ready)
        else:
            end(ready, outcome)
        if outcome == "killed":  # another process takes over; of some windows the actor knows
            known = {w.seq: "reused" for w in later if w.same_as is not None}
            intake.ledger.recover(known)  # type: ignore[arg-type]
            expected["reused"] += len(known)
            expected["killed"] += len(later) - len(known)
            later.clear()
        elif len(later) > 5:
            end(later.pop(0), "vector")
        said = intake.ledger.read()
        assert said.captured == captured
        counted = {"embedded": said.embedded, "reused": said.reused, **said.dropped}
        assert +Counter(counted) == +expected
        assert said.pending == len(later) == captured - expected.total()
