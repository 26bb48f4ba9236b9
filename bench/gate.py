"""The activity gate on a quiet house: what it saves, how far vectors lie off, what it misses.

    python bench/gate.py [--houses 3] [--seconds 180] [--model starter] [--data DIR]

Plays the same houses twice through the pipeline in one process, with every gate off and on. Prints
for each modality: the share of windows that reused a vector, the tower time that saved, the cosine
distance between the vector reused and the one that would have been computed, and the events found,
missed and made up either way. With --data, real sounds (audio.csv) and motion (imu/*.npz) are
measured against the levels as well.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bindstream import Alert, Config, Embedding, Pipeline
from bindstream.change import MotionChange, loudest_dbfs
from bindstream.demo import verdicts
from bindstream.features.whole import read_sound
from bindstream.gate import GATE_LEVELS
from bindstream.modalities import SENSORS
from bindstream.records import Window
from bindstream.scene import CATALOGUE, Verdict

FIRST_HOUSE = 2
# Thinly spread over the time: (kind, when as a share of the length, seconds).
EVENTS = (
    ("doorbell", 0.15, 3),
    ("dog", 0.24, 7),
    ("walking", 0.33, 9),
    ("fire", 0.42, 8),
    ("package", 0.52, 9),
    ("running", 0.60, 9),
    ("fallen_person", 0.68, 9),
    ("falling", 0.77, 5),
    ("lights_out", 0.84, 8),
    ("glass_breaking", 0.93, 1.6),
)


@dataclass
class Played:
    """One run: vectors by (stream, number), verdicts, accounts, and mean tower seconds."""

    vectors: dict[tuple[str, int], Embedding] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    captured: dict[str, int] = field(default_factory=dict)
    reused: dict[str, int] = field(default_factory=dict)
    tower_s: dict[str, float] = field(default_factory=dict)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--houses", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    pairs = []
    for seed in range(FIRST_HOUSE, FIRST_HOUSE + arguments.houses):
        configs = [quiet_house(seed, arguments, gate) for gate in (False, True)]
        pairs.append((play(configs[0]), play(configs[1])))
        print(f"house {seed} played", flush=True)
    print_savings(pairs)
    print_events(pairs)
    if arguments.data is not None:
        print_real(arguments.data)


def quiet_house(seed: int, arguments: argparse.Namespace, gate: bool) -> Config:
    length_s = arguments.seconds
    events = [{"kind": k, "at_s": at * length_s, "length_s": s} for k, at, s in EVENTS]
    source = {
        "kind": "scene",
        "seed": seed,
        "length_s": length_s,
        "events": events,
        "speed": "max",
    }
    return Config.model_validate(
        {
            "streams": [
                {"name": m, "modality": m, "source": source, "gate": gate} for m in SENSORS
            ],
            "model": {"name": arguments.model, "threads": 2},
            "queries": [query(kind) for kind, _, _ in EVENTS],
        }
    )


def query(kind: str) -> dict[str, Any]:
    """Every sensor that perceives such an event watches for it in its own words."""
    says = CATALOGUE[kind].says
    words = list(dict.fromkeys(phrase for phrases in says.values() for phrase in phrases))
    return {"id": kind, "text": words, "modalities": list(says)}


def play(config: Config) -> Played:
    pipeline, played, alerts = Pipeline(config), Played(), []
    for record in pipeline:
        if isinstance(record, Alert):
            alerts.append(record)
        else:
            played.vectors[record.stream, record.seq] = record
    start_ns = min(e.start_ns for e in played.vectors.values())
    played.verdicts = verdicts(config, alerts, start_ns)
    for stream, health in pipeline.health().items():
        played.captured[stream] = health.accounts.captured
        played.reused[stream] = health.accounts.reused
    played.tower_s = pipeline.tower_s()
    return played


def print_savings(pairs: list[tuple[Played, Played]]) -> None:
    print(f"\n{'modality':10s}{'windows':>8s}{'reused':>8s}{'tower saved':>13s}", end="")
    print("   cosine distance p50 / p99 / max")
    for modality in SENSORS:
        windows = sum(on.captured[modality] for _, on in pairs)
        reused = sum(on.reused[modality] for _, on in pairs)
        saved_s = sum(on.reused[modality] * on.tower_s[modality] for _, on in pairs)
        off_by = np.array([d for off, on in pairs for d in distances(off, on, modality)] or [0.0])
        p50, p99 = np.percentile(off_by, (50, 99))
        print(f"{modality:10s}{windows:8d}{reused / windows:8.0%}{saved_s:11.1f} s", end="")
        print(f"   {p50:.4f} / {p99:.4f} / {off_by.max():.4f}")


def distances(off: Played, on: Played, modality: str) -> list[float]:
    return [
        1 - float(e.vector @ off.vectors[key].vector)
        for key, e in on.vectors.items()
        if key[0] == modality and e.same_as is not None
    ]


def print_events(pairs: list[tuple[Played, Played]]) -> None:
    print(f"\n{'event':16s}{'gate off: found / missed / false':>36s}{'gate on':>20s}")
    sums: dict[str, list[int]] = defaultdict(lambda: [0] * 6)
    for pair in pairs:
        for i, played in enumerate(pair):
            for v in played.verdicts:
                for k, n in enumerate((v.found, v.missed, v.false)):
                    sums[v.kind][3 * i + k] += len(n)
    sums["all"] = [sum(column) for column in zip(*sums.values(), strict=True)]
    for kind, (a, b, c, d, e, f) in sums.items():
        print(f"{kind:16s}{f'{a} / {b} / {c}':>36s}{f'{d} / {e} / {f}':>20s}")
    lost = [
        f"{v.kind} in house {FIRST_HOUSE + i}"
        for i, (off, on) in enumerate(pairs)
        for v, w in zip(off.verdicts, on.verdicts, strict=True)
        if set(v.found) - set(w.found)
    ]
    print(f"found without the gate and missed with it: {', '.join(lost) or 'none'}")


def print_real(data: Path) -> None:
    """How loud labelled sounds are, and how far labelled motion strays, beside the levels."""
    with (data / "audio.csv").open(newline="", encoding="utf-8") as table:
        files = [row["file"] for row in csv.DictReader(table)]
    loudest = [loudest_dbfs(read_sound(data / "audio" / Path(file).name)) for file in files]
    level = GATE_LEVELS["audio"]["dbfs"]
    share = np.mean(np.array(loudest) < level)
    print(f"\n{len(files)} real sounds: {share:.1%} never reach {level:g} dBFS")
    strays: dict[str, list[dict[str, float]]] = defaultdict(list)
    for path in sorted((data / "imu").glob("*.npz")):
        held = np.load(path)
        for label, rows, times_ns in stretches(held["label"], held["acc_gyro"], held["time_ms"]):
            look = MotionChange().look(
                Window("imu", "imu", 0, 0, 1, rows, 1.0, times_ns=times_ns), None
            )
            strays[label].append(MotionChange().change(look, look))
    for label, found in strays.items():
        for name, bound in GATE_LEVELS["imu"].items():
            amounts = np.array([change[name] for change in found])
            median, within = np.median(amounts), np.mean(amounts <= bound)
            print(f"{len(found):4d} × {label:14s}{name:10s}", end="")
            print(f"median {median:6.2f}, {within:4.0%} within {bound:g}")


def stretches(labels: Any, rows: Any, times_ms: Any) -> list[tuple[str, Any, Any]]:
    """Stretches of one label of 1.5 s or more, less a quarter of a second at either end."""
    edges = np.flatnonzero(np.concatenate(([True], labels[1:] != labels[:-1], [True])))
    found = []
    for a, b in pairwise(edges):
        inside = (times_ms >= times_ms[a] + 250) & (times_ms <= times_ms[b - 1] - 250)
        if times_ms[b - 1] - times_ms[a] >= 1500:
            found.append((str(labels[a]), rows[inside], times_ms[inside] * 1_000_000))
    return found


if __name__ == "__main__":
    main()
