"""bindstream rule: what it asks of a pipeline, and how it shows the answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bindstream.cli.rule import made_of
from bindstream.config.rule import ANY_RULE
from bindstream.control import Answer, ControlServer, Request
from bindstream.errors import ConfigError
from tests.cli.conftest import Command

LEVEL = {"query": "break-in", "stream": "", "on": 7.6, "promise": "at most 1 an hour"}

QUERIES = [
    {
        "id": name,
        "text": ["glass breaking"],
        "like": [],
        "plus": [],
        "minus": [],
        "negatives": [],
        "streams": None,
        "modalities": None,
        "taught": None,
        "budget": 0.2,
        "alert": alert,
        "paused": paused,
    }
    for name, alert, paused in (("loud", True, True), ("mute", False, False))
]


class Far:
    """The far end: keeps the rules that it is given, whose configurations have to be right."""

    def __init__(self) -> None:
        self.rules: dict[str, dict[str, Any]] = {}
        self._server = ControlServer("tcp://127.0.0.1:0", self._answer)
        self.address = self._server.address
        self.close = self._server.close

    def _answer(self, request: Request) -> Answer:
        match request["op"]:
            case "rule.add":
                rule = ANY_RULE.validate_python(request["rule"])
                self.rules[rule.id] = rule.model_dump(mode="json", exclude_none=True)
            case "rule.remove":
                if self.rules.pop(request["id"], None) is None:
                    raise ConfigError(f"there is no rule {request['id']!r}.")
            case "rule.pause" | "rule.resume":
                self.rules[request["id"]]["paused"] = request["op"] == "rule.pause"
                return {"id": request["id"], "warnings": ["the disk is full"]}
        match = {"rules": [LEVEL], "doubts": ["rule 'x': it raises no alert"]}
        return {"rules": list(self.rules.values()), "match": match, "queries": QUERIES}


@pytest.fixture
def far() -> Iterator[Far]:
    far = Far()
    yield far
    far.close()


def test_rules_of_each_kind_are_added_and_listed(bindstream: Command, far: Far) -> None:
    at = ("--address", far.address)
    both = ("--all", "glass", "--all", "person", "--none", "dog", "--budget", "1/week")
    added = bindstream("rule", "add", "break-in", *both, "--within", 8, *at)
    assert (added.code, added.out) == (
        0,
        "Watching for break-in: glass and person without dog within 8 s.\n",
    )
    level = ("--reading", "max_c", "--above", 60, "--for", 10, "--stream", "stove")
    assert bindstream("rule", "add", "oven", *level, *at).code == 0
    assert bindstream("rule", "add", "dead", "--silent", 30, *at).code == 0
    assert far.rules["break-in"]["none"] == ["dog"]
    assert far.rules["break-in"]["budget"] == pytest.approx(1 / 168)
    assert far.rules["oven"]["streams"] == ["stove"]
    listed = bindstream("rule", "list", *at).out
    for said in ("evidence 7.6", "at most 1 an hour", "glass and", "max_c above", "silent for"):
        assert said in " ".join(listed.split())
    assert [one["id"] for one in json.loads(bindstream("rule", "list", "--json", *at).out)] == [
        "break-in",
        "oven",
        "dead",
    ]


def test_a_rule_is_removed_and_one_that_is_not_there_is_said(bindstream: Command, far: Far) -> None:
    at = ("--address", far.address)
    assert "There are no rules" in bindstream("rule", "list", *at).out
    bindstream("rule", "add", "dead", "--silent", 30, *at)
    assert bindstream("rule", "remove", "dead", *at).out == "No longer watching for dead.\n"
    failed = bindstream("rule", "remove", "dead", *at)
    assert failed.code != 0
    assert "there is no rule 'dead'" in failed.err


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"sequence": ["a", "b"], "within_s": 30.0}, "a, then b within 30 s"),
        ({"any": ["a", "b"], "within_s": 10.0}, "a or b within 10 s"),
        ({"reading": "min_c", "below": 0.0, "for_s": 0.0}, "min_c below 0"),
    ],
)
def test_a_rule_in_words(rule: dict[str, Any], said: str) -> None:
    assert made_of(rule) == said


def test_a_rule_is_paused_and_goes_on(bindstream: Command, far: Far) -> None:
    at = ("--address", far.address)
    bindstream("rule", "add", "dead", "--silent", 30, *at)
    paused = bindstream("rule", "pause", "dead", *at)
    assert (paused.code, paused.out) == (0, "dead is paused.\n")
    assert "the disk is full" in paused.err
    listed = bindstream("rule", "list", *at)
    assert "(paused)" in listed.out
    assert "rule 'x': it raises no alert" in listed.err
    assert bindstream("rule", "resume", "dead", *at).out == "Watching for dead again.\n"
    assert "(paused)" not in bindstream("rule", "list", *at).out


def test_a_query_that_rules_alone_make_use_of_is_shown_as_such(
    bindstream: Command, far: Far
) -> None:
    lines = bindstream("query", "list", "--address", far.address).out.splitlines()
    (loud,) = [" ".join(line.split()) for line in lines if "loud" in line]
    (mute,) = [" ".join(line.split()) for line in lines if "mute" in line]
    assert ("(paused)" in loud, "(for rules" in loud) == (True, False)
    assert ("(paused)" in mute, "(for rules" in mute) == (False, True)
