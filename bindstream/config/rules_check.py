"""What of rules only shows across sections: members that are not there, readings nobody takes."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from bindstream.config.problem import Severity
from bindstream.config.query import QueryConfig
from bindstream.config.rule import ANY_RULE, AnyRule, CombinedRule, ReadingRule
from bindstream.config.written import id_from
from bindstream.modalities import MODALITIES, SENSORS
from bindstream.records import ModalityName

Where = tuple[str | int, ...]


def rule_clashes(
    rules: Iterable[tuple[int, AnyRule]],
    queries: Iterable[str],
    modality_of: Mapping[str, ModalityName | None],
) -> list[tuple[Where, str]]:
    """What of rules only shows across sections, as (place, what is wrong).

    Args:
        rules: the valid ones with their places in the list.
        queries: ids of all queries.
        modality_of: every stream's modality, None if it is not known.
    """
    rules, queries = list(rules), set(queries)
    ids = {rule.id for _, rule in rules}
    found: list[tuple[Where, str]] = []
    seen = set(queries)
    for i, rule in rules:
        where: Where = ("rules", i)
        if rule.id in seen:
            other = "a query" if rule.id in queries else "another rule"
            found.append(((*where, "id"), f"{rule.id!r} names {other} already"))
        seen.add(rule.id)
        if isinstance(rule, CombinedRule):
            found += _unknown_members(where, rule, queries, ids)
            continue
        for name in rule.streams or ():
            if name not in modality_of:
                known = ", ".join(modality_of)
                what = f"no stream is named {name!r}; there are: {known}"
                found.append(((*where, "streams"), what))
        if isinstance(rule, ReadingRule) and (what := _unread(rule, modality_of)):
            found.append(((*where, "reading"), what))
    return found


def _unknown_members(
    where: Where, rule: CombinedRule, queries: set[str], rules: set[str]
) -> list[tuple[Where, str]]:
    found: list[tuple[Where, str]] = []
    for key in ("all", "any", "sequence", "none"):
        for name in getattr(rule, key) or ():
            if name in queries:
                continue
            if name in rules:
                what = f"{name!r} is a rule: rules are made of queries"
            else:
                close = difflib.get_close_matches(name, queries, n=1)
                known = ", ".join(sorted(queries)) or "none"
                fix = f"perhaps {close[0]!r} is meant" if close else f"there are: {known}"
                what = f"no query has the id {name!r}; {fix}"
            found.append(((*where, key), what))
    return found


def _unread(rule: ReadingRule, modality_of: Mapping[str, ModalityName | None]) -> str:
    """Why no stream that the rule listens to carries its reading; "" if one may."""
    streams = [name for name in rule.streams or modality_of if name in modality_of]
    heard = {modality_of[name] for name in streams}
    if not heard or any(m is None or rule.reading in MODALITIES[m].readings for m in heard):
        return ""
    carried = [f"{m}: {', '.join(r)}" for m in SENSORS if (r := MODALITIES[m].readings)]
    of = ", ".join(sorted(filter(None, heard)))
    return f"no window of {of} carries {rule.reading!r}; there are {'; '.join(carried)}"


def rule_problems(
    data: dict[str, Any],
    queries: Iterable[tuple[int, QueryConfig]],
    modality_of: Mapping[str, ModalityName | None],
) -> Iterator[tuple[Where, str, str, Severity]]:
    """What is wrong with a file's rules beside their values: where, what, the way out, how bad.

    Args:
        queries: the valid ones with their places in the list.
        modality_of: every stream's modality, None if it is not known.
    """
    queries, rules = list(queries), list(_valid(data.get("rules")))
    for where, what in rule_clashes(rules, _ids(data.get("queries")), modality_of):
        yield where, what, "", "error"
    used = {name for _, r in rules if isinstance(r, CombinedRule) for name in r.members}
    for i, query in queries:
        if not query.alert and query.id not in used:
            fix = "Name it in a rule, or leave `alert` out."
            yield ("queries", i, "alert"), "is muted, and no rule uses it", fix, "warning"


def _valid(items: Any) -> Iterator[tuple[int, AnyRule]]:
    for i, item in enumerate(items if isinstance(items, list) else ()):
        try:
            yield i, ANY_RULE.validate_python(item)
        except ValidationError:
            continue


def _ids(items: Any) -> Iterator[str]:
    """Ids of all queries of a file, of those that are wrong elsewhere too."""
    for item in items if isinstance(items, list) else ():
        try:
            yield QueryConfig.model_validate(item).id
        except ValidationError:
            if isinstance(item, dict) and isinstance(item.get("id"), str):
                yield item["id"]
            elif isinstance(item, dict) and isinstance(item.get("text"), str):
                yield id_from(item["text"])
