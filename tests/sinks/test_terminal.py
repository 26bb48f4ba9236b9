"""Alerts on the terminal: one line each, whatever the width and the words."""

from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console

from bindstream.records import Part
from bindstream.sinks.terminal import TerminalSink, line, reading
from tests.sinks.test_jsonl import ALERT

DOG = dataclasses.replace(ALERT, text="a dog barking")


def printed(*alerts: object, width: int = 80) -> list[str]:
    out = io.StringIO()
    sink = TerminalSink(Console(file=out, width=width))
    for alert in alerts:
        sink.accept(alert)  # type: ignore[arg-type]
    sink.close()
    return out.getvalue().splitlines()


def test_an_alert_says_what_where_and_how_clearly() -> None:
    (said,) = printed(DOG)
    for part in ("● a dog barking", "mic (audio)", "z 6.5 (on 5)", "max 81.5 °C"):
        assert part in said
    assert "ended" not in said


def test_an_alert_says_the_id_that_commands_take_where_that_is_not_its_words() -> None:
    (said,) = printed(dataclasses.replace(DOG, query="rex", text="a dog barking"))
    assert "● a dog barking [rex]  mic" in said
    (said,) = printed(dataclasses.replace(DOG, query="rex", text="rex"))
    assert "● rex  mic" in said


def test_an_alert_of_a_rule_says_what_it_is_made_of() -> None:
    parts = (
        Part("glass", "mic", "audio", DOG.start_ns, DOG.end_ns, 4.5),
        Part("person", "hall", "vision", DOG.start_ns, DOG.end_ns, 3.0),
    )
    of_rule = dataclasses.replace(DOG, measure="log_odds", peak_z=7.5, on=4.4, parts=parts)
    (said,) = printed(of_rule)
    assert "evidence 7.5 (on 4.4): glass on mic " in said
    assert "person on hall " in said


@pytest.mark.parametrize(
    ("measure", "peak", "said"),
    [("max_c", 81.5, "max 81.5 °C (on 60)"), ("silent_s", 31.0, "silent 31.0 s (on 60)")],
)
def test_an_alert_of_a_sensor_rule_says_its_reading(measure: str, peak: float, said: str) -> None:
    (line,) = printed(dataclasses.replace(DOG, measure=measure, peak_z=peak, on=60))
    assert said in line
    assert "share" not in line


def test_what_else_the_sensor_may_have_shown_is_a_second_line() -> None:
    unsure = dataclasses.replace(DOG, shows=(("rain", 0.41), ("a dog barking", 0.22), ("x", 0.05)))
    said = printed(unsure)
    assert said[1].strip() == "shows: rain 41%, a dog barking 22%"
    sure = dataclasses.replace(DOG, shows=(("a dog barking", 0.97), ("rain", 0.03)))
    assert len(printed(sure)) == 1
    assert len(printed(dataclasses.replace(unsure, state="ended"))) == 1


def test_where_evidence_lies_is_said_when_an_alert_starts() -> None:
    kept = dataclasses.replace(DOG, evidence="/evidence/dog/mic-20261122T031502.250Z")
    assert printed(kept)[1].strip() == "evidence: /evidence/dog/mic-20261122T031502.250Z"
    assert len(printed(dataclasses.replace(kept, state="ended"))) == 1


def test_an_ended_alert_says_how_long_it_lasted() -> None:
    (said,) = printed(dataclasses.replace(DOG, state="ended"))
    assert "○ a dog barking" in said
    assert "ended after 2 s" in said


@pytest.mark.parametrize("width", [20, 80])
def test_an_alert_is_one_line_however_narrow_the_terminal(width: int) -> None:
    long = dataclasses.replace(DOG, text="somebody who " + "walks and " * 20 + "talks")
    broken = dataclasses.replace(DOG, text="a dog\nbarking")
    assert len(printed(long, broken, width=width)) == 2


def test_words_in_brackets_are_words_and_no_markup() -> None:
    (said,) = printed(dataclasses.replace(DOG, text="[bold]a dog[/bold] [red]"))
    assert "[bold]a dog[/bold] [red]" in said


def test_line_starts_with_the_time_of_the_event_not_of_the_printing() -> None:
    assert (
        line(DOG).plain[:8] == line(dataclasses.replace(DOG, end_ns=DOG.end_ns + 10**12)).plain[:8]
    )
    assert line(DOG).plain[:8] != line(dataclasses.replace(DOG, start_ns=0)).plain[:8]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("max_c", 81.53, "max 81.5 °C"),
        ("nearest_m", 1.25, "nearest 1.2 m"),
        ("step_rate_hz", 1.8, "step rate 1.8 Hz"),
        ("long_s", 3.0, "long 3.0 s"),
        ("share", 0.12345, "share 0.123"),
    ],
)
def test_readings_carry_the_unit_of_their_name(name: str, value: float, said: str) -> None:
    assert reading(name, value) == said
