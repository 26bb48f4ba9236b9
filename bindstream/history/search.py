"""Searching a history: every vector of a period is scored, and what stands out is given back.

Cosines of different sensors are not comparable, nor are those of one in a noisy kitchen and one in
a quiet cellar: a hit's rank is its z, by how many robust standard deviations its score stands above
what its own stream scores over the period searched (see `bindstream.calibration`). For that every
vector has to be scored; an index that finds the nearest ones alone would save nothing
(`bench/history.py` has the figures).

Whatever happens stands out of a quiet stream, whether it is what was asked for or not. Words are
therefore also held against the phrases that queries are contrasted with (`bindstream.matcher`):
windows of which the words are no likely name rank behind all others, as they raise no alert.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bindstream.calibration import MAD_TO_SIGMA, SIGMA_LEAST, SIGMA_UNKNOWN, WARM_UP
from bindstream.errors import HistoryError
from bindstream.history.reader import EVER_NS, History, period
from bindstream.history.rows import VECTOR, Halves, Times, Vectors, halves_of, numbers_of, widened
from bindstream.history.store import quoted
from bindstream.matcher import CONTRAST_TEMPERATURE

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 512
"""Vectors that are widened and scored at one go: so many stay in the processor's cache."""
LETTING_GO = 0.5
"""A hit goes on until its z falls below this part of its peak's."""
LIKELY = 0.3
"""Share from which words are a likely name of a window: what queries take to start an alert.
`bench/searching.py` says what it is worth."""
BEHIND = 1e-3
"""By which the z of what is not likely is multiplied to rank it."""

Scores = NDArray[np.float32]
Line = tuple[str, str]
"""A stream and its modality."""


@dataclass(frozen=True)
class Hit:
    """Neighbouring windows of one stream that stand out, as one.

    `start_ns` to `end_ns` are those with at least half of the peak's z, `windows` how many they
    are. `score` in [-1, 1], `z` and `share` in [0, 1] are the peak's, the window from
    `peak_start_ns` to `peak_end_ns`: its cosine, how far that stands out, and how likely the words
    are among what else the model knows of this modality (1 where words are not all that was asked).
    `of` is how many windows of the stream were searched: z of few says little.
    """

    stream: str
    modality: str
    start_ns: int
    end_ns: int
    peak_start_ns: int
    peak_end_ns: int
    score: float
    z: float
    share: float
    windows: int
    of: int


@dataclass(frozen=True)
class Found:
    """What a search found, best first; `searched` counts the windows of each stream."""

    hits: list[Hit]
    searched: dict[str, int]


@dataclass(frozen=True)
class Scope:
    """What is searched: windows that started in [since_ns, until_ns), UTC ns, of these streams and
    this modality (None: all). `but` are stretches (stream, start_ns, end_ns) that are no hits, as
    they are what is searched for."""

    since_ns: int = -EVER_NS
    until_ns: int = EVER_NS
    streams: tuple[str, ...] | None = None
    modality: str | None = None
    but: tuple[tuple[str, int, int], ...] = ()


@dataclass(frozen=True)
class Question:
    """What is searched for: `vector` (dim,) of unit length, of the model with the fingerprint
    `model`. `others` (n, dim) are, by modality, phrases that words are held against."""

    vector: Vectors
    model: str
    others: Mapping[str, Vectors] = field(default_factory=dict)


@dataclass
class _Scored:
    """One stream's scores and shares so far, with their windows' times."""

    scores: list[Scores] = field(default_factory=list)
    shares: list[Scores] = field(default_factory=list)
    starts: list[Times] = field(default_factory=list)
    ends: list[Times] = field(default_factory=list)


def search(history: History, question: Question, scope: Scope, top: int = 10) -> Found:
    """What answers a question best. Blocks: for ten million vectors of 256 dimensions seven to ten
    seconds on a busy core.

    Takes about 50 bytes of memory a window; the vectors pass in blocks.

    Raises:
        HistoryError: the model's vectors have another dimension.
    """
    lines = _scored(history, question, scope)
    hits = [hit for line, scored in lines.items() for hit in _hits(line, scored, scope, top)]
    hits.sort(key=lambda hit: -_rank(hit.z, hit.share))
    searched = {stream: 0 for stream, _ in lines}
    for (stream, _), scored in lines.items():
        searched[stream] += sum(map(len, scored.scores))
    return Found(hits[:top], searched)


def _rank(z: Any, share: Any) -> Any:
    """By which hits are ranked, of numbers or arrays."""
    return np.where(share >= LIKELY, z, BEHIND * z)


def deviations(scores: Scores) -> NDArray[np.float64]:
    """z of each score (n,) of one stream against all of them."""
    if not len(scores):
        return np.zeros(0)
    median = float(np.median(scores))
    sigma = MAD_TO_SIGMA * float(np.median(np.abs(scores - median)))
    least = SIGMA_LEAST if len(scores) >= WARM_UP else SIGMA_UNKNOWN
    return (scores.astype(np.float64) - median) / max(sigma, least)


