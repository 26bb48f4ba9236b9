"""What is watched for at a start: the configuration's queries, and what was said of them before."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from bindstream.config import QueryConfig
from bindstream.state.kept import KeptQuery, entry


@dataclasses.dataclass(frozen=True)
class Standing:
    """A query at a start; `sent` is what came with it when it was given (see `KeptQuery`).

    `is_filed` is whether it is the file's own; one that is not may be left out if it cannot be
    used any more.
    """

    config: QueryConfig
    sent: dict[str, Any] = dataclasses.field(default_factory=dict)
    paused: bool = False
    is_filed: bool = True


@dataclasses.dataclass(frozen=True)
class Start:
    """All queries of a start, what its user should know, and ids that may be forgotten because the
    file has the last word on them."""

    queries: tuple[Standing, ...]
    notes: tuple[str, ...]
    outdated: tuple[str, ...]


def standing(filed: Sequence[QueryConfig], kept: Sequence[KeptQuery]) -> Start:
    """Holds the file's queries against what was said while earlier runs were going on.

    What was said of a query of the file counts as long as its entry is the same as it was then;
    once that changes, or is deleted, the file has the last word.
    """
    said = {each.id: each for each in kept}
    queries: list[Standing] = []
    notes: list[str] = []
    outdated: list[str] = []
    for config in filed:
        found = said.pop(config.id, None)
        if found is None:
            queries.append(Standing(config))
        elif found.filed != entry(config):
            notes.append(_passed_over(found, "its entry in the configuration is another one"))
            outdated.append(config.id)
            queries.append(Standing(config))
        else:
            queries += _as_said(config, found, notes)
    for found in said.values():
        if found.filed:
            notes.append(_passed_over(found, "the configuration has it no longer"))
            outdated.append(found.id)
        elif found.config is not None:
            queries.append(Standing(found.config, found.sent, found.paused, is_filed=False))
            how = ", paused" if found.paused else ""
            notes.append(f"query {found.id!r} was added while an earlier run was going on{how}")
    return Start(tuple(queries), tuple(notes), tuple(outdated))


def _as_said(config: QueryConfig, found: KeptQuery, notes: list[str]) -> list[Standing]:
    if found.removed:
        notes.append(
            f"query {found.id!r} stays removed: change its entry, or `bindstream query add` it"
        )
        return []
    if found.paused:
        notes.append(f"query {found.id!r} is paused: `bindstream query resume {found.id}`")
    if found.config is None:
        return [Standing(config, paused=found.paused)]
    notes.append(
        f"query {found.id!r}: what replaced it while an earlier run was going on is watched for, "
        "not its entry in the configuration"
    )
    return [Standing(found.config, found.sent, found.paused, is_filed=False)]


def _passed_over(found: KeptQuery, why: str) -> str:
    what = "removed" if found.removed else "replaced" if found.config else "paused"
    return f"query {found.id!r} was {what} while an earlier run was going on; no more, since {why}"
