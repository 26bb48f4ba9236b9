"""Held-out figures: `python -m bindstream.training.starter.evaluate --data DIR [--model DIR]`.

Recordings whose source was held out of training, and rendered houses of seeds that training never
saw, pass through the product's own features and towers and are matched against words.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from bindstream.evaluation.confusion import draw_confusions
from bindstream.models import load_model
from bindstream.models.encoder import Model
from bindstream.records import ModalityName
from bindstream.scene.catalogue import kinds_of
from bindstream.training.starter import held_out
from bindstream.training.starter.figures import (
    Embedded,
    Figure,
    across,
    choice,
    embed,
    falls,
    phrasings,
    plain_words,
    precision_of_sounds,
)
from bindstream.training.starter.phrases import BACKGROUND_OF
from bindstream.training.starter.recordings import Entry, read_recordings

TEN = ("dog", "rain", "sea_waves", "baby_crying", "clock", "sneeze", "helicopter", "chainsaw",
       "rooster", "fire")  # fmt: skip
"""The best-represented sounds: the kinds of ESC-10."""
AERIAL = {
    "person": frozenset({"person"}),
    "vehicle": frozenset({"car", "truck"}),
    "bicycle": frozenset({"bicycle"}),
}
ACTIVITIES = {
    "walking": frozenset({"walking"}),
    "sitting still": frozenset({"sitting_still"}),
    "changing posture": frozenset({"standing_up", "sitting_down"}),
}
PAIRS: tuple[tuple[ModalityName, ModalityName], ...] = (
    ("audio", "vision"), ("vision", "audio"), ("audio", "thermal"), ("thermal", "audio"),
    ("vision", "thermal"), ("thermal", "vision"), ("depth", "vision"), ("vision", "depth"),
)  # fmt: skip
COUNT = 20  # rendered windows of each kind
HOP_S = 1.0  # of the windows in which false alarms of falls are counted

Log = Callable[[str], None]


class HeldOut:
    """All that the starter is measured on, embedded by `model` when it is asked for."""

    def __init__(self, model: Model, entries: Sequence[Entry], count: int, log: Log) -> None:
        self._model, self._count, self._log = model, count, log
        self._entries = entries
        self._done: dict[tuple[str, ModalityName], Embedded] = {}

    def recorded(self, modality: ModalityName) -> Embedded:
        """Recordings of held-out sources."""
        read = {
            "audio": held_out.sounds,
            "vision": held_out.pictures,
            "thermal": held_out.crops,
            "imu": held_out.activities,
        }
        return self._once("recorded", modality, lambda: read[modality](self.of(modality)))

    def rendered(self, modality: ModalityName) -> Embedded:
        """Rendered windows of houses that training never saw."""
        return self._once("rendered", modality, lambda: held_out.houses(modality, self._count))

    def of(self, modality: ModalityName, *, trained: bool = False) -> list[Entry]:
        """The entries held out, or those trained on."""
        return [e for e in self._entries if e.modality == modality and e.held_out != trained]

    def both(self, modality: ModalityName) -> Embedded:
        """Recorded and rendered together; depth is rendered alone."""
        found = [self.rendered(modality)]
        if modality in ("audio", "vision"):
            found.append(self.recorded(modality))
        shown = tuple(s for one in found for s in one.shown)
        return embed(self._model, modality, shown)

    def _once(
        self, part: str, modality: ModalityName, read: Callable[[], Iterable[held_out.Shown]]
    ) -> Embedded:
        if (part, modality) not in self._done:
            self._log(f"{modality}, {part}")
            self._done[part, modality] = embed(self._model, modality, read())
        return self._done[part, modality]


def evaluate(
    model: Model, data: Path, towers: Sequence[ModalityName], count: int, log: Log
) -> Iterator[Figure]:
    """All figures of the towers named. Blocks for minutes."""
    found = HeldOut(model, read_recordings(data), count, log)
    if "audio" in towers:
        ten = [e for e in found.of("audio") if e.group.startswith("esc10")]
        clips = embed(model, "audio", held_out.sounds(ten))
        yield choice("sounds, the ten best-represented kinds", model, clips, _each(TEN))
        trained = list(held_out.sounds(found.of("audio", trained=True)))
        yield precision_of_sounds(model, found.recorded("audio"), trained)
    if "vision" in towers:
        pictures = found.recorded("vision")
        names = sorted(set().union(*(s.concepts for s in pictures.shown)))
        yield choice("pictures, all classes", model, pictures, _each(names))
    if "thermal" in towers:
        words, seen = {c: [c] for c in AERIAL}, found.recorded("thermal")
        yield choice("aerial thermal crops", model, seen, AERIAL, words, balanced=True)
    if "imu" in towers:
        words, known = {c: [c] for c in ACTIVITIES}, set().union(*ACTIVITIES.values())
        alone = embed(model, "imu", held_out.activities(found.of("imu"), alone=True))
        for name, runs in (("repeated", alone), ("in the middle of 5 s", found.recorded("imu"))):
            name = f"activities of unseen people, {name}"
            yield choice(name, model, runs.only(known), ACTIVITIES, words, balanced=True)
        walked = embed(model, "imu", held_out.walks(found.of("imu"), HOP_S))
        hours = len(walked.windows) * HOP_S / 3600
        yield falls(model, found.rendered("imu").only({"falling"}), walked, hours)
    for modality in towers:
        kinds = _each((*kinds_of(modality), BACKGROUND_OF[modality]))
        name = f"rendered {modality}"
        yield choice(name, model, found.rendered(modality), kinds, balanced=True)
    for one, other in PAIRS:
        if one in towers and other in towers:
            figure = across(found.both(one), found.both(other))
            if figure:
                yield figure
    recorded: list[ModalityName] = [m for m in ("audio", "vision", "imu") if m in towers]
    if recorded:
        yield phrasings(model, [found.recorded(m) for m in recorded])


def _each(names: Iterable[str]) -> dict[str, frozenset[str]]:
    return {plain_words(name): frozenset({name}) for name in names}


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints a table; with --json all figures, with --pictures the confusions as PNGs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="starter")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--towers", default="audio,vision,thermal,depth,imu")
    parser.add_argument("--count", type=int, default=COUNT, help="rendered windows of each kind")
    parser.add_argument("--json", type=Path, help="also write all figures here")
    parser.add_argument("--pictures", type=Path, help="folder for confusion tables as PNGs")
    options = parser.parse_args(arguments)
    towers = options.towers.split(",")

    def log(line: str) -> None:
        sys.stderr.write(f"embedding {line}\n")

    found = []
    for figure in evaluate(load_model(options.model), options.data, towers, options.count, log):
        found.append(figure)
        sys.stdout.write(line(figure) + "\n")
        if options.pictures and figure.wrong:
            options.pictures.mkdir(parents=True, exist_ok=True)
            picture = options.pictures / (figure.name.replace(" ", "-").replace(",", "") + ".png")
            draw_confusions(figure.wrong, figure.name, picture)
    if options.json:
        options.json.write_text(json.dumps([f.plain() for f in found], indent=1) + "\n")
    return 0


def line(figure: Figure) -> str:
    """A figure as one line of text."""
    low, high = figure.interval
    beside = "".join(f", {name} {value:.3g}" for name, value in figure.beside.items())
    return (
        f"{figure.name:42s} {figure.metric:22s} {figure.value:.3f} [{low:.3f}, {high:.3f}] "
        f"n {figure.n}, chance {figure.chance:.3f}{beside}"
    )


if __name__ == "__main__":
    sys.exit(main())
