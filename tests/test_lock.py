"""A lock: one holder, named to who comes second; free once released."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bindstream.errors import BindstreamError, StateError
from bindstream.lock import Lock


def lock(path: Path) -> Lock:
    return Lock(path, "the thing", "Wait.", StateError)


def test_who_comes_second_is_told_who_holds_it_and_what_to_do(tmp_path: Path) -> None:
    first = lock(tmp_path / "lock")
    with pytest.raises(
        StateError, match=rf"the thing: another process \(pid {os.getpid()}\).*Wait"
    ):
        lock(tmp_path / "lock")
    first.release()
    first.release()
    lock(tmp_path / "lock").release()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BindstreamError, match=r"gone.*cannot be written"):
        lock(tmp_path / "gone" / "lock")
