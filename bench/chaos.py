"""A run under seeded blows: are its books right at every moment, and are its alerts kept?

    python bench/chaos.py [--minutes 4] [--seed 0] [--latency]

Actors are killed and stopped, a sensor is unplugged, subscribers do not read or vanish, the disk
with state, history and alerts is full for a while, and more windows come than can be embedded. With
--latency the time from the end of a window to its delivery is measured before, with as much to do
as a half of what can be done and with three times as much.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from blows import OPTIONS, Blows, Disk, Port
from holding import Checks, Ear

from bindstream.config import Config
from nodes.supervisor import Supervisor

ANY = "tcp://127.0.0.1:0"
STREAMS = ("wrist", "ankle", "hip")
TOWER_S = 0.08  # what a window costs on one thread of this machine, left alone
HOP_S = 0.05  # three streams: three times of what can be computed, and more
QUIET_S = 12.0  # for everybody to come back before the run ends, and to start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=4, help="0: none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--latency", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = slow_model(Path(folder))
        ports = [Port(Path(folder) / name) for name in STREAMS]
        try:
            if arguments.latency:
                compare_latency(ports, model)
            if arguments.minutes:
                report(Path(folder), ports, model, arguments.minutes * 60, arguments.seed)
        finally:
            for port in ports:
                port.close()


def report(folder: Path, ports: list[Port], model: str, seconds: float, seed: int) -> None:
    said = chaos(folder, ports, model, seconds, seed)
    print(json.dumps(said, indent=2))
    if said["wrong"]:
        raise SystemExit(1)


def slow_model(folder: Path) -> str:
    """A model whose tower for motion is as deep as takes `TOWER_S` a window here."""
    import torch

    from bindstream.modalities import MODALITIES
    from bindstream.models.directory import ModelSpec
    from bindstream.models.imagebind import Tower
    from bindstream.models.saving import save_model
    from bindstream.models.sizes import TowerConfig
    from bindstream.models.tokenizer import word_tokenizer

    def tower(blocks: int) -> Tower:
        return Tower(TowerConfig(modality="imu", width=256, blocks=blocks, heads=4, dim=16)).eval()

    torch.manual_seed(7)
    torch.set_num_threads(1)
    probe, x, took_s = tower(4), torch.zeros(1, *MODALITIES["imu"].model_input), []
    with torch.inference_mode():
        for _ in range(8):
            begun_s = time.perf_counter()
            probe(x)
            took_s.append(time.perf_counter() - begun_s)
    deep = tower(min(max(round(4 * TOWER_S / min(took_s)), 2), 64))
    tokenizer = word_tokenizer(["anything"])
    size, end = tokenizer.vocabulary, tokenizer.end_id
    text = TowerConfig(
        modality="text", width=32, blocks=1, heads=2, dim=16, vocabulary=size, end_id=end
    )
    spec = ModelSpec(
        name="slow",
        licence="Apache-2.0",
        dim=16,
        towers={"imu": deep.config, "text": text},
        trained_words=("anything",),
    )
    save_model(folder / "slow", spec, {"imu": deep, "text": Tower(text)}, tokenizer)
    return str(folder / "slow")


def sensors(ports: list[Port], hop_s: float) -> list[dict[str, Any]]:
    return [
        {
            "name": port.path.name,
            "source": {"kind": "imu", "port": str(port.path), **OPTIONS},
            "window_s": 1,
            "hop_s": hop_s,
        }
        for port in ports
    ]


def config(streams: list[dict[str, Any]], model: str, **more: Any) -> Config:
    bus = {"address": ANY, "inbound": ANY, "control": ANY}
    given = {"streams": streams, "model": {"name": model, "threads": 1}, "bus": bus, **more}
    return Config.model_validate(given)


def watch(run: Supervisor, seconds: float, each: Callable[[], object] = lambda: None) -> None:
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        run.poll()
        each()
        time.sleep(0.3)


def delivered(
    ports: list[Port], model: str, hop_s: float, seconds: float
) -> tuple[float, list[float]]:
    """Windows a second, and how old each was when it came (seconds)."""
    with Supervisor(config(sensors(ports, hop_s), model)) as run:
        ear = Ear(run)
        while len(ear.late_s) < 9:  # until everybody is there
            watch(run, 1)
        watch(run, QUIET_S / 2)
        before, begun_s = len(ear.late_s), time.monotonic()
        watch(run, seconds)
        late_s, took_s = ear.late_s[before:], time.monotonic() - begun_s
        run.drain()
        ear.close()
    return len(late_s) / took_s, late_s


def compare_latency(ports: list[Port], model: str) -> None:
    rate, _ = delivered(ports, model, HOP_S, 15)
    print(f"{rate:.0f} windows/s can be embedded", flush=True)
    p99_s = []
    for name, load in (("calm", 0.5), ("overload", 3.0)):
        hop_s = max(len(ports) / (rate * load), HOP_S)
        got, late_s = delivered(ports, model, hop_s, 30)
        p99_s.append(float(np.percentile(late_s, 99)))
        print(
            f"{name}: a window each {hop_s * 1e3:.0f} ms of 3 streams, {got:.1f}/s delivered; "
            f"end to delivery p50 {np.median(late_s) * 1e3:.0f} ms, p99 {p99_s[-1] * 1e3:.0f} ms",
            flush=True,
        )
    print(f"p99 under overload is {p99_s[1] / p99_s[0]:.2f} times the calm one", flush=True)


def chaos(folder: Path, ports: list[Port], model: str, seconds: float, seed: int) -> dict[str, Any]:
    """What was done to a run and what was found wrong with it."""
    disk = Disk(folder / "disk")
    try:
        return _chaos(folder, ports, disk, model, seconds, seed)
    finally:
        disk.close()


def _chaos(
    folder: Path, ports: list[Port], disk: Disk, model: str, seconds: float, seed: int
) -> dict[str, Any]:
    me, there = psutil.Process(), {p.pid for p in psutil.Process().children(recursive=True)}
    eager = {"on": 0.5, "off": -10, "share": 0, "cooldown_s": 0, "max_length_s": 3, "budget": 3600}
    made = config(
        sensors(ports, HOP_S),
        model,
        queries=[{"text": "anything", **eager}],
        sinks=[{"kind": "jsonl", "path": str(disk.folder / "alerts.jsonl")}],
        state={"path": str(disk.folder / "state.db")},
        history={"path": str(disk.folder / "history")},
        metrics={"address": "127.0.0.1:0"},
        record={"path": str(folder / "tapes")},
    )
    print(f"seed {seed}; full disks: {disk.why or 'yes'}", flush=True)
    checks = Checks()
    with Supervisor(made) as run:
        ear, blows = Ear(run), Blows(run, ports, disk, seed)
        watch(run, QUIET_S, lambda: checks.look(run))
        handles = me.num_fds()
        until_s = time.monotonic() + seconds - 2 * QUIET_S
        while time.monotonic() < until_s:
            print(f"{until_s - time.monotonic():5.0f} s left: {blows.deal()}", flush=True)
            watch(run, blows.rest_s(), lambda: (blows.due(), checks.look(run)))
        blows.end()
        watch(run, QUIET_S, lambda: checks.look(run))
        checks.handles(handles, me.num_fds())
        run.drain()
        checks.drained(run)
        status = run.status()
        time.sleep(0.5)
        ear.close()
    checks.recorded(status)
    checks.heard(status, ear)
    checks.alerts(disk.folder)
    checks.processes({p.pid for p in me.children(recursive=True)} - there)
    accounts = {name: said["accounts"] for name, said in status["streams"].items()}
    found = {"blows": dict(blows.dealt), "accounts": accounts, "restarts": checks.restarts}
    return {**found, "looks": checks.looks, **checks.notes, "wrong": checks.wrong}


if __name__ == "__main__":
    main()
