"""Held-out figures: `python -m bindstream.training.starter.evaluate --model DIR --data DIR`.

Recordings whose source was held out of training, and rendered houses of seeds that training never
saw, pass through the product's own features and towers and are ranked against the words.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bindstream.features import features_for
from bindstream.features.audio import RATE_HZ, filterbank
from bindstream.features.thermal import GainControl, thermal_image
from bindstream.features.vision import still_clip
from bindstream.modalities import MODALITIES, SENSORS
from bindstream.models import load_model
from bindstream.models.encoder import Model
from bindstream.records import ModalityName, Window
from bindstream.scene.catalogue import CATALOGUE, kinds_of
from bindstream.scene.examples import example
from bindstream.scene.seeds import rng_for
from bindstream.training.sounds import loudness, mel_frames, read_sound
from bindstream.training.starter.activities import recorded
from bindstream.training.starter.phrases import BACKGROUND_OF, concepts, related
from bindstream.training.starter.recordings import Entry, read_recordings

BATCH = 16
PART = "held out"  # names the seeds of rendered houses that training never sees
Example = tuple[NDArray[np.float32], frozenset[str]]
Figures = dict[str, Any]


def rendered_input(modality: ModalityName, kind: str | None, index: int) -> NDArray[np.float32]:
    """The model input of a window of a held-out house, through the product's features stage."""
    found = example(modality, kind, rng_for(index, PART, kind or "nothing", modality))
    data, times = (found[1], found[0]) if isinstance(found, tuple) else (found, None)
    start_ns = 20_000_000_000  # `example` cuts its window 20 s into the scene
    window = Window(
        stream="held out",
        modality=modality,
        seq=0,
        start_ns=start_ns,
        end_ns=start_ns + int(MODALITIES[modality].window_s * 1e9),
        data=data,
        coverage=1.0,
        times_ns=times,
    )
    made = features_for(modality, "held out").push(window)
    if made.void:
        raise ValueError(f"{modality} window of {kind} is void: {made.void}")
    return np.asarray(made.data, np.float32)


def rendered_examples(modality: ModalityName, count: int) -> Iterator[Example]:
    """`count` windows of each kind of event and as many again, five times, of none."""
    for kind in (*kinds_of(modality), None):
        for index in range(count if kind else 5 * count):
            shown = kind or BACKGROUND_OF[modality]
            yield rendered_input(modality, kind, index), frozenset({shown})


def recorded_examples(entries: Sequence[Entry], modality: ModalityName) -> Iterator[Example]:
    """Held-out recordings as the product would see them: one window each, by IMU several."""
    mine = [e for e in entries if e.modality == modality and e.held_out]
    if modality == "imu":
        yield from recorded(mine, 3, np.random.default_rng(0))
    for entry in mine:
        if modality == "audio":
            yield filterbank(_loudest(read_sound(entry.path))), entry.concepts
        elif modality == "vision":
            with Image.open(entry.path) as image:
                yield still_clip(np.asarray(image.convert("RGB"))), entry.concepts
        elif modality == "thermal":
            yield from _tiles(entry)


