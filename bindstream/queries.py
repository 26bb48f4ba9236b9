"""From a query's words to its vectors, and what to say of words the model does not know."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bindstream.config import QueryConfig
from bindstream.matcher import Query, Vectors, make_query


def encode_query(
    config: QueryConfig, encode_text: Callable[[list[str]], Vectors], model: str
) -> Query:
    """The query with its vectors.

    Args:
        encode_text: texts to unit vectors (n, dim) float32.
        model: fingerprint of the model that `encode_text` belongs to.
    """
    vectors = encode_text([*config.text, *config.negatives])
    said = len(config.text)
    return make_query(config, vectors[:said], vectors[said:], model)


def unknown_words_warning(config: QueryConfig, unknown: Sequence[str]) -> str:
    """What to tell the user when the model has never seen some of a query's words ("" if none)."""
    if not unknown:
        return ""
    words = ", ".join(f"'{word}'" for word in unknown)
    return (
        f"query '{config.id}': the model has never seen the word(s) {words}; what it makes of them "
        "is a guess. Try other words, or a model trained on more."
    )
