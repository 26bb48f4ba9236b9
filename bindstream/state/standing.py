"""What is watched for at a start: the configuration's queries and rules, and what was said of them
before."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from bindstream.config import QueryConfig
from bindstream.config.rule import AnyRule
from bindstream.config.rules_check import rule_clashes
from bindstream.records import ModalityName
from bindstream.state.kept import Asked, Kept, entry, kind


@dataclasses.dataclass(frozen=True)
class Standing:
    """A query at a start; `sent` is what came with it when it was given (see `Kept`).

    `is_filed` is whether it is the file's own; one that is not may be left out if it cannot be
    used any more.
    """

    config: QueryConfig
    sent: dict[str, Any] = dataclasses.field(default_factory=dict)
    paused: bool = False
    is_filed: bool = True


@dataclasses.dataclass(frozen=True)
class StandingRule:
    """A rule at a start, as `Standing`."""

    config: AnyRule
    paused: bool = False
    is_filed: bool = True


@dataclasses.dataclass(frozen=True)
class Start:
    """All queries and rules of a start, what its user should know, and ids that may be forgotten
    because the file has the last word on them."""

    queries: tuple[Standing, ...]
    rules: tuple[StandingRule, ...]
    notes: tuple[str, ...]
    outdated: tuple[str, ...]


def standing(filed: Sequence[Asked], kept: Sequence[Kept]) -> Start:
    """Holds the file's queries and rules against what was said while earlier runs were going on.

    What was said of an entry of the file counts as long as that is the same as it was then; once it
    changes, or is deleted, the file has the last word.
    """
    said = {each.id: each for each in kept}
    found: list[Standing | StandingRule] = []
    notes: list[str] = []
    outdated: list[str] = []
    for config in filed:
        past = said.pop(config.id, None)
        if past is None:
            found.append(_standing(config))
        elif past.filed != entry(config):
            notes.append(_passed_over(past, "its entry in the configuration is another one"))
            outdated.append(config.id)
            found.append(_standing(config))
        else:
            found += _as_said(config, past, notes)
    for past in said.values():
        if past.filed:
            notes.append(_passed_over(past, "the configuration has it no longer"))
            outdated.append(past.id)
        elif past.config is not None:
            found.append(_standing(past.config, past, is_filed=False))
            how = ", paused" if past.paused else ""
            what = f"{kind(past.config)} {past.id!r}"
            notes.append(f"{what} was added while an earlier run was going on{how}")
    return Start(
        tuple(each for each in found if isinstance(each, Standing)),
        tuple(each for each in found if isinstance(each, StandingRule)),
        tuple(notes),
        tuple(outdated),
    )


def _standing(
    config: Asked, past: Kept | None = None, *, is_filed: bool = True
) -> Standing | StandingRule:
    paused = past is not None and past.paused
    if not isinstance(config, QueryConfig):
        return StandingRule(config, paused, is_filed)
    sent = past.sent if past is not None and past.config is not None else {}
    return Standing(config, sent, paused, is_filed)


def _as_said(config: Asked, past: Kept, notes: list[str]) -> list[Standing | StandingRule]:
    what = kind(config)
    if past.removed:
        notes.append(
            f"{what} {past.id!r} stays removed: change its entry, or `bindstream {what} add` it"
        )
        return []
    if past.paused:
        notes.append(f"{what} {past.id!r} is paused: `bindstream {what} resume {past.id}`")
    if past.config is None:
        return [_standing(config, past)]
    notes.append(
        f"{what} {past.id!r}: what replaced it while an earlier run was going on is watched for, "
        "not its entry in the configuration"
    )
    return [_standing(past.config, past, is_filed=False)]


def _passed_over(past: Kept, why: str) -> str:
    what = "removed" if past.removed else "replaced" if past.config else "paused"
    return f"{past.id!r} was {what} while an earlier run was going on; no more, since {why}"


def usable(
    rules: Sequence[StandingRule],
    queries: Collection[str],
    modality_of: Mapping[str, ModalityName | None],
) -> tuple[list[StandingRule], list[str]]:
    """The rules of a start that can be used, and what to say of those that cannot any more.

    Args:
        queries: ids of the queries that there are, paused or not.
        modality_of: every stream's modality.
    """
    found: list[StandingRule] = []
    left_out: list[str] = []
    for each in rules:
        name = each.config.id
        clashes = () if each.is_filed else rule_clashes([(0, each.config)], queries, modality_of)
        if clashes:
            why = "; ".join(what for _, what in clashes)
            left_out.append(f"rule {name!r}, given while running, is left out: {why}")
        else:
            found.append(each)
    return found, left_out
