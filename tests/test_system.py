"""A missing Debian package skips a test by name, and fails it where everything must run."""

from __future__ import annotations

import pytest

from tests.system import REQUIRED, require


def test_what_is_there_goes_on() -> None:
    require("pulseaudio", True)


def test_what_is_missing_is_skipped_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(REQUIRED, raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install pulseaudio"):
        require("pulseaudio", False)


def test_what_is_missing_fails_where_all_must_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REQUIRED, "1")
    with pytest.raises(pytest.fail.Exception, match="apt-get install pulseaudio"):
        require("pulseaudio", False)
