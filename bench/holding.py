"""What must hold of a run whatever happens to it: its books, its alerts, what it leaves behind."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
import urllib.request
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil

from bindstream.bus import Subscriber
from bindstream.recording import Recording
from bindstream.records import Embedding
from nodes.supervisor import Supervisor

PENDING_MOST = 12


class Ear:
    """Reads everything on the bus: numbers by stream, and how old windows were."""

    def __init__(self, run: Supervisor) -> None:
        self.seqs: dict[str, list[int]] = {s.name: [] for s in run.config.streams}
        self.late_s: list[float] = []
        self._bus = Subscriber(run.address, ["emb."])
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            if isinstance(record := self._bus.receive(0.2), Embedding):
                self.seqs[record.stream].append(record.seq)
                self.late_s.append((time.time_ns() - record.end_ns) / 1e9)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._bus.close()


class Checks:
    """What must hold; `wrong` says what did not."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.notes: dict[str, Any] = {}
        self.restarts: dict[str, int] = {}
        self.looks = 0
        self._before: dict[str, dict[str, Any]] = {}

    def _must(self, holds: bool, what: str) -> None:
        if not holds:
            self.wrong.append(what)
            print(f"WRONG: {what}", flush=True)

    def look(self, run: Supervisor) -> None:
        """At any moment: the books balance, little is pending, and no count goes back."""
        self.looks += 1
        status = run.status()
        actors = {**status["streams"], **status["embedders"]}
        actors |= {name: status[name] for name in ("match", "history")}
        self.restarts = {name: said["restarts"] for name, said in actors.items()}
        for name, stream in status["streams"].items():
            if (said := stream["accounts"]) is None:
                continue
            self._balances(name, said)
            self._must(0 <= said["pending"] <= PENDING_MOST, f"{name}: pending {said['pending']}")
            before = self._before.get(name)
            if before is not None:
                back = [k for k, n in flat(before).items() if flat(said)[k] < n]
                self._must(not back, f"{name}: {back} went back")
            self._before[name] = said

    def _balances(self, name: str, said: dict[str, Any]) -> None:
        settled = said["embedded"] + said["reused"] + sum(said["dropped"].values())
        self._must(said["captured"] == settled + said["pending"], f"{name}: {said}")

    def handles(self, before: int, after: int) -> None:
        self.notes["file handles, before and after"] = [before, after]
        self._must(after <= before + 8, f"file handles grew from {before} to {after}")

    def drained(self, run: Supervisor) -> None:
        """Nothing is pending, and Prometheus reads what the status says."""
        assert run.metrics is not None
        with urllib.request.urlopen(f"http://{run.metrics.address}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        for name, stream in run.status()["streams"].items():
            said = stream["accounts"]
            self._must(said is not None and said["pending"] == 0, f"{name} at the end: {said}")
            for key in ("captured", "pending"):
                figure = f"bindstream_windows_{key}{'_total' if key == 'captured' else ''}"
                line = f'{figure}{{stream="{name}"}} {float(said[key])}'
                self._must(line in lines, f"the figures say otherwise than {line}")

    def recorded(self, status: dict[str, Any]) -> None:
        with Recording(Path(status["recording"]["folder"])) as recording:
            recorded = dict(recording.accounts())
        for name, stream in status["streams"].items():
            self._must(recorded.get(name) == stream["accounts"], f"{name}: recorded otherwise")

    def heard(self, status: dict[str, Any], ear: Ear) -> None:
        """A subscriber gets each window once; what it does not get was dropped."""
        for name, stream in status["streams"].items():
            said, seqs = stream["accounts"], ear.seqs[name]
            twice = [seq for seq, count in Counter(seqs).items() if count > 1]
            self._must(not twice, f"{name}: {len(twice)} numbers came twice")
            counted = said["embedded"] + said["reused"]
            first = min(seqs, default=0)
            lost = counted - len(set(seqs)) - first
            self._must(lost <= 0, f"{name}: {lost} windows counted as published never came")
            self.notes[f"{name}: published by actors that died before they could say so"] = -min(
                counted - len(set(seqs)), 0
            )

    def alerts(self, folder: Path) -> None:
        """Every alert that was written was announced, once, under its own id."""
        lines = [json.loads(line) for line in (folder / "alerts.jsonl").read_text().splitlines()]
        told = Counter((line["id"], line["state"]) for line in lines)
        with closing(sqlite3.connect(folder / "state.db")) as db:
            kept = dict(db.execute("SELECT id, state FROM alert").fetchall())
            outbox = db.execute("SELECT count(*) FROM outbox").fetchone()[0]
        self._must(max(told.values(), default=1) == 1, "an announcement was written twice")
        begun = {name for name, state in told if state == "started"}
        ended = {name for name, state in told if state == "ended"}
        halves = {name: kept.get(name, "not kept") for name in begun ^ ended}
        self._must(not halves, f"without a beginning or an end, and how they are kept: {halves}")
        self._must(kept.keys() == begun, "alerts kept are not those announced")
        self._must(outbox == 0, f"{outbox} announcements wait at the end")
        self.notes["alerts"] = len(begun)
        self.notes["announced again"] = sum("announced_again" in line["stages"] for line in lines)

    def processes(self, left: set[int]) -> None:
        psutil.wait_procs([psutil.Process(p) for p in left if psutil.pid_exists(p)], timeout=10)
        still = [p for p in left if psutil.pid_exists(p)]
        self._must(not still, f"{len(still)} processes are left")


def flat(said: dict[str, Any]) -> dict[str, Any]:
    """Counts that only grow."""
    counts = {key: said[key] for key in ("captured", "embedded", "reused", "unheard_s")}
    return {**counts, **said["dropped"]}
