"""What to search for, as one vector: words, files and stored windows, added and subtracted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bindstream.averaging import unit_mean
from bindstream.history.reader import History
from bindstream.history.rows import Vectors
from bindstream.history.search import Question
from bindstream.matcher import SAME_MEANING
from bindstream.modalities import SENSORS
from bindstream.records import ModalityName
from bindstream.terms.adding import added
from bindstream.terms.examples import check_examples, examples_of
from bindstream.terms.term import Term

if TYPE_CHECKING:
    from bindstream.models.encoder import Model


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
        ConfigError: the terms cancel out, what files are of cannot be told, or nothing says which
            model's vectors are searched.
        DataError: a file cannot be used.
        HistoryError: a window is not there.
        ModelError: windows are of another model.
    """
    examples = examples_of(terms, model, history.folder, modality)
    fingerprint = model.fingerprint if model is not None else ""
    fingerprint = fingerprint or next((e.model for e in examples.values() if e.model), "")
    check_examples(examples, fingerprint, model.dim if model is not None else None)
    summands: list[tuple[float, Vectors]] = []
    if phrasings:
        assert model is not None
        summands.append((1.0, unit_mean(model.encode_text(list(phrasings)))))
    for each in terms:
        if each.kind == "words":
            assert model is not None
            vector = model.encode_text([each.what])[0]
        else:
            vector = examples[each.what].vector
        summands.append((each.weight, vector))
    unit = added(summands)
    worded = model is not None and not examples
    return Question(unit, fingerprint, _others(model, unit) if model and worded else {})


def _others(model: Model, vector: Vectors) -> dict[str, Vectors]:
    """What words are held against, by modality; less what says the same."""
    found: dict[str, Vectors] = {}
    for modality in SENSORS:
        if phrases := model.background(modality):
            vectors = model.encode_text(phrases)
            found[modality] = vectors[vectors @ vector < SAME_MEANING]
    return found
