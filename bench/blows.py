"""What may happen to a run: killed and stopped actors, unplugged sensors, bad subscribers, full
disks. Each blow is drawn from a seed, and said."""

from __future__ import annotations

import contextlib
import math
import os
import random
import signal
import subprocess
import threading
import time
import tty
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import zmq

from nodes.supervisor import Supervisor

DISK_MB = 4


OPTIONS = {
    "header": ["t", "ax", "ay", "az", "gx", "gy", "gz"],
    "time": {"column": "t", "unit": "us", "wrap_bits": 32},
}
"""How a source reads what a port gives."""


class Port:
    """An inertial sensor of 100 Hz on a pseudo-terminal, behind a path that survives replugging."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._master = -1
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.plug()
        self._thread = threading.Thread(target=self._feed, daemon=True)
        self._thread.start()

    def plug(self) -> None:
        master, slave = os.openpty()
        tty.setraw(master)
        tty.setraw(slave)
        os.set_blocking(master, False)
        fresh = self.path.with_name(f"{self.path.name}.new")
        fresh.symlink_to(os.ttyname(slave))
        os.replace(fresh, self.path)
        with self._lock:
            self._master, self._slave = master, slave

    def unplug(self) -> None:
        self.path.unlink(missing_ok=True)
        with self._lock:
            os.close(self._master)
            os.close(self._slave)
            self._master = -1

    def _feed(self) -> None:
        began_s, n = time.monotonic(), 0
        while not self._stop.wait(0.01):
            while n < (time.monotonic() - began_s) * 100:
                n += 1
                swing = f"{2 * math.sin(n / 9):.4f},0.1,9.81,0.1,{math.cos(n / 70):.4f},0.2"
                with self._lock, contextlib.suppress(OSError):
                    if self._master >= 0:
                        os.write(self._master, f"{n * 10_000 % 2**32},{swing}\r\n".encode())

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self.unplug()


class Disk:
    """A disk of `DISK_MB` that can be filled; `why` says why there is none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        self.why = mounted.stderr.strip()

    def fill(self) -> None:
        with contextlib.suppress(OSError), (self.folder / "ballast").open("wb", 0) as ballast:
            while ballast.write(bytes(4096)):
                pass

    def free(self) -> None:
        (self.folder / "ballast").unlink(missing_ok=True)

    def close(self) -> None:
        if not self.why:
            subprocess.run(["umount", "-l", str(self.folder)], check=False)


class Blows:
    """Deals one blow after another to a run; what lasts is mended after a few seconds."""

    def __init__(self, run: Supervisor, ports: list[Port], disk: Disk, seed: int) -> None:
        self._run, self._ports, self._disk = run, ports, disk
        self._random = random.Random(seed)
        self._mend: list[tuple[float, Callable[[], None]]] = []
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._deaf: list[zmq.Socket[bytes]] = []
        self.dealt: Counter[str] = Counter()

    def rest_s(self) -> float:
        """How long until the next one."""
        return self._random.uniform(2, 6)

    def due(self) -> None:
        """Mend what has lasted long enough."""
        now_s = time.monotonic()
        for at_s, mend in [each for each in self._mend if each[0] <= now_s]:
            self._mend.remove((at_s, mend))
            mend()

    def deal(self) -> str:
        """One blow; returns what it was."""
        kinds = [self._kill] * 4 + [self._stall] * 2 + [self._unplug] * 2
        kinds += [self._deafen, self._vanish] + ([] if self._disk.why else [self._fill] * 2)
        what = self._random.choice(kinds)()
        self.dealt[what.split()[0]] += 1
        return what

    def end(self) -> None:
        """Mend everything."""
        for _, mend in self._mend:
            mend()
        self._mend.clear()
        for socket in self._deaf:
            socket.close(linger=0)
        self._context.term()

    def _later(self, mend: Callable[[], None]) -> float:
        lasts_s = self._random.uniform(1.5, 5)
        self._mend.append((time.monotonic() + lasts_s, mend))
        return lasts_s

    def _actor(self) -> tuple[str, int]:
        """Any actor of which the process is known."""
        status = self._run.status()
        actors = {**status["streams"], **status["embedders"]}
        actors |= {name: status[name] for name in ("match", "history")}
        known = {name: said["pid"] for name, said in actors.items() if said.get("pid")}
        name = self._random.choice(sorted(known))
        return name, known[name]

    def _kill(self) -> str:
        name, pid = self._actor()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return f"killed {name}"

    def _stall(self) -> str:
        name, pid = self._actor()

        def go_on() -> None:
            with contextlib.suppress(psutil.Error):
                psutil.Process(pid).resume()

        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
        return f"stalled {name} for {self._later(go_on):.1f} s"

    def _unplug(self) -> str:
        plugged = [port for port in self._ports if port.path.exists()]
        if not plugged:
            return "found everything unplugged"
        port = self._random.choice(plugged)
        port.unplug()
        return f"unplugged {port.path.name} for {self._later(port.plug):.1f} s"

    def _deafen(self) -> str:
        socket = self._context.socket(zmq.SUB)
        socket.setsockopt(zmq.RCVHWM, 1)
        socket.subscribe("")
        socket.connect(self._run.address)
        self._deaf.append(socket)
        return "subscribed and reads nothing"

    def _vanish(self) -> str:
        """A subscriber that goes without a word, as one that is killed does."""
        socket = self._context.socket(zmq.SUB)
        socket.subscribe("")
        socket.connect(self._run.address)
        time.sleep(0.05)
        socket.close(linger=0)
        return "vanished, a subscriber"

    def _fill(self) -> str:
        self._disk.fill()
        return f"filled the disk for {self._later(self._disk.free):.1f} s"
