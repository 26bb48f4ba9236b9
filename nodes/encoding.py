"""Queries and what they are contrasted with, encoded by an embed actor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError

from bindstream.config import QueryConfig
from bindstream.errors import ModelError
from bindstream.matcher import Query, Vectors
from bindstream.queries import doubts, encode_query, examples_for
from bindstream.records import ModalityName
from bindstream.teaching.taught import Taught
from nodes.embed import EmbedHealth
from nodes.watched import Watched, reason

ENCODE_S = 300.0
"""How long texts may take: the text tower may have to be read first, and imagebind_huge lies on
slow disks too."""


class QueryEncoder:
    """Turns queries into vectors by the towers of `embedder`, which reads text's when it has to.

    Args:
        modalities: of the streams.
        history: where windows were kept that queries may name.

    `background` are vectors (n, dim) of the phrases that queries are contrasted with, by modality,
    and `phrases` these in words; None before the first query of words, since nobody needs them.
    """

    def __init__(
        self,
        embedder: Watched[EmbedHealth],
        modalities: Sequence[ModalityName],
        history: Path | None = None,
    ) -> None:
        self._embedder, self._modalities, self._history = embedder, modalities, history
        self.background: dict[ModalityName, Vectors] | None = None
        self.phrases: dict[ModalityName, list[str]] | None = None

    @property
    def model(self) -> str:
        """Fingerprint of the model that encodes."""
        assert self._embedder.health is not None
        return self._embedder.health.model

    def encode(
        self, config: QueryConfig, taught: Taught | None = None, examples: Any = None
    ) -> tuple[Query, list[str]]:
        """A query's vectors, and warnings of words the model does not know. Blocks.

        Args:
            taught: what the query was taught, if that is known already.
            examples: those of its files that lie elsewhere, as `terms.examples.sent` says them.

        Raises:
            BindstreamError: the model has no text tower, the actor died, or took over `ENCODE_S`;
                or as `examples_for` and `encode_query`.
        """
        try:
            return self._encode(config, taught, examples)
        except RayError as error:
            why = f"it cannot be encoded: {reason(error)}"
            raise ModelError(why, where=f"query {config.id!r}") from None

    def _encode(
        self, config: QueryConfig, taught: Taught | None, content: Any
    ) -> tuple[Query, list[str]]:
        handle = self._embedder.handle
        if config.taught is not None:  # nothing is asked of a tower
            return encode_query(config, self._vectors, self.model, taught), []
        towers = _Towers(self._embedder)
        examples = examples_for(config, towers, self._history, content)
        query = encode_query(config, self._vectors, self.model, examples=examples, dim=towers.dim)
        if not config.texts:
            return query, []
        unknown = ray.get(handle.unknown_words.remote(list(config.texts)), timeout=ENCODE_S)
        if self.background is None:
            every = {m: ray.get(handle.background.remote(m)) for m in self._modalities}
            self.phrases = {m: some for m, some in every.items() if some}
            self.background = {m: self._vectors(some) for m, some in self.phrases.items()}
        return query, doubts(config, unknown)

    def _vectors(self, texts: list[str]) -> Vectors:
        encoding = self._embedder.handle.encode_text.remote(texts)
        vectors: Vectors = ray.get(encoding, timeout=ENCODE_S)
        return vectors


class _Towers:
    """The towers of an embed actor, as recordings are embedded by them."""

    def __init__(self, embedder: Watched[EmbedHealth]) -> None:
        assert embedder.health is not None
        self.fingerprint, self.dim = embedder.health.model, embedder.health.dim
        self._handle = embedder.handle

    def encode(self, modality: ModalityName, batch: Vectors) -> Vectors:
        encoding = self._handle.encode.remote(modality, batch)
        vectors: Vectors = ray.get(encoding, timeout=ENCODE_S)
        return vectors
