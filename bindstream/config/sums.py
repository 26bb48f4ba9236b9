"""What is wrong with the examples of a query, as far as that shows before anything is computed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from bindstream.config.query import QueryConfig
from bindstream.errors import BindstreamError
from bindstream.modalities import SENSORS
from bindstream.records import ModalityName
from bindstream.terms.examples import check_examples, examples_of, towers
from bindstream.terms.term import VECTOR, Term, term


def sum_problems(
    query: QueryConfig, streams: Sequence[ModalityName], *, dim: int, kept: bool
) -> Iterator[tuple[str, str, str]]:
    """Key, what is wrong, and the way out.

    Args:
        query: its files with their whole paths.
        streams: what each stream is of that it may listen to.
        dim: length of the model's vectors.
        kept: whether there is a history.
    """
    for key in ("like", "plus", "minus"):
        for each in map(term, getattr(query, key)):
            if each.kind == "window" and not kept:
                fix = "Put `history: {}` into the configuration, or give a recording."
                yield key, f"{each.what} names a stored window, and nothing is kept", fix
            elif each.kind == "file" and os.path.isfile(each.what):  # else a problem of its own
                yield from ((key, *said) for said in _of_file(each, streams, dim))
    if any(each.kind != "words" for each in query.terms) and query.held_against:
        fix = "Take it off instead: minus."
        yield "negatives", "words are no contrast to a sum with examples", fix
    if query.modalities is None and _is_vectors_alone(query):
        yield "modalities", "is required: nothing else says what the vectors are of", "Add it."


def _is_vectors_alone(query: QueryConfig) -> bool:
    examples = [each for each in query.terms if each.kind != "words"]
    return bool(examples) and all(_is_vector(each) for each in examples)


def _is_vector(each: Term) -> bool:
    return each.kind == "file" and each.what.lower().endswith(VECTOR)


def _of_file(each: Term, streams: Sequence[ModalityName], dim: int) -> Iterator[tuple[str, str]]:
    try:
        if _is_vector(each):
            check_examples(examples_of([each], None, None), "", dim)
        for modality in towers([each]):
            if modality not in streams:
                heard = ", ".join(m for m in SENSORS if m in streams) or "nothing"
                what = f"{each.what} is of {modality}, and this query listens to {heard}"
                yield what, "Give an example of what it listens to."
    except BindstreamError as error:
        yield error.what.rstrip("."), error.fix
