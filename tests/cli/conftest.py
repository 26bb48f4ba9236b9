"""The command line in this process: what it prints and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from bindstream.cli import main


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture
def bindstream(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `bindstream` with the arguments it is given."""

    def run(*args: object) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(arg) for arg in args])
        code = ended.value.code
        return Outcome(code if isinstance(code, int) else 0, *capsys.readouterr())

    return run
