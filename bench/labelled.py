"""Labelled recordings of the starter's data as vectors, a kind and a source each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bindstream.models.encoder import Model
from bindstream.records import ModalityName
from bindstream.teaching.examples import Example, read_examples
from bindstream.training.starter.recordings import Entry

Vectors = NDArray[np.float32]

LEAST_PICTURES = 16
MOST_CROPS = 4  # of a kind in one frame
WINDOW_ROWS, LEAST_ROWS = 500, 90  # of movement: five seconds, and the least that is taken


@dataclass(frozen=True)
class Thing:
    """A recording's unit vector (dim,), its kind ("" if none of those asked for) and its source."""

    vector: Vectors
    kind: str
    source: str
    held_out: bool


def sounds(model: Model, entries: Sequence[Entry]) -> Iterator[Thing]:
    """ESC-10, and held-out sounds of other kinds than its ten."""
    mine = [e for e in entries if e.modality == "audio"]
    ten = {c for e in mine if e.group.startswith("esc10 ") for c in e.concepts}
    wanted = [
        (e, e.label if e.group.startswith("esc10 ") else "")
        for e in mine
        if e.group.startswith("esc10 ") or (e.held_out and not e.concepts & ten)
    ]
    yield from _of_files(model, "audio", wanted)


def pictures(model: Model, entries: Sequence[Entry]) -> Iterator[Thing]:
    """Pictures held out, of the kinds with at least `LEAST_PICTURES` of them."""
    mine = [e for e in entries if e.modality == "vision" and e.held_out]
    count: dict[str, int] = defaultdict(int)
    for entry in mine:
        count[entry.label] += 1
    wanted = [(e, e.label if count[e.label] >= LEAST_PICTURES else "") for e in mine]
    yield from _of_files(model, "vision", wanted)


def _of_files(
    model: Model, modality: ModalityName, wanted: Sequence[tuple[Entry, str]]
) -> Iterator[Thing]:
    found = read_examples(model, modality, [entry.path for entry, _ in wanted])
    for (entry, kind), example in zip(wanted, found, strict=True):
        if isinstance(example, Example):  # a few recordings are silent throughout
            yield Thing(example.vector, kind, entry.group, entry.held_out)


def movements(model: Model, entries: Sequence[Entry]) -> Iterator[Thing]:
    """Each labelled movement, played to and fro until five seconds are full: they are short, and
    what follows upon them would fill the rest."""
    times_ns = np.arange(WINDOW_ROWS, dtype=np.int64) * 10**7  # recorded at about 100 Hz
    for entry in (e for e in entries if e.modality == "imu" and e.held_out):
        with np.load(entry.path) as file:
            rows, labels = file["acc_gyro"].astype(np.float32), file["label"]
        edges = np.flatnonzero(labels[1:] != labels[:-1]) + 1
        for part in np.split(np.arange(len(labels)), edges):
            if len(part) >= LEAST_ROWS:
                to_and_fro = np.concatenate([part, part[-2:0:-1]])
                filled = rows[np.resize(to_and_fro, WINDOW_ROWS)]
                (vector,) = model.embed("imu", (times_ns, filled))
                yield Thing(vector, str(labels[part[0]]), entry.group, True)


def crops(model: Model, entries: Sequence[Entry]) -> Iterator[Thing]:
    """Quarters of aerial heat frames, each around an object, that show objects of one kind."""
    for entry in (e for e in entries if e.modality == "thermal" and e.held_out):
        with Image.open(entry.path) as image:
            frame_c = np.asarray(image.convert("L"), np.float32) * np.float32(40 / 255)
        side = frame_c.shape[0] // 2
        taken: dict[str, int] = defaultdict(int)
        for kind, x, y, _, _ in entry.boxes:
            left, top = (
                int(np.clip(middle - side / 2, 0, length - side))
                for middle, length in ((x, frame_c.shape[1]), (y, frame_c.shape[0]))
            )
            shown = {
                name
                for name, x, y, _, _ in entry.boxes
                if 0 <= x - left < side and 0 <= y - top < side
            }
            taken[kind] += 1
            if shown == {kind} and taken[kind] <= MOST_CROPS and kind != "truck":
                crop = frame_c[top : top + side, left : left + side]
                yield Thing(model.embed("thermal", crop)[0], kind, entry.group, True)


THINGS = {"audio": sounds, "vision": pictures, "imu": movements, "thermal": crops}
