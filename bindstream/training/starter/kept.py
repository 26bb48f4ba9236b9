"""What was prepared once is kept on disk: rendered scenes, windows of recorded activities."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

from bindstream.training.starter.recordings import Entry


def digest(entries: Sequence[Entry]) -> str:
    """Another for other recordings: what was prepared of some is not trained on as others."""
    return f"{crc32(repr([(str(e.path), e.label) for e in entries]).encode()):08x}"


def kept(path: Path, make: Callable[[], Any]) -> Any:
    """The result of `make`, from the file of an earlier run if there is one."""
    path = path.with_name(path.name + ".pickle")
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        found = make()
        partial = path.with_name(path.name + f".{os.getpid()}")
        with partial.open("wb") as file:
            pickle.dump(found, file, protocol=5)
        partial.replace(path)
        return found
    with path.open("rb") as file:
        return pickle.load(file)
