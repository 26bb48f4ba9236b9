"""What a run takes, sampled: every process, shared memory, folders, latencies."""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from array import array
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from bindstream.bus import Subscriber
from bindstream.records import Alert
from nodes.supervisor import Supervisor

MB = 1e6
TOTAL = "all processes"


class Sampler:
    """Collects figures of a run by name: "PROCESS PSS MB", "FOLDER disk MB", "windows p99 ms".

    Its own subscriber measures the time from a window's closing to its arrival here.
    """

    def __init__(self, run: Supervisor, folder: Path) -> None:
        self._run, self._folder = run, folder
        self._begun_s = time.monotonic()
        self._times_s = array("d")
        # What samples themselves take is in the figures of this process: 1 kB each.
        self._values: dict[str, array[float]] = {}
        self._late_ms: list[float] = []
        self._lock = threading.Lock()
        self._windows = array("d")
        self.alerts = 0
        self.dim = 0

    def listen(self, stopping: threading.Event) -> None:
        """Follow the bus in a thread of its own, until `stopping`."""

        def follow() -> None:
            with Subscriber(self._run.address) as subscriber:
                while not stopping.is_set():
                    record = subscriber.receive(0.5)
                    if record is None:
                        continue
                    if isinstance(record, Alert):
                        self.alerts += record.state == "started"
                        continue
                    self.dim = len(record.vector)
                    closed_ns = record.stages.get("closed")
                    with self._lock:
                        self._windows.append(time.monotonic() - self._begun_s)
                        if closed_ns is not None:
                            self._late_ms.append((time.time_ns() - closed_ns) / 1e6)

        threading.Thread(target=follow, daemon=True).start()

    def windows_per_hour(self, since_s: float) -> float:
        with self._lock:
            late = [at for at in self._windows if at >= since_s]
        span_s = max((late[-1] - since_s) if late else 0.0, 1.0)
        return 3600 * len(late) / span_s

    def take(self) -> None:
        """One sample. Takes some ten milliseconds."""
        self._times_s.append(time.monotonic() - self._begun_s)
        found = self._processes()
        found["files in shared memory MB"] = _shared_mb()
        for part in sorted(self._folder.iterdir()):
            found[f"{part.name} disk MB"], found[f"{part.name} files"] = _disk(part)
        with self._lock:
            late, self._late_ms = self._late_ms, []
        if late:
            found["windows p50 ms"], found["windows p99 ms"] = np.percentile(late, (50, 99))
        found["windows a sample"] = len(late)
        for name in found.keys() - self._values.keys():
            self._values[name] = array("d", [math.nan] * (len(self._times_s) - 1))
        for name, values in self._values.items():
            values.append(float(found.get(name, math.nan)))

    def series(self) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
        """When samples were taken, seconds, and what was found, NaN where it was not there."""
        return np.array(self._times_s), {n: np.array(v) for n, v in self._values.items()}

    def _processes(self) -> dict[str, float]:
        said = self._run.status()
        names = {os.getpid(): "supervisor"}
        for what in ("streams", "embedders"):
            for name, one in said[what].items():
                names[one.get("pid", 0)] = f"stream {name}" if what == "streams" else name
        names[said["match"].get("pid", 0)] = "match"
        names[said["history"].get("pid", 0)] = "history"
        found: dict[str, float] = {}
        me = psutil.Process()
        for process in [me, *me.children(recursive=True)]:
            with contextlib.suppress(psutil.Error, OSError, ValueError):
                name = names.get(process.pid) or f"ray's {_title(process)}"
                taken = _taken(process.pid)
                for figure, value in taken.items():
                    for whose in (name, TOTAL):
                        key = f"{whose} {figure}"
                        found[key] = found.get(key, 0.0) + value
        return found


def _title(process: psutil.Process) -> str:
    line = process.cmdline()
    script = next((Path(part).stem for part in line if part.endswith(".py")), "")
    return script or Path(line[0].split()[0]).name[:24] if line else process.name()


def _taken(pid: int) -> dict[str, float]:
    """Of one process: memory (resident; what it shares counted in part, PSS; its own that no file
    stands behind), files, threads. The latter is what a leak is made of: the other two change as
    other programs on the machine begin and end to share its libraries."""
    rolled = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    sizes = {
        line.split(":")[0]: int(line.split()[1]) * 1024 / MB
        for line in rolled.splitlines()
        if line.startswith(("Rss:", "Pss:", "Anonymous:"))
    }
    stated = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    threads = next(int(x.split()[1]) for x in stated.splitlines() if x.startswith("Threads:"))
    return {
        "RSS MB": sizes["Rss"],
        "PSS MB": sizes["Pss"],
        "own MB": sizes["Anonymous"],
        "open files": len(os.listdir(f"/proc/{pid}/fd")),
        "threads": threads,
    }


def _shared_mb() -> float:
    there = os.statvfs("/dev/shm")
    return (there.f_blocks - there.f_bfree) * there.f_frsize / MB


def _disk(folder: Path) -> tuple[float, int]:
    total = count = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # it went meanwhile
            total += path.stat().st_blocks * 512
            count += path.is_file()
    return total / MB, count
