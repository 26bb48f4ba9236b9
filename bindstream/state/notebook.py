"""What is said of queries and rules while a run goes on, written down for the next start."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from bindstream.errors import StateError
from bindstream.state.kept import Asked, Kept, entry
from bindstream.state.standing import Start, standing
from bindstream.state.store import State


class Notebook:
    """Keeps a run's changes of queries and rules; without a `state` nothing.

    What cannot be written holds in this run all the same: the methods say so in their answer.

    Args:
        filed: the configuration's queries and rules.
    """

    def __init__(self, state: State | None, filed: Sequence[Asked]) -> None:
        self._state, self._filed = state, filed
        self._entries = {config.id: entry(config) for config in filed}
        self._kept: dict[str, Kept] = {}

    def start(self) -> Start:
        """What is watched for from the start on.

        Raises:
            StateError: the file cannot be read or written.
        """
        kept = self._state.kept() if self._state is not None else []
        begun = standing(self._filed, kept)
        self._kept = {each.id: each for each in kept if each.id not in begun.outdated}
        if self._state is not None:
            for name in begun.outdated:
                self._state.forget(name)
        return begun

    def added(self, config: Asked, sent: dict[str, Any] | None = None) -> list[str]:
        """A query or rule was added or replaced.

        Args:
            sent: what came with it, as plain data.
        """
        if entry(config) == self._entries.get(config.id):
            return self._put(Kept(config.id))
        filed = self._entries.get(config.id, "")
        return self._put(Kept(config.id, config, sent or {}, filed))

    def removed(self, name: str) -> list[str]:
        """The query or rule of this id was removed."""
        filed = self._entries.get(name, "")
        return self._put(Kept(name, filed=filed, removed=bool(filed)))

    def paused(self, name: str, *, on: bool) -> list[str]:
        """The query or rule of this id was paused, or resumed (`on` is False)."""
        plain = Kept(name, filed=self._entries.get(name, ""))
        return self._put(dataclasses.replace(self._kept.get(name, plain), paused=on))

    def _put(self, kept: Kept) -> list[str]:
        """Warnings of what could not be kept."""
        if self._state is None:
            return []
        try:
            if kept.config is None and not kept.paused and not kept.removed:
                self._kept.pop(kept.id, None)
                self._state.forget(kept.id)
            else:
                self._kept[kept.id] = kept
                self._state.keep(kept)
        except StateError as error:
            return [f"{kept.id!r}: this holds until the run ends, it is not kept: {error}"]
        return []
