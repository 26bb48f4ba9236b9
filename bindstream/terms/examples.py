"""Files and stored windows as unit vectors: the summands that are no words."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np

from bindstream.averaging import LEAST_NORM, unit_mean
from bindstream.embed_files import FileError
from bindstream.embedding import Encoder
from bindstream.errors import ConfigError, DataError, HistoryError, ModelError
from bindstream.history.reader import History
from bindstream.modalities import SENSORS
from bindstream.records import Embedding, ModalityName
from bindstream.teaching.examples import modality_of, read_examples
from bindstream.terms.adding import Vectors
from bindstream.terms.term import VECTOR, Term, window_named


@dataclass(frozen=True)
class Example:
    """A unit vector (dim,) float32, what sensor it is of and which model's.

    Of a vector that was read from a file nobody knows either: None and "".
    """

    vector: Vectors
    modality: ModalityName | None
    model: str


Examples = Mapping[str, Example]
"""By `Term.what`."""


class Towers(Encoder, Protocol):
    """A model as examples see it; `bindstream.models.encoder.Model` is one."""

    dim: int


def examples_of(
    terms: Iterable[Term],
    encoder: Encoder | None,
    history: Path | None,
    modality: ModalityName | None = None,
) -> dict[str, Example]:
    """The vectors of those terms that are no words. Blocks for the computation.

    Args:
        encoder: with the towers that `towers` says; None if it says none.
        history: where windows were kept.
        modality: of the files, where their names do not say.

    Raises:
        ConfigError: what a file is of cannot be told, or windows are named and nothing is kept.
        DataError: a file cannot be used.
        HistoryError: a window is not there.
    """
    found: dict[str, Example] = {}
    for each in terms:
        if each.kind == "window":
            found[each.what] = _window(history, each.what)
        elif each.kind == "file" and each.what.lower().endswith(VECTOR):
            found[each.what] = Example(read_vector(Path(each.what)), modality, "")
        elif each.kind == "file":
            assert encoder is not None
            found[each.what] = _file(encoder, Path(each.what), modality)
    return found


def towers(terms: Iterable[Term], modality: ModalityName | None = None) -> list[ModalityName]:
    """The towers that terms need, each once; none of stored windows and vectors.

    Raises:
        ConfigError: what a file is of cannot be told.
    """
    needed: dict[ModalityName, None] = {}
    for each in terms:
        if each.kind == "words":
            needed["text"] = None
        elif each.kind == "file" and not each.what.lower().endswith(VECTOR):
            needed[modality or modality_of([Path(each.what)])] = None
    return list(needed)


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


def check_examples(examples: Examples, fingerprint: str, dim: int | None = None) -> None:
    """Refuse what another model made: its vectors mean something else.

    Args:
        dim: of the model's vectors, if that is known.

    Raises:
        ModelError: one is of another model, or cannot be of this one.
    """
    for what, example in examples.items():
        if example.model not in ("", fingerprint):
            raise ModelError(
                f"{what} is of the model {example.model}, what else is asked for is of "
                f"{fingerprint}: they cannot be added.",
                fix="Give the model that it is of, or the recording itself.",
            )
        if dim is not None and len(example.vector) != dim:
            raise ModelError(
                f"{what} has {len(example.vector)} numbers, vectors of this model have {dim}.",
                fix="Give a vector that this model made.",
            )


def read_vector(file: Path) -> Vectors:
    """The vector in a .npy file as a unit vector (dim,) float32.

    Raises:
        DataError: the file is not there or holds no such vector.
    """
    try:
        values = np.load(file, allow_pickle=False)
    except OSError as error:
        why = error.strerror or "it is cut short"
        raise DataError(f"it cannot be read: {why}.", where=str(file)) from None
    except (ValueError, EOFError) as error:
        raise DataError(f"it holds no array: {error}.", where=str(file)) from None
    if not isinstance(values, np.ndarray) or values.ndim != 1 or values.dtype.kind not in "fiu":
        said = getattr(values, "shape", "several arrays"), getattr(values, "dtype", "")
        raise DataError(
            f"it holds {said[0]} {said[1]}, a vector (dim,) of numbers is due.".replace("  ", " "),
            where=str(file),
            fix="Save one: numpy.save(FILE, vector).",
        )
    return _unit(values, str(file))


def sent(examples: Examples) -> dict[str, Any]:
    """Examples as plain data, for control requests."""
    return {
        what: {
            "modality": one.modality,
            "model": one.model,
            "vector": base64.b64encode(one.vector.astype("<f4").tobytes()).decode("ascii"),
        }
        for what, one in examples.items()
    }


def received(content: Any) -> dict[str, Example]:
    """Examples from plain data that `sent` made.

    Raises:
        DataError: they are none.
    """
    try:
        plain = msgspec.convert({} if content is None else content, dict[str, _Sent])
    except msgspec.ValidationError as error:
        raise DataError(f"these are no examples: {error}.") from None
    found: dict[str, Example] = {}
    for what, one in plain.items():
        if len(one.vector) % 4:
            raise DataError(f"a vector of {len(one.vector)} bytes is none.", where=what)
        if one.modality not in (None, *SENSORS):
            raise DataError(f"{one.modality!r} is no sensor.", where=what)
        vector = _unit(np.frombuffer(one.vector, "<f4"), what)
        found[what] = Example(vector, one.modality, one.model)
    return found


class _Sent(msgspec.Struct, forbid_unknown_fields=True):
    vector: bytes  # base64 in plain data
    model: str
    modality: ModalityName | None = None


def _unit(values: np.ndarray[Any, Any], where: str) -> Vectors:
    wide = values.astype(np.float64)
    length = float(np.linalg.norm(wide)) if len(wide) else 0.0
    if not np.isfinite(length):
        raise DataError("it holds NaN or infinity.", where=where)
    if length < LEAST_NORM:
        raise DataError("it is a vector of no length.", where=where)
    unit: Vectors = (wide / length).astype(np.float32)
    return unit


def _window(history: Path | None, window_id: str) -> Example:
    if history is None:
        raise ConfigError(
            f"{window_id} names a stored window, and nothing is kept.",
            fix="Put `history: {}` into the configuration, or give a recording.",
        )
    windows = stored(History(history), window_id)
    vector = unit_mean(np.stack([window.vector for window in windows]))
    return Example(vector, windows[0].modality, windows[0].model)


def _file(encoder: Encoder, file: Path, modality: ModalityName | None) -> Example:
    known = modality or modality_of([file])
    (found,) = read_examples(encoder, known, [file])
    if isinstance(found, FileError):
        raise DataError(found.error, where=str(file))
    return Example(found.vector, known, encoder.fingerprint)
