"""What is said of queries while a run goes on, written down for the next start."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from bindstream.config import QueryConfig
from bindstream.errors import StateError
from bindstream.state.kept import KeptQuery, entry
from bindstream.state.standing import Start, standing
from bindstream.state.store import State


class Notebook:
    """Keeps a run's changes of queries; without a `state` nothing.

    What cannot be written holds in this run all the same: the methods say so in their answer.

    Args:
        filed: the configuration's queries.
    """

    def __init__(self, state: State | None, filed: Sequence[QueryConfig]) -> None:
        self._state, self._filed = state, filed
        self._entries = {config.id: entry(config) for config in filed}
        self._kept: dict[str, KeptQuery] = {}

    def start(self) -> Start:
        """What is watched for from the start on.

        Raises:
            StateError: the file cannot be read or written.
        """
        kept = self._state.queries() if self._state is not None else []
        begun = standing(self._filed, kept)
        self._kept = {each.id: each for each in kept if each.id not in begun.outdated}
        if self._state is not None:
            for query_id in begun.outdated:
                self._state.forget_query(query_id)
        return begun

    def added(self, config: QueryConfig, sent: dict[str, Any]) -> list[str]:
        """A query was added or replaced.

        Args:
            sent: what came with it, as plain data.
        """
        if entry(config) == self._entries.get(config.id):
            return self._put(KeptQuery(config.id))
        return self._put(KeptQuery(config.id, config, sent, self._entries.get(config.id, "")))

    def removed(self, query_id: str) -> list[str]:
        filed = self._entries.get(query_id, "")
        return self._put(KeptQuery(query_id, filed=filed, removed=bool(filed)))

    def paused(self, query_id: str, *, on: bool) -> list[str]:
        """A query was paused, or resumed (`on` is False)."""
        plain = KeptQuery(query_id, filed=self._entries.get(query_id, ""))
        return self._put(dataclasses.replace(self._kept.get(query_id, plain), paused=on))

    def _put(self, kept: KeptQuery) -> list[str]:
        """Warnings of what could not be kept."""
        if self._state is None:
            return []
        try:
            if kept.config is None and not kept.paused and not kept.removed:
                self._kept.pop(kept.id, None)
                self._state.forget_query(kept.id)
            else:
                self._kept[kept.id] = kept
                self._state.keep_query(kept)
        except StateError as error:
            return [f"query {kept.id!r}: this holds until the run ends, it is not kept: {error}"]
        return []
