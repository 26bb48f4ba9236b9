"""From a query's words or examples to its vectors; what to say of words the model never saw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bindstream.averaging import unit_mean
from bindstream.config import QueryConfig, StreamConfig, find_clashes
from bindstream.errors import BindstreamError, ConfigError
from bindstream.matcher import Query, Vectors, make_query
from bindstream.modalities import SENSORS
from bindstream.teaching.taught import Taught, read_taught, taught_from
from bindstream.terms.adding import added
from bindstream.terms.examples import Examples, Towers, check_examples, examples_of, received

NO_LEVEL = 0.0
"""What the cosine of a sum with examples is held against: nothing. Vectors of one sensor are far
closer to one another than to any words, so that phrases are no contrast to it; what stands out of
the stream's own background is."""


def taught_of(config: QueryConfig, content: Any = None) -> Taught | None:
    """What a query was taught: None if it is of words.

    Args:
        content: what its file holds, where that lies on another machine; else it is read.

    Raises:
        DataError: there is no such file, or it holds no taught query.
    """
    if config.taught is None:
        return None
    if content is not None:
        return taught_from(content, str(config.taught))
    return read_taught(config.taught)


def examples_for(
    config: QueryConfig, model: Towers, history: Path | None, content: Any = None
) -> Examples:
    """The vectors of a query's files and stored windows. Blocks for the computation.

    Args:
        model: with the towers of the streams; that of a file has to be among them.
        history: where windows were kept.
        content: those whose files lie on another machine, as `terms.examples.sent` says them.

    Raises:
        BindstreamError: as `examples_of` and `check_examples`; `where` names the query.
    """
    try:
        there = received(content)
        rest = (each for each in config.terms if each.what not in there)
        found = {**there, **examples_of(rest, model, history)}
        check_examples(found, model.fingerprint, model.dim)
    except BindstreamError as error:
        where = f"query {config.id!r}" + (f", {error.where}" if error.where else "")
        raise type(error)(error.what, where=where, fix=error.fix) from None
    return found


def narrowed(
    config: QueryConfig, taught: Taught | None, examples: Examples | None = None
) -> QueryConfig:
    """The query, listening only to what it was taught by recordings of; one with examples to what
    they are of, unless it says otherwise.

    Raises:
        ConfigError: it is to listen to something else than it was taught by, or nothing says what
            its examples are of.
    """
    if taught is None:
        return _narrowed_to(config, examples or {})
    if config.modalities is not None and taught.modality not in config.modalities:
        raise ConfigError(
            f"it was taught by {taught.modality} and is to listen to "
            f"{', '.join(config.modalities)}.",
            where=f"query {config.id!r}",
            fix="Teach it by recordings of what it listens to.",
        )
    return config.model_copy(update={"modalities": (taught.modality,)})


def _narrowed_to(config: QueryConfig, examples: Examples) -> QueryConfig:
    if config.modalities is not None or not examples:
        return config
    found = {one.modality for one in examples.values() if one.modality is not None}
    if not found:
        raise ConfigError(
            "nothing says which sensor its vectors are of.",
            where=f"query {config.id!r}",
            fix="Say it, such as `modalities: audio`.",
        )
    return config.model_copy(update={"modalities": tuple(m for m in SENSORS if m in found)})


def check_heard(config: QueryConfig, streams: Sequence[StreamConfig]) -> None:
    """Refuse a query that none of the streams can answer.

    Raises:
        ConfigError: it names a stream that is not there, or a sensor that none of its streams is.
    """
    for (_, _, key), what in find_clashes(enumerate(streams), [(0, config)], ()):
        raise ConfigError(f"{what}.", where=f"query {config.id!r}, {key}")


def encode_query(
    config: QueryConfig,
    encode_text: Callable[[list[str]], Vectors],
    model: str,
    taught: Taught | None = None,
    examples: Examples | None = None,
    dim: int = 0,
) -> Query:
    """The query with its vectors; one that was taught, or is of examples alone, needs no text
    tower. One for whatever is unusual has no direction: its vector is 0.

    A sum of words is contrasted as words are. One with an example of a sensor is contrasted with
    nothing (`NO_LEVEL`).

    Args:
        encode_text: texts to unit vectors (n, dim) float32.
        model: fingerprint of the model that `encode_text` belongs to.
        taught: what its file holds, if that was read already.
        examples: what `examples_for` made of its files and stored windows, if it has any.
        dim: length of the model's vectors, for one that has none of its own.

    Raises:
        DataError: it was taught, but its file is not there or damaged.
        ModelError: it was taught by another model.
        ConfigError: it was taught by recordings of what it does not listen to, its sum cancels
            out, or negatives are held against one with examples.
    """
    taught = taught or taught_of(config)
    if taught is not None:
        taught.check_model(model, str(config.taught))
        nothing = np.zeros((0, taught.dim), np.float32)
        return Query(narrowed(config, taught), taught.unit, nothing, model, taught.level)
    if config.unusual:
        nothing = np.zeros((0, dim), np.float32)
        return Query(config, np.zeros(dim, np.float32), nothing, model, NO_LEVEL)
    if config.terms:
        return _encode_sum(config, encode_text, model, examples or {})
    vectors = encode_text([*config.said, *config.held_against])
    said = len(config.said)
    return make_query(config, vectors[:said], vectors[said:], model)


def _encode_sum(
    config: QueryConfig,
    encode_text: Callable[[list[str]], Vectors],
    model: str,
    examples: Examples,
) -> Query:
    if examples and config.held_against:
        raise ConfigError(
            f"{', '.join(map(repr, config.held_against))} cannot be held against a sum with "
            "examples: words are no contrast to vectors of a sensor.",
            where=f"query {config.id!r}",
            fix="Take it off instead: minus.",
        )
    words = list(config.texts)
    vector_of: Mapping[str, Vectors] = (
        dict(zip(words, encode_text(words), strict=True)) if words else {}
    )
    summands = [
        (each.weight, vector_of[each.what] if each.kind == "words" else examples[each.what].vector)
        for each in config.terms
    ]
    if config.said:
        phrasings = unit_mean(np.stack([vector_of[text] for text in config.said]))
        summands.insert(0, (1.0, phrasings))
    try:
        unit = added(summands)
    except BindstreamError as error:
        raise type(error)(error.what, where=f"query {config.id!r}", fix=error.fix) from None
    negatives = np.zeros((0, len(unit)), np.float32)
    if config.held_against:
        negatives = np.stack([vector_of[text] for text in config.held_against])
    level = NO_LEVEL if examples else None
    return Query(narrowed(config, None, examples), unit, negatives, model, level)


def doubts(config: QueryConfig, unknown: Sequence[str]) -> list[str]:
    """What to tell the user of a query: how its words are taken, and which the model never saw."""
    if config.taught is not None or config.unusual:
        return []
    found = [unknown_words_warning(config, unknown)] if unknown else []
    if denied := [text for text in config.held_against if text not in config.negatives]:
        said, against = (", ".join(map(repr, some)) for some in (config.said, denied))
        found.append(
            f"query '{config.id}': a negation is no direction of its own; it is watched for "
            f"{said}, held against {against}."
        )
    return found


def unknown_words_warning(config: QueryConfig, unknown: Sequence[str]) -> str:
    """What to tell the user when the model has never seen some of a query's words ("" if none)."""
    if not unknown:
        return ""
    words = ", ".join(f"'{word}'" for word in unknown)
    return (
        f"query '{config.id}': the model has never seen the word(s) {words}; what it makes of them "
        "is a guess. Try other words, or a model trained on more."
    )
