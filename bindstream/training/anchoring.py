"""From pairs to anchors: which vector each window of a recording is to answer to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bindstream.config import Problem
from bindstream.errors import BindstreamError, MissingPackageError
from bindstream.modalities import MODALITIES
from bindstream.models.encoder import Model
from bindstream.records import ModalityName
from bindstream.training.anchors import Anchor, KeptVectors, Vectors, file_vectors, text_vectors
from bindstream.training.manifest import Other, Words
from bindstream.training.pairs import EDGE_S, Pair, Tell
from bindstream.training.recordings import STILL_S, Grid, fault


@dataclass
class Anchored:
    """Anchors, and for each pair which of them its windows answer to, by their places."""

    anchors: list[Anchor] = field(default_factory=list)
    of: list[dict[int, int]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    _numbers: dict[tuple[int, float], int] = field(default_factory=dict)

    def number(self, anchor: Anchor) -> int:
        """The anchor's number; one of the same moment is the same one."""
        moment = (anchor.recording, round(anchor.start_s, 3))
        if moment not in self._numbers:
            self._numbers[moment] = len(self.anchors)
            self.anchors.append(anchor)
        return self._numbers[moment]


def anchor(
    pairs: Sequence[Pair], model: Model, kept: KeptVectors, views: int, tell: Tell
) -> Anchored:
    """The anchors of a tower's pairs. Blocks while those that are new are computed."""
    found = Anchored(of=[{} for _ in pairs])
    _add_words(found, pairs, model, kept)
    files: dict[tuple[ModalityName, Path], list[int]] = {}
    for place, pair in enumerate(pairs):
        if isinstance(pair.anchor, Other):
            files.setdefault((pair.anchor.modality, pair.anchor.file), []).append(place)
    for number, ((modality, file), places) in enumerate(files.items()):
        tell("vectors of anchors", number, len(files))
        mine = [(place, moments(pairs[place])) for place in places]
        used = [(place, when) for place, when in mine if when is not None]
        for place, when in mine:
            if when is None:
                what = "no moment is in both recordings"
                found.problems.append(_problem(pairs[place], what, "Correct offset_s."))
        try:
            grids = [when.grid for _, when in used]
            vectors = file_vectors(model, kept, modality, file, grids, views)
        except MissingPackageError:
            raise
        except (BindstreamError, OSError, ValueError) as error:
            what = f"{file} cannot be used: {fault(error)}"
            found.problems.append(_problem(pairs[places[0]], what, ""))
            continue
        for (place, when), of_grid in zip(used, vectors, strict=True):
            _add_file(found, place, pairs[place], when, number, modality, of_grid)
        tell("vectors of anchors", number + 1, len(files))
    return found


@dataclass(frozen=True)
class Moments:
    """Windows `first`, `first` + 1 … of a pair, and the other recording's windows around the same
    middles. `still` if that is a picture, which stands for all of them."""

    grid: Grid
    first: int
    count: int
    still: bool


def moments(pair: Pair) -> Moments | None:
    """Which windows of the other sensor's recording go with those of a pair; None if none do."""
    assert isinstance(pair.anchor, Other)
    grid = pair.grid
    if pair.other_s == STILL_S:
        return Moments(Grid(0.0, grid.hop_s, 1), 0, grid.count, True)
    own_s = 0.0 if pair.end_s == STILL_S else MODALITIES[pair.modality].window_s
    other_s = MODALITIES[pair.anchor.modality].window_s
    start_s = grid.start_s + (own_s - other_s) / 2 + pair.anchor.offset_s
    last_s = pair.other_s + EDGE_S - other_s
    if not own_s:  # a picture of its own moment: its window may begin a little sooner or later
        start_s = max(min(start_s, pair.other_s - other_s), 0.0)
    first = max(int(np.ceil(-start_s / grid.hop_s - 1e-6)), 0)
    last = min(int(np.floor((last_s - start_s) / grid.hop_s + 1e-6)), grid.count - 1)
    if last < first:
        return None
    begin_s = max(start_s + first * grid.hop_s, 0.0)
    return Moments(Grid(begin_s, grid.hop_s, last - first + 1), first, last - first + 1, False)


def _add_words(found: Anchored, pairs: Sequence[Pair], model: Model, kept: KeptVectors) -> None:
    said = list({pair.anchor for pair in pairs if isinstance(pair.anchor, Words)})
    said.sort(key=lambda words: (not words.name, words.name, words.phrases))
    if not said:
        return
    vectors = text_vectors(model.encode_text, kept, [p for words in said for p in words.phrases])
    recordings: dict[tuple[str, ...], int] = {}
    numbers: dict[Words, int] = {}
    for words in said:
        # A text and a class that are said alike are one thing.
        recording = recordings.setdefault(words.phrases, -1 - len(recordings))
        own = np.stack([vectors[phrase] for phrase in words.phrases])
        numbers[words] = found.number(Anchor(own, "text", recording, name=words.name))
    for of, pair in zip(found.of, pairs, strict=True):
        if isinstance(pair.anchor, Words):
            of.update(dict.fromkeys(range(pair.grid.count), numbers[pair.anchor]))


def _add_file(
    found: Anchored,
    place: int,
    pair: Pair,
    when: Moments,
    number: int,
    modality: ModalityName,
    vectors: dict[int, Vectors],
) -> None:
    window_s = MODALITIES[modality].window_s
    for k, views in vectors.items():
        start_s = when.grid.start_s + k * when.grid.hop_s
        anchor_number = found.number(Anchor(views, modality, number, start_s, window_s))
        windows = range(when.first, when.first + when.count) if when.still else [when.first + k]
        found.of[place].update(dict.fromkeys(windows, anchor_number))
    if not vectors:
        found.problems.append(_problem(pair, "no window of with_file can be used", ""))


def _problem(pair: Pair, what: str, fix: str) -> Problem:
    return Problem(str(pair.row.manifest), pair.row.line, "with_file", None, what, fix)
