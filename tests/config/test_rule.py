"""Rules in a configuration: what is wrong with one, said so that it can be put right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from bindstream.config import Config, check_config
from bindstream.config.rule import ANY_RULE, CombinedRule, ReadingRule, SilenceRule
from bindstream.features.thermal import readings
from bindstream.modalities import MODALITIES

STREAMS = [
    {"name": "mic", "source": {"kind": "microphone"}},
    {"name": "stove", "source": {"kind": "thermal", "device": "/dev/video2", "celsius": "lepton"}},
]
QUERIES = [{"id": "glass", "text": "glass breaking"}, {"id": "dog", "text": "a dog"}]


def said(tmp_path: Path, *rules: dict[str, Any], queries: Any = QUERIES) -> list[str]:
    """What checking a file with these rules says."""
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump({"streams": STREAMS, "queries": queries, "rules": list(rules)}))
    return [f"{p.path}: {p.what} {p.fix}" for p in check_config(path)]


def test_each_kind_is_told_by_its_keys() -> None:
    kinds: list[tuple[dict[str, Any], type]] = [
        ({"all": ["a", "b"]}, CombinedRule),
        ({"any": "a"}, CombinedRule),
        ({"sequence": ["a", "b"], "within_s": 30}, CombinedRule),
        ({"reading": "max_c", "above": 60}, ReadingRule),
        ({"silent_s": 30}, SilenceRule),
    ]
    for keys, kind in kinds:
        assert isinstance(ANY_RULE.validate_python({"id": "x", **keys}), kind)


def test_a_file_of_good_rules_has_no_problem(tmp_path: Path) -> None:
    rules: list[dict[str, Any]] = [
        {"id": "x", "all": ["glass", "dog"], "budget": "1/week"},
        {"id": "y", "any": ["glass"], "none": ["dog"]},
        {"id": "oven", "reading": "max_c", "above": 60, "for_s": 10, "streams": ["stove"]},
        {"id": "quiet", "silent_s": 30},
    ]
    assert said(tmp_path, *rules) == []


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ({"all": ["glas", "dog"]}, "rules[0].all: no query has the id 'glas'; perhaps 'glass'"),
        ({"all": ["xyz", "dog"]}, "there are: dog, glass"),
        ({"any": ["glass"], "none": ["x"]}, "rules[0].none: 'x' is a rule"),
        ({"all": ["glass", "dog"], "any": ["dog"]}, "not all and any"),
        ({"none": ["dog"]}, "none says what it is not"),
        ({"all": ["glass"]}, "all of a single query is that query"),
        ({"all": ["glass", "dog"], "none": ["dog"]}, "'dog' stands in it twice"),
        ({"all": ["glass", "dog"], "within": 3}, "unknown key Did you mean 'within_s'?"),
        ({"all": ["glass", "dog"], "within_s": 0}, "rules[0].within_s"),
        ({"all": ["glass", "dog"], "budget": "often"}, "no number of false alarms"),
        ({"any": "dog", "min_length_s": 9, "max_length_s": 3}, "nothing would be announced"),
        ({"reading": "max_c"}, "give either above or below"),
        ({"reading": "max_c", "above": 60, "below": 3}, "give either above or below"),
        ({"reading": "max_c", "above": 60, "until": 61}, "the event would end as it starts"),
        ({"reading": "max_f", "above": 60}, "no window of audio, thermal carries 'max_f'"),
        ({"reading": "max_c", "above": 6, "streams": "mic"}, "no window of audio carries 'max_c'"),
        ({"silent_s": 30, "streams": ["hall"]}, "no stream is named 'hall'; there are: mic, stove"),
        ({"silent_s": 0}, "rules[0].silent_s"),
        ({"loud_s": 3}, "does not say what it is made of"),
    ],
)
def test_what_is_wrong_with_a_rule_is_said(tmp_path: Path, rule: dict[str, Any], what: str) -> None:
    (problem,) = said(tmp_path, {"id": "x", **rule})
    assert what in problem


def test_ids_are_those_of_one_query_or_one_rule(tmp_path: Path) -> None:
    rules = [{"id": "dog", "silent_s": 3}, {"id": "x", "silent_s": 3}, {"id": "x", "silent_s": 4}]
    assert [problem.strip() for problem in said(tmp_path, *rules)] == [
        "rules[0].id: 'dog' names a query already",
        "rules[2].id: 'x' names another rule already",
    ]


def test_a_rule_over_a_query_that_is_wrong_itself_is_no_further_problem(tmp_path: Path) -> None:
    queries = [{"id": "glass", "text": "glass", "budget": -1}, {"text": "Dog!", "on": 0}]
    problems = said(tmp_path, {"id": "x", "all": ["glass", "dog"]}, queries=queries)
    assert [problem.partition(":")[0] for problem in problems] == [
        "queries[0].budget",
        "queries[1].on",
    ]


def test_a_muted_query_that_no_rule_uses_is_warned_of(tmp_path: Path) -> None:
    queries = [{**query, "alert": False} for query in QUERIES]
    (problem,) = said(tmp_path, {"id": "x", "any": ["glass"]}, queries=queries)
    assert problem.startswith("queries[1].alert: is muted, and no rule uses it")


def test_an_event_of_a_reading_ends_a_little_further_back() -> None:
    def end(**keys: object) -> float:
        rule = ANY_RULE.validate_python({"id": "x", **keys})
        assert isinstance(rule, ReadingRule)
        return rule.end

    assert end(reading="max_c", above=60) == 59
    assert end(reading="max_c", below=5) == 6
    assert end(reading="near_m", below=2) == pytest.approx(2.1)
    assert end(reading="max_c", above=60, until=40) == 40


def test_rules_are_checked_without_a_file_too() -> None:
    with pytest.raises(ValidationError, match="no query has the id"):
        Config.model_validate({"streams": STREAMS, "rules": [{"id": "x", "any": "dog"}]})


def test_the_table_of_modalities_names_the_readings_that_windows_carry() -> None:
    assert tuple(readings(np.zeros((2, 2), np.float32))) == MODALITIES["thermal"].readings
