"""A run for a long time: does anything grow?

    python bench/soak.py [--minutes 30] [--warm-up-s S] [--every-s 5] [--model starter]
                         [--json] [--png soak.png] [--keep FOLDER]

Runs four sensors of a made-up house at their own pace on Ray (that of motion comes over a socket,
which breaks off once a minute, so that the run is one of live sensors), with history, state,
evidence and recording kept within quotas, alerts going on, subscribers that come and go, and
queries that are added and removed. Samples of every process its memory (resident, proportional,
and its own), open files and threads; shared memory; every folder; latencies. Prints the slope of
each in its unit an hour, with a 95 % interval (see bench/growth.py), and whether it grows. The
first fifth of the time, at least a minute, is warm-up and left out.

Some growth is meant, and said as that: each stream remembers its vectors up to a bound, and folders
fill up to their quotas. Exit status 1: something else grows, or a stream's accounts do not balance.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import random
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from growth import growth
from soak_report import draw, kind_of, meant, table
from soak_sampling import Sampler

from bindstream.bus import Subscriber
from bindstream.config import Config
from bindstream.control import ask
from bindstream.errors import BindstreamError
from nodes.supervisor import Supervisor

ANY = "tcp://127.0.0.1:0"
SCENE = {
    "kind": "scene",
    "seed": 2,
    "length_s": 60,
    "loop": True,
    "gap_every_s": 20,
    "duplicates": 0.01,
    "events": [
        {"kind": "doorbell", "at_s": 8, "length_s": 3},
        {"kind": "walking", "at_s": 14, "length_s": 9},
        {"kind": "dog", "at_s": 26, "length_s": 6},
        {"kind": "fire", "at_s": 36, "length_s": 8},
        {"kind": "smoke_alarm", "at_s": 48, "length_s": 6},
    ],
}
STREAMS = {"mic": "audio", "camera": "vision", "heat": "thermal"}
LIVE = "wrist"
QUOTA = {"history": 10_000_000, "evidence": 2_000_000, "record": 20_000_000}


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="soak-") as made:
        folder = Path(options.keep or made)
        stopping = threading.Event()
        port = serve_motion(stopping)
        with Supervisor(configured(folder, options.model, port)) as run:
            print(f"running for {options.minutes:g} minutes …", file=sys.stderr, flush=True)
            sampler = Sampler(run, folder)
            guests = [
                threading.Thread(target=each, args=(run, stopping), daemon=True)
                for each in (come_and_go, change_queries)
            ]
            for guest in guests:
                guest.start()
            sampler.listen(stopping)
            watch(run, sampler, options.minutes * 60, options.every_s)
            stopping.set()
            for guest in guests:
                guest.join(timeout=10)
            run.drain()
            run.poll()
            said = run.status()
    raise SystemExit(report(sampler, said, options))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--warm-up-s", type=float, help="left out; else a fifth, 60 s at least")
    parser.add_argument("--every-s", type=float, default=5, help="between two samples")
    parser.add_argument("--model", default="starter")
    parser.add_argument("--json", action="store_true", help="print the figures and all samples")
    parser.add_argument("--png", type=Path, help="draw what was sampled")
    parser.add_argument("--keep", type=Path, help="leave what was kept in this folder")
    return parser.parse_args()


def configured(folder: Path, model: str, port: int) -> Config:
    streams: list[dict[str, Any]] = [
        {"name": name, "modality": modality, "source": SCENE} for name, modality in STREAMS.items()
    ]
    streams.append({"name": LIVE, "source": {"kind": "imu", "port": f"socket://127.0.0.1:{port}"}})
    texts = ["doorbell", "dog barking", "fire", "walking", "smoke alarm", "a person"]
    kept: dict[str, Any] = {
        "history": {"path": str(folder / "history"), "keep_bytes": QUOTA["history"]},
        "evidence": {"path": str(folder / "evidence"), "keep_bytes": QUOTA["evidence"]},
        "record": {
            "path": str(folder / "recording"),
            "keep_bytes": QUOTA["record"],
            "segment_bytes": 1_000_000,
            "segment_s": 20,
        },
        "state": {"path": str(folder / "state" / "state.db")},
    }
    return Config.model_validate(
        {
            "streams": streams,
            "model": {"name": model, "threads": 1},
            "bus": {"address": ANY, "inbound": ANY, "control": ANY},
            "queries": [{"text": text, "budget": 20, "on": 2.0} for text in texts],
            "rules": [
                {"id": "warm", "reading": "max_c", "above": 40, "for_s": 1},
                {"id": "deaf", "silent_s": 30},
            ],
            "sinks": [{"kind": "bus"}, {"kind": "jsonl", "path": str(folder / "log" / "a.jsonl")}],
            **kept,
        }
    )


def serve_motion(stopping: threading.Event) -> int:
    """A sensor at a socket: 100 lines a second, for a minute a connection."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        rng = np.random.default_rng(3)
        while not stopping.is_set():
            line, _ = server.accept()
            with line, contextlib.suppress(OSError):
                begun_s, sent = time.monotonic(), 0
                while not stopping.is_set() and sent < 6000:
                    due = int((time.monotonic() - begun_s) * 100)
                    for _ in range(due - sent):
                        values = rng.normal((0, 0, 9.8, 0, 0, 0), 0.2)
                        line.sendall(",".join(f"{v:.4f}" for v in values).encode() + b"\n")
                    sent = due
                    time.sleep(0.02)

    threading.Thread(target=serve, daemon=True).start()
    return int(server.getsockname()[1])


