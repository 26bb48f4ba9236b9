"""configs/robot.yaml with every sensor on a real device path, for two minutes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from bindstream.config import Config, load_config
from bindstream.scene import PlannedEvent, judge, make_script
from tests.devices.house import House, house
from tests.devices.pulse import Pulse
from tests.devices.running import BUS, Run, running
from tests.devices.serial_line import SerialLine

LENGTH_S = 120
EVENTS = (
    PlannedEvent(kind="glass_breaking", at_s=30, length_s=2),
    PlannedEvent(kind="fire", at_s=45, length_s=10),
    PlannedEvent(kind="falling", at_s=70, length_s=6),
    PlannedEvent(kind="glass_breaking", at_s=90, length_s=2),
    PlannedEvent(kind="fire", at_s=104, length_s=10),
)
ROBOT = Path(__file__).parents[2] / "configs" / "robot.yaml"


def robot(playing: House, port: Path, log: Path) -> Config:
    """The shipped configuration with this machine's device addresses in place of the robot's."""
    addresses: dict[str, dict[str, Any]] = {
        "front-camera": {"kind": "camera", "url": playing.camera.url},
        "mic": {"kind": "microphone"},
        "thermal": {"kind": "thermal", "url": playing.thermal.url, "celsius": "lepton"},
        "body": {"kind": "imu", "port": str(port), "format": "witmotion"},
    }
    shipped = load_config(ROBOT).model_dump(mode="json", exclude_unset=True)
    for stream in shipped["streams"]:
        stream["source"] = addresses[stream["name"]]
    shipped["sinks"] = [{"kind": "bus"}, {"kind": "jsonl", "path": str(log)}]
    return Config.model_validate({**shipped, "bus": BUS})


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_robot_with_four_live_sensors_for_two_minutes(
    pulse: Pulse, serial_line: SerialLine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = make_script(11, LENGTH_S, EVENTS)
    with house(script, tmp_path, pulse, serial_line) as playing:
        config = robot(playing, serial_line.path, tmp_path / "alerts.jsonl")
        with running(config) as run:
            playing.begin()
            for stream in ("front-camera", "mic", "thermal", "body"):
                run.more(stream, 2, within_s=30)
            memory = [resident(run)]
            while run_s(run, playing) < LENGTH_S - 2:
                run.more("mic", 10, within_s=30)
                memory.append(resident(run))
            status = run.drain()
    with capsys.disabled():
        report(status, memory)
    for name, stream in status["streams"].items():
        accounts = stream["intake"]["accounts"]
        assert accounts["embedded"] > 90, name
        assert sum(accounts["dropped"].values()) <= 0.1 * accounts["captured"], name
        received = status["match"]["embeddings"][name]
        assert received == accounts["embedded"], name
    # Flat: the second half of the run holds no more than the first did, give or take 5 %.
    half = len(memory) // 2
    for name in memory[0]:
        early = max(m[name] for m in memory[1 : half + 1])
        assert max(m[name] for m in memory[half:]) < 1.05 * early + 4e6, name
    verdicts = judge(
        script.events,
        run.alerts,
        {"fire": "fire", "glass-breaking": "glass_breaking", "falling-down": "falling"},
        start_ns=playing.began_ns,
        slack_s=3,
    )
    found = sum(len(v.found) for v in verdicts.values())
    assert found >= 4, verdicts
    assert sum(len(v.false) for v in verdicts.values()) <= 1, verdicts
    # Whether or not the thermal tower calls it a fire, how hot it is arrives while it burns.
    for fire in (e for e in script.events if e.kind == "fire"):
        middle_ns = playing.began_ns + round((fire.start_s + fire.end_s) / 2 * 1e9)
        hot = [e for e in run.embeddings if e.start_ns <= middle_ns < e.end_ns]
        assert max(e.readings["max_c"] for e in hot if e.stream == "thermal") > 100


def run_s(run: Run, playing: House) -> float:
    return max((e.end_ns - playing.began_ns) / 1e9 for e in run.embeddings[-8:])


def resident(run: Run) -> dict[str, int]:
    """Bytes of each actor's process."""
    status = run.status()
    actors = {**status["streams"], **status["embedders"], "match": status["match"]}
    return {name: psutil.Process(a["pid"]).memory_info().rss for name, a in actors.items()}


def report(status: dict[str, Any], memory: list[dict[str, int]]) -> None:
    print(f"\n{'stage':26s}{'windows':>8s}{'p50 ms':>9s}{'p99 ms':>9s}")
    for stage, figure in status["match"]["latency"].items():
        print(f"{stage:26s}{figure['n']:8.0f}{figure['p50']:9.1f}{figure['p99']:9.1f}")
    for name in memory[0]:
        line = np.array([m[name] for m in memory]) / 1e6
        print(f"{name:26s}{line[0]:8.0f} → {line[-1]:.0f} MB")