def _loudest(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """The 2 s of a recording around its loudest second."""
    size = 2 * RATE_HZ
    if len(wave) <= size:
        return wave
    power = np.exp(loudness(mel_frames(wave)))
    sums = np.convolve(power, np.ones(100), "same")
    start = int(np.clip((int(sums.argmax()) - 100) * 160, 0, len(wave) - size))
    return wave[start : start + size]


def _tiles(entry: Entry) -> Iterator[Example]:
    """A quarter-frame around the first object of each kind, or the middle if there is none."""
    with Image.open(entry.path) as image:
        frame = np.asarray(image.convert("L"))
    side = frame.shape[0] // 2
    boxes = {box[0]: box for box in reversed(entry.boxes)}
    for _, x, y, _, _ in boxes.values() or [("", frame.shape[1] / 2, side, 0, 0)]:
        left = int(np.clip(x - side / 2, 0, frame.shape[1] - side))
        top = int(np.clip(y - side / 2, 0, frame.shape[0] - side))
        shown = frozenset(
            b[0] for b in entry.boxes if left <= b[1] < left + side and top <= b[2] < top + side
        )
        # 8-bit grey stands for 0 to 40 °C; gain control stretches it again.
        tile_c = frame[top : top + side, left : left + side] * np.float32(40 / 255)
        grey = GainControl().push(tile_c, 0)
        yield thermal_image(grey), shown or frozenset({BACKGROUND_OF["thermal"]})


def measure(model: Model, modality: ModalityName, examples: Iterable[Example]) -> Figures:
    """How well windows and words of the concepts that occur find each other.

    `top1` and `top5`: a window's best word among those concepts is one it shows; `mean_class`: the
    same averaged over concepts; `auc`: how surely a window of a concept outscores one of another
    for the concept's word, averaged over concepts; `quiet`: the share of event windows that
    outscore 95 % of the background windows, by the cosine to their own word.
    """
    inputs, shown = zip(*examples, strict=True)
    batches = (np.stack(inputs[i : i + BATCH]) for i in range(0, len(inputs), BATCH))
    vectors = np.concatenate([model.encode(modality, batch) for batch in batches])
    names = sorted(set().union(*shown))
    words = {name: _vector(model, name) for name in names}
    cosines = vectors @ np.stack(list(words.values())).T
    background = np.array([BACKGROUND_OF[modality] in s for s in shown])
    hits: list[bool] = []
    top5: list[bool] = []
    areas: list[float] = []
    quiet: list[bool] = []
    per_class: dict[str, list[bool]] = {}
    for row, labels in zip(cosines, shown, strict=True):
        order = [names[i] for i in np.argsort(-row)]
        hits.append(order[0] in labels)
        top5.append(bool(labels & set(order[:5])))
        for label in labels:
            per_class.setdefault(label, []).append(hits[-1])
    for column, name in enumerate(names):
        own = np.array([name in s for s in shown])
        other = np.array([not (s & related(name)) for s in shown])
        if own.any() and other.any():
            areas.append(float(np.mean(cosines[own, column][:, None] > cosines[other, column])))
        if background.any() and name != BACKGROUND_OF[modality]:
            cut = np.quantile(cosines[background, column], 0.95)
            quiet += (cosines[own, column] > cut).tolist()
    figures: Figures = {
        "n": len(shown),
        "concepts": len(names),
        "top1": float(np.mean(hits)),
        "top5": float(np.mean(top5)),
        "mean_class": float(np.mean([np.mean(v) for v in per_class.values()])),
        "auc": float(np.mean(areas)),
        "by_class": {k: [round(float(np.mean(v)), 2), len(v)] for k, v in per_class.items()},
    }
    if quiet:
        figures["found_at_5%_false"] = float(np.mean(quiet))
    return figures


def _vector(model: Model, name: str) -> NDArray[np.float32]:
    """A concept as a user would type it: its plainest phrases, averaged."""
    plain = CATALOGUE[name].words if name in CATALOGUE else concepts()[name].phrases[0]
    vector = model.encode_text([plain])[0]
    return np.asarray(vector)


def evaluate(
    model: Model, data: Path, count: int, modalities: Sequence[ModalityName]
) -> Mapping[str, Figures]:
    """All held-out figures, by "modality recorded" and "modality rendered"."""
    entries = read_recordings(data)
    found: dict[str, Figures] = {}
    for modality in modalities:
        real = list(recorded_examples(entries, modality))
        if real:
            found[f"{modality} recorded"] = measure(model, modality, real)
        if modality == "audio":
            ten = [e for e in entries if e.group.startswith("esc10")]
            found["audio ESC-10 fold 4"] = measure(
                model, modality, list(recorded_examples(ten, modality))
            )
        found[f"{modality} rendered"] = measure(model, modality, rendered_examples(modality, count))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints a table, and all figures as JSON with --json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--towers", default=",".join(SENSORS), help="which towers to measure")
    parser.add_argument("--count", type=int, default=10, help="rendered windows of each kind")
    parser.add_argument("--json", type=Path, help="also write all figures here")
    options = parser.parse_args(arguments)
    towers = [name for name in SENSORS if name in options.towers.split(",")]
    found = evaluate(load_model(options.model), options.data, options.count, towers)
    for name, figures in found.items():
        cells = [
            f"{key} {value:.3f}" if isinstance(value, float) else f"{key} {value}"
            for key, value in figures.items()
            if key != "by_class"
        ]
        sys.stdout.write(f"{name:22s} " + "  ".join(cells) + "\n")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