def stretches(
    starts: Times, ends: Times, z: NDArray[np.float64], most: int
) -> Iterator[tuple[int, int, int]]:
    """What stands out of one stream, the highest peak first: windows [low, high) and their peak.

    Windows that overlap or touch are neighbours. A stretch is a peak with its neighbours on either
    side down to `LETTING_GO` of it; what overlaps or touches a stretch is no hit of its own.

    Args:
        starts, ends: (n,) UTC ns, in order of `starts`.
        most: of them.
    """
    if not len(z):
        return
    left, reach = z.copy(), np.maximum.accumulate(ends)
    apart = np.concatenate(([True], starts[1:] > reach[:-1], [True]))
    for _ in range(most):
        peak = int(left.argmax())
        if left[peak] <= 0:
            return
        least, low, high = LETTING_GO * left[peak], peak, peak + 1
        while not apart[low] and left[low - 1] >= least:
            low -= 1
        while not apart[high] and left[high] >= least:
            high += 1
        yield low, high, peak
        first = np.searchsorted(reach, starts[low])
        last = np.searchsorted(starts, ends[low:high].max(), "right")
        left[first:last][ends[first:last] >= starts[low]] = -np.inf


def _scored(history: History, question: Question, scope: Scope) -> dict[Line, _Scored]:
    lines: dict[Line, _Scored] = {}
    columns = ("stream", "modality", "start_ns", "end_ns", VECTOR)
    for part, from_ns in history.parts(question.model, scope.since_ns, scope.until_ns):
        for batch in history.scan(part, columns, _where(scope, from_ns)):
            halves = halves_of(batch)
            if halves.shape[1] != len(question.vector):
                raise HistoryError(
                    f"{part} holds vectors of {halves.shape[1]} dimensions, "
                    f"{len(question.vector)} are due.",
                    where=str(history.folder),
                )
            starts, ends = (numbers_of(batch, name) for name in ("start_ns", "end_ns"))
            for line, rows in _lines_of(batch):
                scored = lines.setdefault(line, _Scored())
                scores, shares = score(halves[rows], question.vector, question.others.get(line[1]))
                scored.scores.append(scores)
                scored.shares.append(shares)
                scored.starts.append(starts[rows])
                scored.ends.append(ends[rows])
    return lines


def score(halves: Halves, vector: Vectors, others: Vectors | None = None) -> tuple[Scores, Scores]:
    """Cosines of vectors (n, dim) float16 to `vector` (dim,), and its shares among `others`
    (m, dim), 1 without any: both (n,) float32."""
    rows = [vector[None]] if others is None else [vector[None], others]
    asked = np.ascontiguousarray(np.concatenate(rows).T)
    cosines = np.empty((len(halves), asked.shape[1]), np.float32)
    wide = np.empty((ROWS, len(vector)), np.float32)
    for low in range(0, len(halves), ROWS):
        some = halves[low : low + ROWS]
        np.matmul(widened(some, wide[: len(some)]), asked, out=cosines[low : low + ROWS])
    scores = cosines[:, 0].copy()
    against = np.exp((cosines[:, 1:] - scores[:, None]) / CONTRAST_TEMPERATURE).sum(axis=1)
    return scores, 1 / (1 + against)


def _lines_of(batch: pa.RecordBatch) -> Iterator[tuple[Line, NDArray[np.intp] | slice]]:
    """The streams in a batch, and which of its rows are theirs."""
    streams = batch.column("stream").dictionary_encode()
    modalities = batch.column("modality").dictionary_encode()
    codes = streams.indices.to_numpy() * len(modalities.dictionary) + modalities.indices.to_numpy()
    for code in np.unique(codes).tolist():
        stream, modality = divmod(code, len(modalities.dictionary))
        line = streams.dictionary[stream].as_py(), modalities.dictionary[modality].as_py()
        rows = np.flatnonzero(codes == code)
        yield line, slice(None) if len(rows) == len(codes) else rows


def _hits(line: Line, scored: _Scored, scope: Scope, top: int) -> Iterator[Hit]:
    starts, ends = np.concatenate(scored.starts), np.concatenate(scored.ends)
    scores, shares = np.concatenate(scored.scores), np.concatenate(scored.shares)
    if (np.diff(starts) < 0).any():
        order = np.argsort(starts, kind="stable")
        starts, ends = starts[order], ends[order]
        scores, shares = scores[order], shares[order]
    z = deviations(scores)
    for stream, since_ns, until_ns in scope.but:
        if stream == line[0]:
            z[(starts < until_ns) & (ends > since_ns)] = -np.inf
    for low, high, peak in stretches(starts, ends, _rank(z, shares), top):
        yield Hit(
            stream=line[0],
            modality=line[1],
            start_ns=int(starts[low]),
            end_ns=int(ends[low:high].max()),
            peak_start_ns=int(starts[peak]),
            peak_end_ns=int(ends[peak]),
            score=float(scores[peak]),
            z=float(z[peak]),
            share=float(shares[peak]),
            windows=high - low,
            of=len(z),
        )


def _where(scope: Scope, from_ns: int) -> str:
    said = period(scope.streams, from_ns, scope.until_ns)
    return said + (f" and modality = {quoted(scope.modality)}" if scope.modality else "")
