"""The rule desk: answers control requests about rules, and knows which there are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from typing import Any

from pydantic import ValidationError

from bindstream.combine.lacking import lacking
from bindstream.config import Config
from bindstream.config.rule import ANY_RULE, AnyRule, CombinedRule
from bindstream.config.rules_check import rule_clashes
from bindstream.control import Answer, Request
from bindstream.errors import ConfigError
from bindstream.state import Notebook
from bindstream.state.standing import StandingRule, usable
from nodes.match_health import MatchHealth
from nodes.watched import Watched

TOLD_S = 10.0
"""How long the match actor may take to take in a change."""


class RuleDesk:
    """Keeps a run's rules, and the match actor in step with them.

    Args:
        queries: ids of the queries that there are now.
        lock: held while rules change, so that nobody restarts the match actor meanwhile.
        notebook: keeps what is said of rules for the next start.
    """

    def __init__(
        self,
        config: Config,
        match: Watched[MatchHealth],
        lock: threading.RLock,
        queries: Callable[[], Collection[str]],
        notebook: Notebook,
    ) -> None:
        self._modality_of = {stream.name: stream.modality for stream in config.streams}
        self._match, self._lock, self._queries = match, lock, queries
        self._notebook = notebook
        self._rules: dict[str, AnyRule] = {}
        self._paused: set[str] = set()

    def begin(self, rules: Sequence[StandingRule]) -> list[str]:
        """Takes in the rules of the start, once the queries are known.

        Returns:
            Which of those given while running are left out, and why.
        """
        found, left_out = usable(rules, self._queries(), self._modality_of)
        self._rules = {each.config.id: each.config for each in found}
        self._paused = {each.config.id for each in found if each.paused}
        return left_out

    @property
    def rules(self) -> list[AnyRule]:
        """Those that are watched for."""
        return [rule for name, rule in self._rules.items() if name not in self._paused]

    def listed(self) -> list[dict[str, Any]]:
        """All rules, as plain data."""
        return [
            {**rule.model_dump(mode="json", exclude_none=True), "paused": name in self._paused}
            for name, rule in self._rules.items()
        ]

    def answer(self, request: Request) -> Answer:
        """Answers rule.list, .add, .remove, .pause and .resume.

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
            case "rule.pause":
                return self._pause(str(request.get("id")))
            case "rule.resume":
                return self._resume(str(request.get("id")))
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
        if users := self._users(query_id):
            name = users[0].id
            fix = f"Remove that first: bindstream rule remove {name}."
            raise ConfigError(f"the rule {name!r} is made of {query_id!r}.", fix=fix)

    def lacking(self, query_id: str) -> list[str]:
        """What rules lack while a query is paused."""
        return [f"rule {rule.id!r}: {lacking(rule, [query_id])}" for rule in self._users(query_id)]

    def _users(self, query_id: str) -> list[CombinedRule]:
        """The rules that are made of a query."""
        combined = (rule for rule in self._rules.values() if isinstance(rule, CombinedRule))
        return [rule for rule in combined if query_id in rule.members]

    def _add(self, request: Request) -> Answer:
        rule = self._checked(request.get("rule"))
        with self._lock:
            if rule.id in self._rules and not request.get("replace"):
                fix = "Give this one another id, or replace that one (--replace)."
                raise ConfigError(f"there is a rule {rule.id!r} already.", fix=fix)
            for (*_, key), what in rule_clashes([(0, rule)], self._queries(), self._modality_of):
                raise ConfigError(f"{what}.", where=f"rule {rule.id!r}, {key}")
            self._rules[rule.id] = rule
            self._paused.discard(rule.id)
            warnings = self._notebook.added(rule)
            warnings += self._match.tell(self._match.handle.put_rule.remote(rule), TOLD_S)
        return {"id": rule.id, "warnings": warnings}

    def _checked(self, given: Any) -> AnyRule:
        try:
            return ANY_RULE.validate_python(given)
        except ValidationError as error:
            first = error.errors()[0]
            inside = [str(part) for part in first["loc"] if not str(part).endswith("_rule")]
            raise ConfigError(f"{first['msg']}.", where=".".join(("rule", *inside))) from None

    def _remove(self, rule_id: str) -> Answer:
        with self._lock:
            self._known(rule_id)
            del self._rules[rule_id]
            self._paused.discard(rule_id)
            warnings = self._notebook.removed(rule_id)
            warnings += self._match.tell(self._match.handle.remove_rule.remote(rule_id), TOLD_S)
        return {"id": rule_id, "warnings": warnings}

    def _pause(self, rule_id: str) -> Answer:
        """The match actor forgets the rule; its event ends."""
        with self._lock:
            self._known(rule_id)
            self._paused.add(rule_id)
            warnings = self._notebook.paused(rule_id, on=True)
            warnings += self._match.tell(self._match.handle.remove_rule.remote(rule_id), TOLD_S)
        return {"id": rule_id, "warnings": warnings}

    def _resume(self, rule_id: str) -> Answer:
        """The match actor is given the rule again; it learns from all that was heard meanwhile."""
        with self._lock:
            rule = self._known(rule_id)
            if rule_id not in self._paused:
                raise ConfigError(f"rule {rule_id!r} is not paused.")
            self._paused.remove(rule_id)
            warnings = self._notebook.paused(rule_id, on=False)
            warnings += self._match.tell(self._match.handle.put_rule.remote(rule), TOLD_S)
        return {"id": rule_id, "warnings": warnings}

    def _known(self, rule_id: str) -> AnyRule:
        if rule_id not in self._rules:
            known = ", ".join(self._rules) or "none"
            raise ConfigError(f"there is no rule {rule_id!r}.", fix=f"There are: {known}.")
        return self._rules[rule_id]
