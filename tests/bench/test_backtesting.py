"""The bench of backtests runs and finds its events."""

from __future__ import annotations

import re

import pytest

from bench import backtesting


def test_a_short_one_prints_times_and_events(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "sys.argv", ["backtesting.py", "--hours", "0.5", "--streams", "2", "--dim", "32"]
    )
    backtesting.main()
    said = capsys.readouterr().out
    assert re.search(r"2 streams, 0\.5 h each: 3[56]\d\d windows", said)
    assert len(re.findall(r"stream-\d: \d+ events, .+ an hour", said)) == 2
