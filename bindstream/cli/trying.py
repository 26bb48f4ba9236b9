"""What commands share that try queries on what was kept or recorded: queries, and their vectors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bindstream.cli.app import errors, warn
from bindstream.cli.model_options import warn_of
from bindstream.errors import ConfigError

if TYPE_CHECKING:
    from bindstream.config import QueryConfig
    from bindstream.matcher import Query, Vectors
    from bindstream.models.encoder import Model
    from bindstream.models.precision import Precision
    from bindstream.records import ModalityName


def query_from(**given: Any) -> QueryConfig:
    """A query as it was given on the command line.

    Raises:
        ConfigError: it is none; says what is wrong first.
    """
    from pydantic import ValidationError

    from bindstream.config import QueryConfig

    try:
        return QueryConfig.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = " ".join(map(str, first["loc"]))
        raise ConfigError(f"{first['msg']}.", where=where or "the query") from None


def read_model(
    name: str,
    queries: Sequence[QueryConfig],
    also: Iterable[ModalityName] = (),
    *,
    device: str,
    precision: Precision,
    threads: int | None,
) -> Model:
    """The model with the towers that queries, and whoever asks, need. Blocks.

    Args:
        also: more towers.
        device, precision, threads: as `load_model` takes them.

    Raises:
        BindstreamError: it cannot be loaded, or has no such tower.
    """
    from bindstream.models import load_model
    from bindstream.terms.examples import towers

    needed = dict.fromkeys(also)
    for query in queries:
        needed |= dict.fromkeys(towers(query.terms))
        needed |= {"text": None} if query.texts else {}
    with errors.status("Reading the model …"):
        return load_model(
            name, modalities=list(needed), device=device, precision=precision, threads=threads
        )


def encoded(model: Model, queries: Sequence[QueryConfig], history: Path | None) -> list[Query]:
    """Queries with their vectors; what to say of their words is printed. Blocks.

    Raises:
        BindstreamError: one cannot be encoded.
    """
    from bindstream.queries import doubts, encode_query, examples_for

    found: list[Query] = []
    with errors.status("Reading the queries …"):
        for query in queries:
            examples = examples_for(query, model, history)
            text, made_by = model.encode_text, model.fingerprint
            found.append(encode_query(query, text, made_by, examples=examples, dim=model.dim))
    warn_of(model, dict.fromkeys(text for query in queries for text in query.texts))
    for query in queries:
        for note in doubts(query, []):
            warn(note)
    return found


class Contrasts:
    """What queries of words are held against, by modality: text vectors (n, dim).

    Args:
        model: without its text tower where no query is of words; nothing is held against them then.
    """

    def __init__(self, model: Model) -> None:
        self._model, self._found = model, dict[str, "Vectors"]()

    def of(self, modality: ModalityName) -> Vectors:
        import numpy as np

        if modality not in self._found:
            phrases = self._model.background(modality) if "text" in self._model.modalities else ()
            nothing = np.zeros((0, self._model.dim), np.float32)
            self._found[modality] = self._model.encode_text(phrases) if phrases else nothing
        return self._found[modality]