def watch(run: Supervisor, sampler: Sampler, seconds: float, every_s: float) -> None:
    begun_s = time.monotonic()
    due_s = begun_s
    while (now_s := time.monotonic()) < begun_s + seconds:
        run.poll()
        for notice in run.notices.news():
            at = time.strftime("%H:%M:%S", time.localtime(notice.at_ns / 1e9))
            print(f"! {at} {notice.what}", file=sys.stderr, flush=True)
        if now_s >= due_s:
            due_s += every_s
            sampler.take()
        time.sleep(0.5)


def come_and_go(run: Supervisor, stopping: threading.Event) -> None:
    """Subscribers that stay for a moment; every other one does not read."""
    rng = random.Random(1)
    topics = ["", "emb.", "alert.", *(f"emb.{m}.{s}" for s, m in STREAMS.items())]
    while not stopping.wait(rng.uniform(0.1, 2)):
        with Subscriber(run.address, rng.sample(topics, 2)) as subscriber:
            until_s = time.monotonic() + rng.uniform(0.1, 3)
            while time.monotonic() < until_s and rng.random() < 0.98:
                subscriber.receive(0.2)


def change_queries(run: Supervisor, stopping: threading.Event) -> None:
    """Queries are added and removed, and everything is asked for."""
    rng = random.Random(2)
    words = ["a kettle", "running", "glass breaking", "a dark room", "a cat"]
    while not stopping.wait(rng.uniform(5, 10)):
        added = {"id": "guest", "text": rng.choice(words), "budget": "10/h"}
        for request in (
            {"op": "query.add", "query": added, "replace": True},
            {"op": "status"},
            {"op": "explain", "stream": rng.choice([*STREAMS, LIVE])},
            {"op": "alert.list", "most": 50},
            {"op": "query.remove", "id": "guest"},
        ):
            try:
                ask(run.control, request, timeout_s=30)
            except BindstreamError as error:
                print(f"! {request['op']}: {error}", file=sys.stderr, flush=True)


def report(sampler: Sampler, said: dict[str, Any], options: argparse.Namespace) -> int:
    warm_up_s = options.warm_up_s
    if warm_up_s is None:
        warm_up_s = max(60.0, 0.2 * options.minutes * 60)
    times_s, series = sampler.series()
    used = times_s >= warm_up_s
    found = {name: growth(times_s[used], values[used]) for name, values in series.items()}
    per_hour = sampler.windows_per_hour(warm_up_s)
    dim = sampler.dim
    rows = {
        name: (one, kind_of(name), *meant(name, one, per_hour, dim, QUOTA))
        for name, one in found.items()
    }
    text, grown = table(rows)
    unbalanced = [name for name, stream in said["streams"].items() if not balances(stream)]
    if options.png:
        draw(options.png, times_s, series, warm_up_s)
    if options.json:
        figures = {
            "minutes": options.minutes,
            "warm_up_s": warm_up_s,
            "grows": grown,
            "unbalanced": unbalanced,
            "restarts": {n: s.get("restarts") for n, s in said["streams"].items()},
            "figures": {name: known(vars(one)) for name, one in found.items()},
            "times_s": times_s.round(1).tolist(),
            "samples": {n: list(known(enumerate(s)).values()) for n, s in series.items()},
        }
        print(json.dumps(figures, allow_nan=False))
    else:
        print(f"{options.minutes:g} minutes, the first {warm_up_s:.0f} s left out as warm-up; ")
        print(f"{int(used.sum())} samples; {per_hour:.0f} windows and {sampler.alerts} alerts\n")
        print(text)
        print(
            f"\naccounts: {'do not balance: ' + ', '.join(unbalanced) if unbalanced else 'exact'}"
        )
        print(f"verdict: {'grows: ' + ', '.join(grown) if grown else 'no growth seen'}")
    return 1 if grown or unbalanced else 0


def known(figures: Mapping[Any, float] | Iterable[tuple[Any, float]]) -> dict[Any, float | None]:
    """The same, null where there is no number: JSON has none for it."""
    return {name: float(v) if math.isfinite(v) else None for name, v in dict(figures).items()}


def balances(stream: dict[str, Any]) -> bool:
    said = stream.get("intake", {}).get("accounts")
    if said is None:
        return False
    dropped = sum(said["dropped"].values())
    made = said["embedded"] + said["reused"] + dropped + said["pending"]
    return bool(said["captured"] == made)


if __name__ == "__main__":
    main()
