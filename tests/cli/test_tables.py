"""Tables: what drivers and users write is shown as they wrote it, whatever it looks like."""

from __future__ import annotations

import re
import time
from dataclasses import asdict
from typing import Any

import pytest
from rich.console import Console

from bindstream.cli.tables import history_line, notice_lines, recording_line, streams_table
from bindstream.history.health import WriterHealth


def said(detail: str, reused: int = 0) -> dict[str, Any]:
    """A status of one stream whose reader says `detail`."""
    accounts = {"captured": 3 + reused, "embedded": 1, "reused": reused, "pending": 0}
    accounts |= {"dropped": {"void": 0, "overload": 2}}  # type: ignore[dict-item]
    reader = {"state": "waiting", "detail": detail}
    intake = {"reader": reader, "accounts": accounts, "void": "", "behind_s": 0.0}
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


@pytest.mark.parametrize(
    ("behind_s", "state", "shown"),
    [
        (48.7, "live", "door: 49 s behind its schedule"),
        (48.7, "ended", "door: ended 49 s behind its schedule"),
        (0.4, "live", ""),
    ],
)
def test_what_is_played_late_is_said_of_its_stream(behind_s: float, state: str, shown: str) -> None:
    status = said("")
    intake = status["streams"]["door"]["intake"]
    intake["behind_s"], intake["reader"]["state"] = behind_s, state
    console = Console(width=120)
    with console.capture() as capture:
        console.print(streams_table(status))
    lines = [line.strip() for line in capture.get().splitlines()]
    assert shown in lines
    assert any("behind" in line for line in lines) == bool(shown)


def test_a_history_says_what_it_keeps_and_what_it_could_not() -> None:
    kept = WriterHealth(
        folder="/data/history",
        vectors=1234567,
        bytes=650_000_000,
        oldest_ns=1_790_000_000 * 10**9,
        waiting=4,
        flushed_s=1.2,
        stored={"door": 90},
        lost={"door": 3},
        missed={"mic": 2},
        duplicates=0,
        trouble="[disk] full",
        notes=(),
    )
    console = Console(width=300)
    for status, shown in (
        ({}, ""),
        ({"history": {}}, ""),
        ({"history": {"restarts": 0}}, "starting"),
        ({"history": {"kept": asdict(kept)}}, "1,234,567 vectors, 650.0 MB in /data/history"),
    ):
        with console.capture() as capture:
            console.print(history_line(status))
        assert shown in capture.get()
    line = capture.get()
    for said in ("flushed 1 s ago", "missed 2 of mic", "lost 3 of door", "[disk] full", "since 20"):
        assert said in line


def test_a_stream_that_never_answered_is_shown_by_its_ledger() -> None:
    dropped = {"overload": 2, "ended": 1}
    accounts = {"captured": 9, "embedded": 6, "reused": 0, "dropped": dropped, "pending": 0}
    console = Console(width=120)
    with console.capture() as shown:
        hall = {"failed": "", "restarts": 0, "accounts": accounts}
        console.print(streams_table({"streams": {"hall": hall}}))
    row = next(line for line in shown.get().splitlines() if "hall" in line)
    assert " ".join(row.split()) == "hall starting 9 6 0 3 (overload 2, ended 1) 0"


def test_a_recording_is_shown_with_what_is_not_in_it() -> None:
    console = Console(width=200)
    bus = {"folder": "/r/[1]", "results": 7, "lost": 1, "disk_bytes": 500_000}
    kept = {"samples": {"door": 1200}, "lost": {"door": 2}, "disk_bytes": 1_500_000}
    with console.capture() as capture:
        console.print(recording_line({"recording": bus, "streams": {"door": {"recording": kept}}}))
        console.print(recording_line({"recording": {}, "streams": {}}))
    assert capture.get().strip() == (
        "recording: 1,200 samples, 7 vectors and alerts, 2.0 MB in /r/[1]; 3 lost"
    )


@pytest.mark.parametrize(
    "name", ["front-door", "the-camera-over-the-door-to-the-garden-behind-the-house"]
)
def test_figures_of_a_long_run_are_whole_on_a_terminal_of_80_columns(name: str) -> None:
    stream = said("", 900_000)["streams"]["door"]
    dropped = {"void": 1234, "overload": 98765, "ended": 1}
    accounts = {"captured": 2592000, "embedded": 1591988, "pending": 12, "dropped": dropped}
    stream["intake"]["accounts"] |= accounts
    stream["tower_saved_s"] = 123456.7
    console = Console(width=80)
    with console.capture() as capture:
        console.print(streams_table({"streams": {name: stream}}))
    lines = capture.get().splitlines()
    assert max(map(len, lines)) <= 80
    assert "…" not in capture.get()
    words = " ".join(lines).split()
    numbers = ["2592000", "1591988", "900000", "(35%,", "34.3", "100000", "1234,", "98765,", "1)"]
    assert [word for word in numbers if words.count(word) != 1] == []
    assert "".join(line[1:14].strip() for line in lines[3:-1]).startswith(name[:12])


def test_what_is_wrong_now_is_shown_before_what_was_said_and_when() -> None:
    weeks_ago_ns = time.time_ns() - 21 * 86_400 * 10**9
    lines = notice_lines(
        {
            "troubles": {"stream door": "stalled: no [picture] for 3 s"},
            "warnings": [
                {"at_ns": weeks_ago_ns, "what": "match died and was restarted"},
                {"at_ns": time.time_ns(), "what": "stream door: stalled: no [picture] for 2 s"},
            ],
        }
    )
    then = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(weeks_ago_ns / 1e9))
    assert lines[0].plain == "! stream door: stalled: no [picture] for 3 s"
    assert lines[1].plain == f"{then} match died and was restarted"
    assert re.fullmatch(r"\d\d:\d\d:\d\d stream door: stalled: .* 2 s", lines[2].plain)
    assert [str(line.style) for line in lines] == ["red", "dim", "dim"]


def test_of_a_run_in_which_nothing_was_wrong_nothing_is_shown() -> None:
    assert notice_lines({"troubles": {}, "warnings": []}) == []
