"""How well words find what happened, in the history of the scene's houses.

    python bench/searching.py [--houses 3] [--seconds 300] [--model starter]

Plays houses in which each kind of event happens once, keeps their vectors, and searches each
sensor's history for the words of each event. Prints how often the first hit is right and how many
of the first three are, ranked by z alone (`by z`), with what the words are no likely name of left
out (`and share`), and by bare cosines (`by cosine`), which bindstream never compares across
sensors: in every house they are the same, and perceive the same.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gate import EVENTS, FIRST_HOUSE

from bindstream import Config, Embedding, Pipeline
from bindstream.history import History
from bindstream.history.question import ask
from bindstream.history.search import LIKELY, Hit, Question, Scope, search
from bindstream.modalities import SENSORS
from bindstream.models import load_model
from bindstream.models.encoder import Model
from bindstream.scene import CATALOGUE

MORE_EVENTS = (("kettle", 0.05, 7), ("smoke_alarm", 0.97, 7))
FIRST = 3


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--houses", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--model", default="starter")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    model = load_model(arguments.model, modalities=["text"])
    right: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for seed in range(FIRST_HOUSE, FIRST_HOUSE + arguments.houses):
        with tempfile.TemporaryDirectory() as folder:
            begun_ns = play(seed, arguments, Path(folder))
            for event in events(arguments.seconds):
                judge(History(folder), model, event, begun_ns, right)
        print(f"house {seed} played", flush=True)
    print(f"\n{'':14s}{'first hit right':>16s}{f'of the first {FIRST}':>18s}")
    for ranking, marks in right.items():
        first, some = np.mean(marks, axis=0)
        print(f"{ranking:14s}{first:16.0%}{some:18.0%}")


def events(length_s: float) -> list[dict[str, Any]]:
    kinds = (*EVENTS, *MORE_EVENTS)
    return [{"kind": k, "at_s": at * length_s, "length_s": s} for k, at, s in kinds]


def play(seed: int, arguments: argparse.Namespace, folder: Path) -> int:
    """Keep a house's vectors in a folder; returns when its scene begins, UTC ns."""
    length_s = arguments.seconds
    source = {
        "kind": "scene",
        "seed": seed,
        "length_s": length_s,
        "events": events(length_s),
        "speed": "max",
    }
    config = Config.model_validate(
        {
            "streams": [{"name": m, "modality": m, "source": source} for m in SENSORS],
            "model": {"name": arguments.model, "threads": 2},
            "history": {"path": str(folder)},
        }
    )
    starts = [r.start_ns for r in Pipeline(config) if isinstance(r, Embedding)]
    return min(starts) // 10**9 * 10**9


def judge(
    history: History,
    model: Model,
    event: dict[str, Any],
    begun_ns: int,
    right: dict[str, list[tuple[float, float]]],
) -> None:
    """Search for one event, and note for each ranking how right it was."""
    says = CATALOGUE[event["kind"]].says
    words = list(dict.fromkeys(phrase for phrases in says.values() for phrase in phrases))
    since_ns = begun_ns + event["at_s"] * 1e9
    until_ns = since_ns + event["length_s"] * 1e9

    def is_right(hit: Hit) -> bool:
        seen_ns = min(hit.peak_end_ns, until_ns) - max(hit.peak_start_ns, since_ns)
        return hit.modality in says and seen_ns > 0.4e9

    asked = ask(history, model, words, [])
    plain = search(history, Question(asked.vector, asked.model), Scope(), 50).hits
    held = [hit for hit in search(history, asked, Scope(), 50).hits if hit.share >= LIKELY]
    rankings: dict[str, tuple[list[Hit], Callable[[Hit], float]]] = {
        "by z": (plain, lambda hit: hit.z),
        "and share": (held, lambda hit: hit.z),
        "by cosine": (plain, lambda hit: hit.score),
    }
    for name, (hits, rank) in rankings.items():
        best = [is_right(hit) for hit in sorted(hits, key=rank, reverse=True)[:FIRST]]
        right[name].append((float(any(best[:1])), float(np.mean(best or [0.0]))))


if __name__ == "__main__":
    main()
