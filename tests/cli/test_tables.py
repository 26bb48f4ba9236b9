"""Tables: what drivers and users write is shown as they wrote it, whatever it looks like."""

from __future__ import annotations

import re
from typing import Any

import pytest
from rich.console import Console

from bindstream.cli.tables import streams_table


def said(detail: str, reused: int = 0) -> dict[str, Any]:
    """A status of one stream whose reader says `detail`."""
    accounts = {"captured": 3 + reused, "embedded": 1, "reused": reused, "pending": 0}
    accounts |= {"dropped": {"void": 0, "overload": 2}}  # type: ignore[dict-item]
    reader = {"state": "waiting", "detail": detail}
    intake = {"reader": reader, "accounts": accounts, "void": ""}
    return {
        "streams": {"door": {"intake": intake, "restarts": 0, "error": "", "tower_saved_s": 1.26}}
    }


@pytest.mark.parametrize("detail", ["lost [/dev/video0]", "[mjpeg @ 0x7f] no picture", "[red]"])
def test_a_drivers_words_in_brackets_are_shown_and_no_markup(detail: str) -> None:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(streams_table(said(detail)))
    assert detail in capture.get()
    assert "2 (overload 2)" in capture.get()


def test_a_stream_that_cannot_be_started_is_shown_with_the_reason() -> None:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(streams_table({"streams": {"door": {"failed": "no room", "restarts": 0}}}))
    assert re.search(r"door +failed", capture.get())
    assert "door: no room" in capture.get()


def test_what_a_gate_saved_is_shown_where_it_saved_anything() -> None:
    console = Console(width=140)
    for reused, shown in ((0, r" 0 +2 \(overload 2\)"), (9, r"9 \(75%, saved 1\.3 s\)")):
        with console.capture() as capture:
            console.print(streams_table(said("", reused)))
        assert re.search(shown, capture.get())
