"""From a query's words or examples to its vectors; what to say of words the model never saw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bindstream.config import QueryConfig
from bindstream.errors import ConfigError
from bindstream.matcher import Query, Vectors, make_query
from bindstream.teaching.taught import Taught, read_taught, taught_from


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


def narrowed(config: QueryConfig, taught: Taught | None) -> QueryConfig:
    """The query, listening only to what it was taught by recordings of.

    Raises:
        ConfigError: it is to listen to something else.
    """
    if taught is None:
        return config
    if config.modalities is not None and taught.modality not in config.modalities:
        raise ConfigError(
            f"it was taught by {taught.modality} and is to listen to "
            f"{', '.join(config.modalities)}.",
            where=f"query {config.id!r}",
            fix="Teach it by recordings of what it listens to.",
        )
    return config.model_copy(update={"modalities": (taught.modality,)})


def encode_query(
    config: QueryConfig,
    encode_text: Callable[[list[str]], Vectors],
    model: str,
    taught: Taught | None = None,
) -> Query:
    """The query with its vectors; one that was taught needs no text tower.

    Args:
        encode_text: texts to unit vectors (n, dim) float32.
        model: fingerprint of the model that `encode_text` belongs to.
        taught: what its file holds, if that was read already.

    Raises:
        DataError: it was taught, but its file is not there or damaged.
        ModelError: it was taught by another model.
        ConfigError: it was taught by recordings of what it does not listen to.
    """
    taught = taught or taught_of(config)
    if taught is not None:
        taught.check_model(model, str(config.taught))
        nothing = np.zeros((0, taught.dim), np.float32)
        return Query(narrowed(config, taught), taught.unit, nothing, model, taught.level)
    vectors = encode_text([*config.said, *config.held_against])
    said = len(config.said)
    return make_query(config, vectors[:said], vectors[said:], model)


def doubts(config: QueryConfig, unknown: Sequence[str]) -> list[str]:
    """What to tell the user of a query: how its words are taken, and which the model never saw."""
    if config.taught is not None:
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
