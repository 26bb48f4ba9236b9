"""The command line in this process, for trainings that several tests look at."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from bindstream.cli import main


@dataclass(frozen=True)
class Said:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def record(self) -> dict[str, Any]:
        assert self.code == 0, self.err
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def tower(self) -> dict[str, Any]:
        (found,) = self.record["towers"]
        return dict(found)


def say(*args: object) -> Said:
    """Run `bindstream` with one torch thread."""
    threads = torch.get_num_threads()
    out, err = io.StringIO(), io.StringIO()
    try:
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as ended,
        ):
            main([*(str(arg) for arg in args), "--threads", "1"])
    finally:
        torch.set_num_threads(threads)
    code = ended.value.code
    return Said(code if isinstance(code, int) else 0, out.getvalue(), err.getvalue())


def course(work: Path) -> list[dict[str, str]]:
    """The rows of the only curve in a work folder."""
    (path,) = work.glob("*_curve.csv")
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
