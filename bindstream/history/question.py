"""What to search for, as one vector: words, files and stored windows, added and subtracted.

Each is a unit vector, whatever it is made of, and counts with its weight; the sum is made a unit
vector again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from bindstream.averaging import unit_mean
from bindstream.embed_files import FileError
from bindstream.errors import ConfigError, DataError, HistoryError
from bindstream.history.reader import History
from bindstream.history.rows import Vectors
from bindstream.history.search import Question
from bindstream.matcher import SAME_MEANING
from bindstream.modalities import SENSORS
from bindstream.records import Embedding, ModalityName
from bindstream.teaching.examples import modality_of, read_examples

if TYPE_CHECKING:
    from bindstream.models.encoder import Model

LEAST_SUM = 1e-3
"""A sum shorter than this points nowhere: its terms cancel out."""
_WEIGHTED = re.compile(r"(\d*\.?\d+)\*(.+)", re.DOTALL)
_WINDOW = re.compile(r"(?:[^/]+/)?(?P<stream>[a-z0-9_-]+)/(?P<start>\d{16,19})")


@dataclass(frozen=True)
class Term:
    """One part of a question: what it is, and how much it counts (negative: away from it)."""

    kind: Literal["words", "file", "window"]
    what: str
    weight: float = 1.0


def term(text: str, sign: float = 1.0) -> Term:
    """What was meant by `text`: the id of a window or an alert, a file that is there, or words;
    `0.5*` before it is its weight."""
    weighted = _WEIGHTED.fullmatch(text)
    weight, what = (float(weighted[1]), weighted[2]) if weighted else (1.0, text)
    if _WINDOW.fullmatch(what) and not Path(what).exists():
        return Term("window", what, sign * weight)
    if Path(what).is_file():
        return Term("file", what, sign * weight)
    return Term("words", what, sign * weight)


def window_named(window_id: str) -> tuple[str, int]:
    """Stream and start (UTC ns) in the id of a window (stream/start_ns) or an alert
    (query/stream/start_ns).

    Raises:
        ConfigError: it is neither.
    """
    found = _WINDOW.fullmatch(window_id)
    if found is None:
        raise ConfigError(
            f"{window_id!r} names no window.",
            fix="Give the id of a hit (STREAM/START_NS) or of an alert (QUERY/STREAM/START_NS).",
        )
    return found["stream"], int(found["start"])


def stored(history: History, window_id: str, length_s: float = 0.0) -> list[Embedding]:
    """The windows that an id names: the one that starts there, or those that lie within `length_s`
    seconds from there; of the newest model that has any.

    Raises:
        ConfigError: it is no id.
        HistoryError: the history holds none.
    """
    stream, start_ns = window_named(window_id)
    until_ns = start_ns + round(length_s * 1e9)
    for model in reversed(history.models()):
        found = list(history.embeddings(model, stream, start_ns, max(until_ns, start_ns + 1)))
        if found:
            inside = [e for e in found if e.end_ns <= until_ns]
            return inside or found[:1]
    raise HistoryError(
        f"it holds no window of {stream!r} that starts at {start_ns}.",
        where=str(history.folder),
        fix="It may be older than what is kept. `bindstream search --json` shows ids.",
    )


def ask(
    history: History,
    model: Model | None,
    phrasings: Sequence[str],
    terms: Sequence[Term],
    modality: ModalityName | None = None,
) -> Question:
    """The question that these make. Blocks for the computation.

    Args:
        model: with the towers that the words and files need; None if there are neither.
        phrasings: of the same thing, together one term of weight 1.
        modality: of the files, where their names do not say.

    Raises:
        ConfigError: the terms cancel out, or what files are of cannot be told.
        DataError: a file cannot be used.
        HistoryError: a window is not there, or is of another model.
    """
    parts: list[tuple[float, Vectors]] = []
    fingerprint = model.fingerprint if model is not None else ""
    if phrasings:
        assert model is not None
        parts.append((1.0, unit_mean(model.encode_text(list(phrasings)))))
    for each in terms:
        if each.kind == "window":
            vector, fingerprint = _window(history, fingerprint, each.what)
        elif each.kind == "file":
            vector = _file(model, Path(each.what), modality)
        else:
            assert model is not None
            vector = model.encode_text([each.what])[0]
        parts.append((each.weight, vector))
    total = np.sum([weight * vector for weight, vector in parts], axis=0)
    length = float(np.linalg.norm(total))
    if length < LEAST_SUM:
        raise ConfigError("what is asked for cancels out.", fix="Change the weights.")
    unit: Vectors = (total / length).astype(np.float32)
    worded = model is not None and all(each.kind == "words" for each in terms)
    return Question(unit, fingerprint, _others(model, unit) if model and worded else {})


def _others(model: Model, vector: Vectors) -> dict[str, Vectors]:
    """What words are held against, by modality; less what says the same."""
    found: dict[str, Vectors] = {}
    for modality in SENSORS:
        if phrases := model.background(modality):
            vectors = model.encode_text(phrases)
            found[modality] = vectors[vectors @ vector < SAME_MEANING]
    return found


def _window(history: History, fingerprint: str, window_id: str) -> tuple[Vectors, str]:
    """A stored window's vector and its model, which is to be `fingerprint` unless that is ""."""
    windows = stored(history, window_id)
    model = windows[0].model
    if model != (fingerprint or model):
        raise HistoryError(
            f"the window {window_id} is of the model {model}, what else is asked for is of "
            f"{fingerprint}: they cannot be added.",
            fix="Give the model that the window is of: --model DIR.",
        )
    return unit_mean(np.stack([window.vector for window in windows])), model


def _file(model: Model | None, file: Path, modality: ModalityName | None) -> Vectors:
    assert model is not None
    (found,) = read_examples(model, modality or modality_of([file]), [file])
    if isinstance(found, FileError):
        raise DataError(found.error, where=str(file))
    return found.vector


def towers(
    phrasings: Sequence[str], terms: Sequence[Term], modality: ModalityName | None
) -> list[ModalityName]:
    """The towers that a question needs of its model; none if it is made of stored windows alone.

    Raises:
        ConfigError: what a file is of cannot be told.
    """
    needed: list[ModalityName] = []
    if phrasings or any(each.kind == "words" for each in terms):
        needed.append("text")
    for each in terms:
        if each.kind == "file":
            needed.append(modality or modality_of([Path(each.what)]))
    return list(dict.fromkeys(needed))
