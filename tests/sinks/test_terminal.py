"""Alerts on the terminal: one line each, whatever the width and the words."""

from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console

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
