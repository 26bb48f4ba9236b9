"""Four streams at real-time pace through Ray: latency, memory, and who uses the processor.

    python bench/pipeline.py [--seconds 60] [--model starter]

Prints, for windows of all streams: the time from a window's closing to its vector on the bus, less
the tower's own; the resident memory of each process; and the processor's share spent on anything
but towers.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import psutil
import recordings

from bindstream.config import Config
from bindstream.latency import LESS_TOWER, TO_BUS
from nodes.supervisor import Supervisor

ANY = "tcp://127.0.0.1:0"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--model", default="starter")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print("rendering recordings …", flush=True)
        sources = recordings.write(Path(folder), length_s=30, seed=3)
        config = Config.model_validate(
            {
                "streams": [{"name": name, "source": source} for name, source in sources.items()],
                "model": {"name": arguments.model, "threads": 1},
                "bus": {"address": ANY, "inbound": ANY, "control": ANY},
                "queries": [{"text": "a dog barking"}, {"text": "a person falling"}],
                "sinks": [{"kind": "bus"}],
            }
        )
        with Supervisor(config) as run:
            measure(run, arguments.seconds)


def measure(run: Supervisor, seconds: float) -> None:
    me = psutil.Process()
    settle_s = 8.0  # windows of 5 s have to fill first
    print(f"running for {seconds:.0f} s …", flush=True)
    watch(run, settle_s)
    before, towers_before = processor_s(me), tower_s(run)
    begun = time.monotonic()
    watch(run, seconds)
    took_s = time.monotonic() - begun
    used, towers = processor_s(me), tower_s(run) - towers_before
    status = run.status()
    print(f"\n{'stage':28s}{'windows':>8s}{'p50 ms':>9s}{'p99 ms':>9s}")
    for stage, figure in status["match"]["latency"].items():
        star = " ◀" if stage in (TO_BUS, LESS_TOWER) else ""
        print(f"{stage:28s}{figure['n']:8d}{figure['p50']:9.1f}{figure['p99']:9.1f}{star}")
    print(f"\n{'process':36s}{'RSS MB':>8s}{'% of a core':>12s}")
    total = 0.0
    for name, (now_s, rss) in used.items():
        share = 100 * (now_s - before.get(name, (now_s, 0))[0]) / took_s
        total += share
        print(f"{name:36s}{rss / 1e6:8.0f}{share:12.1f}")
    share = 100 * towers / took_s
    print(f"\ntowers {share:.1f} % of a core, all else {total - share:.1f} %")
    for name, stream in status["streams"].items():
        accounts = stream["intake"]["accounts"]
        print(f"{name}: {accounts}")


def watch(run: Supervisor, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        run.poll()
        time.sleep(0.5)


def tower_s(run: Supervisor) -> float:
    return sum(e["tower_cpu_s"] for e in run.status()["embedders"].values())


def processor_s(me: psutil.Process) -> dict[str, tuple[float, int]]:
    """Processor seconds and resident bytes of this process and all it started."""
    said = {}
    for process in [me, *me.children(recursive=True)]:
        try:
            times, rss = process.cpu_times(), process.memory_info().rss
            title = " ".join(process.cmdline()[:1])[-28:] or process.name()
            said[f"{title} {process.pid}"] = (times.user + times.system, rss)
        except psutil.Error:
            continue  # it ended meanwhile
    return said


if __name__ == "__main__":
    main()
