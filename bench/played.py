"""Streams as vectors: what `streams.py` plans, in the scenes of `rooms.py` and `views.py`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Protocol
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rooms import Happening, Inputs, SoundRoom
from streams import LEVEL_DB, Part, Stream, happenings
from views import Body, Camera, People

from bindstream.models.encoder import Model
from bindstream.records import ModalityName
from bindstream.scene.seeds import rng_for
from bindstream.training.starter.activities import RECORDED, read_motion, stretches
from bindstream.training.starter.recordings import Entry

MINUTE_S = 60  # computed at once


class Scene(Protocol):
    """A sensor's scene: the model inputs of the windows that begin at each second."""

    def minute(self, start_s: int, seconds: int) -> Inputs: ...


def played(stream: Stream, part: Part, entries: Sequence[Entry]) -> tuple[list[Happening], Scene]:
    """What happens in one half of a stream, and the scene in which it does."""
    found = happenings(stream, part, entries)
    seed = crc32(stream.name.encode()) + 7919 * part.seed
    house = crc32(stream.name.encode()) + int(part.held_out)
    if stream.modality == "audio":
        own = house if stream.name == "house" else None
        return found, SoundRoom(found, part.seconds, seed, LEVEL_DB[stream.name], own)
    if stream.modality == "vision":
        return found, Camera(found, part.seconds, seed, house)
    if stream.name == "body":
        return found, Body(found, part.seconds, seed)
    recorded, shown = _recorded(part, entries)
    asked = [h for h in found if not h.source]
    shown = [h for h in shown if not any(_meet(h, one) for one in asked)]
    everything = sorted([*asked, *shown], key=lambda h: h.start_s)
    return everything, People(asked, part.seconds, seed, recorded)


def _meet(one: Happening, other: Happening) -> bool:
    return one.start_s < other.end_s and other.start_s < one.end_s


def _recorded(
    part: Part, entries: Sequence[Entry]
) -> tuple[list[tuple[float, Path]], list[Happening]]:
    """Recordings of people in random order until the half is full, and what they do in them."""
    rng = rng_for(part.seed, "people", part.half)
    mine = [e for e in entries if e.modality == "imu" and e.held_out == part.held_out]
    read = [read_motion(e.path) for e in mine]
    order: list[tuple[float, Path]] = []
    found: list[Happening] = []
    at_s = 0.0
    while mine and at_s < part.seconds + 30:
        index = int(rng.integers(len(mine)))
        times, _, labels = read[index]
        order.append((at_s, mine[index].path))
        for run in stretches(times, labels):
            start_s, end_s = (at_s + times[at] / 1e9 for at in (run.start, run.stop - 1))
            concepts = (RECORDED[str(labels[run.start])],)
            found.append(Happening(start_s, end_s, concepts, mine[index].path.name))
        at_s += times[-1] / 1e9 - 0.3
    return order, found


@dataclass(frozen=True)
class Heard:
    """One half as vectors (n, dim) float32, one a second, and what happened in it."""

    vectors: NDArray[np.float32]
    happenings: list[Happening]


def heard(
    model: Model, stream: Stream, part: Part, entries: Sequence[Entry], work: Path | None
) -> Heard:
    """The vectors of one half of a stream; computed once, if there is a folder to keep them."""
    found, scene = played(stream, part, entries)
    plan = json.dumps([asdict(stream), asdict(part), [asdict(h) for h in found]])
    name = f"{stream.name}-{part.half}-{crc32(plan.encode()):08x}-{model.fingerprint[:8]}.npy"
    kept = work / name if work else None
    if kept is not None and kept.is_file():
        return Heard(np.load(kept).astype(np.float32), found)
    began = perf_counter()
    label = f"{stream.name} {part.half}"
    vectors = np.concatenate(list(_embedded(model, stream.modality, scene.minute, part, label)))
    ms = (perf_counter() - began) / len(vectors) * 1e3
    print(f"{label}: {len(vectors)} windows, {ms:.1f} ms each", file=sys.stderr, flush=True)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.save(kept, vectors.astype(np.float16))
    return Heard(vectors.astype(np.float16).astype(np.float32), found)


def _embedded(
    model: Model,
    modality: ModalityName,
    minute: Callable[[int, int], Inputs],
    part: Part,
    label: str,
) -> Iterator[NDArray[np.float32]]:
    starts = range(0, part.seconds, MINUTE_S)
    for start_s in track(starts, label, console=Console(stderr=True), transient=True):
        yield model.encode(modality, minute(start_s, MINUTE_S))
