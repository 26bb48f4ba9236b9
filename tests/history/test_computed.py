"""What backgrounds are learned from: each computed vector once, as long as it stood."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bindstream.history import History, reader
from bindstream.history.computed import computed
from tests.history.windows import MODEL, NOON_NS, SECOND_NS, unit, window, written


def spans(folder: Path) -> list[tuple[int, int, int]]:
    """(start, end) in seconds after noon and the number of the vector's window."""
    found = []
    for starts, ends, vectors in computed(History(folder), MODEL, "door"):
        for start, end, vector in zip(starts, ends, vectors, strict=True):
            number = next(i for i in range(40) if np.allclose(unit(i), vector, atol=1e-3))
            times = ((int(ns) - NOON_NS) // SECOND_NS for ns in (start, end))
            found.append((*times, number))
    return found


@pytest.mark.parametrize("at_once", [1, 2, 3, 100])
def test_reused_windows_prolong_the_one_that_stood_for_them(
    tmp_path: Path, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = {2: 1, 3: 1, 6: 5, 7: 5, 8: 5}
    windows = [window(seq=i, same_as=same.get(i), vector=unit(same.get(i, i))) for i in range(10)]
    written(tmp_path, windows)
    blocks = list(History(tmp_path).read(MODEL, "door"))

    def in_pieces(self: History, *given: object) -> list[reader.Block]:
        return [piece for block in blocks for piece in cut(block, at_once)]

    monkeypatch.setattr(History, "read", in_pieces)
    assert spans(tmp_path) == [
        (0, 2, 0), (1, 5, 1), (4, 6, 4), (5, 10, 5), (9, 11, 9),
    ]  # fmt: skip


def cut(block: reader.Block, size: int) -> list[reader.Block]:
    return [
        reader.Block(
            block.stream, block.modality, *(getattr(block, name)[a : a + size] for name in NAMES)
        )
        for a in range(0, len(block.seq), size)
    ]


NAMES = ("starts_ns", "ends_ns", "seq", "computed", "coverage", "vectors")


def test_a_vector_whose_own_window_was_lost_begins_with_the_first_it_stood_for(
    tmp_path: Path,
) -> None:
    written(tmp_path, [window(seq=0), window(seq=5, same_as=3, vector=unit(3)), window(seq=6)])
    assert spans(tmp_path) == [(0, 2, 0), (5, 7, 3), (6, 8, 6)]


def test_a_stream_that_is_not_there_gave_nothing(tmp_path: Path) -> None:
    written(tmp_path, [window("other")])
    assert spans(tmp_path) == []
