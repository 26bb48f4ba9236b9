"""Queries and what they are contrasted with, encoded by an embed actor."""

from __future__ import annotations

from collections.abc import Sequence

import ray
from ray.exceptions import RayError

from bindstream.config import QueryConfig
from bindstream.errors import ModelError
from bindstream.matcher import Query, Vectors
from bindstream.queries import doubts, encode_query
from bindstream.records import ModalityName
from bindstream.teaching.taught import Taught
from nodes.embed import EmbedHealth
from nodes.watched import Watched, reason

ENCODE_S = 300.0
"""How long texts may take: the text tower may have to be read first, and imagebind_huge lies on
slow disks too."""


class QueryEncoder:
    """Turns words into vectors by the text tower of `embedder`, which reads it when it has to.

    `background` are vectors (n, dim) of the phrases that queries are contrasted with, by modality;
    None before the first query of words, since nobody needs them.
    """

    def __init__(self, embedder: Watched[EmbedHealth], modalities: Sequence[ModalityName]) -> None:
        self._embedder, self._modalities = embedder, modalities
        self.background: dict[ModalityName, Vectors] | None = None

    @property
    def model(self) -> str:
        """Fingerprint of the model that encodes."""
        assert self._embedder.health is not None
        return self._embedder.health.model

    def encode(self, config: QueryConfig, taught: Taught | None = None) -> tuple[Query, list[str]]:
        """A query's vectors, and warnings of words the model does not know. Blocks.

        Args:
            taught: what the query was taught, if that is known already.

        Raises:
            BindstreamError: the model has no text tower, the actor died, or took over `ENCODE_S`;
                or as `encode_query`.
        """
        try:
            return self._encode(config, taught)
        except RayError as error:
            why = f"it cannot be encoded: {reason(error)}"
            raise ModelError(why, where=f"query {config.id!r}") from None

    def _encode(self, config: QueryConfig, taught: Taught | None) -> tuple[Query, list[str]]:
        handle = self._embedder.handle
        if config.taught is not None:  # nothing is asked of a tower
            return encode_query(config, self._vectors, self.model, taught), []
        query = encode_query(config, self._vectors, self.model)
        texts = [*config.said, *config.held_against]
        unknown = ray.get(handle.unknown_words.remote(texts), timeout=ENCODE_S)
        if self.background is None:
            phrases = {m: ray.get(handle.background.remote(m)) for m in self._modalities}
            self.background = {m: self._vectors(some) for m, some in phrases.items() if some}
        return query, doubts(config, unknown)

    def _vectors(self, texts: list[str]) -> Vectors:
        encoding = self._embedder.handle.encode_text.remote(texts)
        vectors: Vectors = ray.get(encoding, timeout=ENCODE_S)
        return vectors
