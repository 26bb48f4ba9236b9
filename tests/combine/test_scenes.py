"""Rules on the simulated house, through the whole path in one process."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from bindstream import Alert, Config, Pipeline
from bindstream.config import load_config

EXAMPLE = Path(__file__).parents[2] / "configs" / "rules.yaml"
HOUSE = {
    "kind": "scene",
    "seed": 2,
    "length_s": 60,
    "speed": "max",
    "events": [
        {"kind": "dog", "at_s": 22, "length_s": 6},
        {"kind": "glass_breaking", "at_s": 40, "length_s": 1.6},
        {"kind": "person", "at_s": 42, "length_s": 8},
    ],
}
RULES: list[dict[str, Any]] = [
    {"id": "break-in", "all": ["glass", "person"], "none": ["dog"], "within_s": 10},
    {"id": "in-order", "sequence": ["glass", "person"], "within_s": 10},
    {"id": "wrong-order", "sequence": ["person", "glass"], "within_s": 10},
    {"id": "too-far-apart", "all": ["dog", "glass"], "within_s": 5},
    {"id": "somebody", "any": ["person", "glass"], "budget": 2},
    {"id": "warm", "reading": "max_c", "above": 30, "for_s": 4, "streams": "heat"},
    {"id": "frost", "reading": "min_c", "below": 0},
]


def house(rules: list[dict[str, Any]], **more: object) -> Config:
    streams = [
        {"name": "mic", "modality": "audio", "source": HOUSE},
        {"name": "heat", "modality": "thermal", "source": HOUSE},
    ]
    return Config.model_validate(
        {
            "streams": [*([more] if more else []), *streams],
            "model": {"threads": 1},
            "queries": [
                {"id": "glass", "text": "glass breaking", "modalities": "audio", "alert": False},
                {"id": "person", "text": "a person", "modalities": "thermal", "alert": False},
                {"id": "dog", "text": "dog barking", "modalities": "audio", "alert": False},
            ],
            "rules": rules,
        }
    )


def raised() -> dict[str, list[Alert]]:
    """The alerts of each rule, and of anything else that speaks up."""
    alerts = defaultdict(list)
    for record in Pipeline(house(RULES)):
        if isinstance(record, Alert):
            alerts[record.query].append(record)
    return alerts


@pytest.fixture(scope="module")
def alerts() -> dict[str, list[Alert]]:
    return raised()


def test_what_happens_together_is_one_alert_whichever_way_it_is_put(
    alerts: dict[str, list[Alert]],
) -> None:
    assert set(alerts) == {"break-in", "in-order", "somebody", "warm"}
    for rule in ("break-in", "in-order", "somebody"):
        assert [alert.state for alert in alerts[rule]] == ["started", "ended"]


def test_an_alert_of_a_rule_names_what_it_is_made_of(alerts: dict[str, list[Alert]]) -> None:
    begun = alerts["break-in"][0]
    glass, person = begun.parts
    assert [(p.query, p.stream) for p in (glass, person)] == [("glass", "mic"), ("person", "heat")]
    # The glass breaks at 40 s, somebody comes at 42 s.
    assert 0 < (person.start_ns - glass.start_ns) / 1e9 <= 4
    assert begun.peak_z == pytest.approx(glass.log_odds + person.log_odds)


def test_a_reading_of_the_heat_camera_is_watched_without_any_query(
    alerts: dict[str, list[Alert]],
) -> None:
    ended = [alert for alert in alerts["warm"] if alert.state == "ended"]
    dog, person = ended
    assert all(4 <= (alert.end_ns - alert.start_ns) / 1e9 <= 12 for alert in ended)
    assert all(30 <= alert.peak_z == alert.readings["max_c"] < 40 for alert in ended)
    assert 18 <= (person.start_ns - dog.start_ns) / 1e9 <= 22


def test_a_recording_gives_the_same_alerts_of_rules_again(alerts: dict[str, list[Alert]]) -> None:
    def plain(some: dict[str, list[Alert]]) -> list[tuple[object, ...]]:
        all_ = [alert for of_rule in some.values() for alert in of_rule]
        start_ns = min(alert.start_ns for alert in all_)
        return sorted(
            (a.query, a.state, a.peak_z, a.start_ns - start_ns, a.end_ns - start_ns) for a in all_
        )

    assert plain(raised()) == plain(alerts)


def test_every_rule_of_the_example_finds_what_happens_in_it() -> None:
    config = load_config(EXAMPLE)
    quick = [
        s.model_copy(update={"source": s.source.model_copy(update={"speed": "max"})})
        for s in config.streams
    ]
    pipeline = Pipeline(config.model_copy(update={"streams": tuple(quick)}))
    begun = [r.query for r in pipeline if isinstance(r, Alert) and r.state == "started"]
    assert sorted(begun) == ["break-in", "fall-then-still", "someone-there", "stove-left-on"]
    assert pipeline.warnings == []


def test_a_sensor_that_never_says_anything_is_an_alert() -> None:
    gone = {"kind": "imu", "port": "socket://127.0.0.1:9"}
    dead = {"id": "dead", "silent_s": 1.5, "streams": ["wrist"]}
    pipeline = Pipeline(house([dead], name="wrist", source=gone))
    begun = next(record for record in pipeline if isinstance(record, Alert))
    assert (begun.query, begun.stream, begun.modality) == ("dead", "wrist", "imu")
    assert begun.measure == "silent_s"
    assert 1.5 <= begun.peak_z < 60
