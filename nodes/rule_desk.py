"""The rule desk: answers control requests about rules, and knows which there are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from typing import Any

import ray
from pydantic import ValidationError

from bindstream.config import Config
from bindstream.config.rule import ANY_RULE, AnyRule, CombinedRule
from bindstream.config.rules_check import rule_clashes
from bindstream.control import Answer, Request
from bindstream.errors import ConfigError
from nodes.match import MatchHealth
from nodes.watched import Watched

TOLD_S = 10.0
"""How long the match actor may take to take in a change."""


class RuleDesk:
    """Keeps a run's rules, and the match actor in step with them.

    Args:
        queries: ids of the queries that there are now.
        lock: held while rules change, so that nobody restarts the match actor meanwhile.
    """

    def __init__(
        self,
        config: Config,
        match: Watched[MatchHealth],
        lock: threading.RLock,
        queries: Callable[[], Collection[str]],
    ) -> None:
        self._modality_of = {stream.name: stream.modality for stream in config.streams}
        self._match, self._lock, self._queries = match, lock, queries
        self._rules: dict[str, AnyRule] = {rule.id: rule for rule in config.rules}

    @property
    def rules(self) -> list[AnyRule]:
        return list(self._rules.values())

    def listed(self) -> list[dict[str, Any]]:
        """All rules, as plain data."""
        return [rule.model_dump(mode="json", exclude_none=True) for rule in self._rules.values()]

    def answer(self, request: Request) -> Answer:
        """Answers rule.list, rule.add and rule.remove.

        Raises:
            ConfigError: there is no such operation, or it cannot be done.
        """
        match request.get("op"):
            case "rule.list":
                return {"rules": self.listed()}
            case "rule.add":
                return self._add(request)
            case "rule.remove":
                return self._remove(str(request.get("id")))
            case op:
                raise ConfigError(f"there is no operation {op!r}.")

    def check_free(self, query_id: str) -> None:
        """Refuses a query the id of a rule.

        Raises:
            ConfigError: there is a rule of that id.
        """
        if query_id in self._rules:
            raise ConfigError(f"there is a rule {query_id!r} already.", fix="Give it another id.")

    def check_unused(self, query_id: str) -> None:
        """Refuses to let go of a query that a rule is made of.

        Raises:
            ConfigError: rules are.
        """
        users = [
            rule.id
            for rule in self._rules.values()
            if isinstance(rule, CombinedRule) and query_id in rule.members
        ]
        if users:
            fix = f"Remove that first: bindstream rule remove {users[0]}."
            raise ConfigError(f"the rule {users[0]!r} is made of {query_id!r}.", fix=fix)

    def _add(self, request: Request) -> Answer:
        rule = self._checked(request.get("rule"))
        with self._lock:
            if rule.id in self._rules and not request.get("replace"):
                fix = "Give this one another id, or replace that one (--replace)."
                raise ConfigError(f"there is a rule {rule.id!r} already.", fix=fix)
            for (*_, key), what in rule_clashes([(0, rule)], self._queries(), self._modality_of):
                raise ConfigError(f"{what}.", where=f"rule {rule.id!r}, {key}")
            self._rules[rule.id] = rule
            ray.get(self._match.handle.put_rule.remote(rule), timeout=TOLD_S)
        return {"id": rule.id}

    def _checked(self, given: Any) -> AnyRule:
        try:
            return ANY_RULE.validate_python(given)
        except ValidationError as error:
            first = error.errors()[0]
            inside = [str(part) for part in first["loc"] if not str(part).endswith("_rule")]
            raise ConfigError(f"{first['msg']}.", where=".".join(("rule", *inside))) from None

    def _remove(self, rule_id: str) -> Answer:
        with self._lock:
            if rule_id not in self._rules:
                known = ", ".join(self._rules) or "none"
                raise ConfigError(f"there is no rule {rule_id!r}.", fix=f"There are: {known}.")
            del self._rules[rule_id]
            ray.get(self._match.handle.remove_rule.remote(rule_id), timeout=TOLD_S)
        return {"id": rule_id}
