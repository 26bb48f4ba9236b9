from __future__ import annotations

from pathlib import Path

import pytest

from bindstream.config import HistoryConfig
from bindstream.errors import ConfigError, HistoryError
from bindstream.history.adding import add, check_free, occupied
from bindstream.playback import placed
from tests.history.windows import MODEL, NOON_NS, SECOND_NS, kept, window, writer, written
from tests.test_playback import made

pytest.importorskip("lancedb")
NOW_NS = NOON_NS + 3600 * SECOND_NS


def config(folder: Path, **over: object) -> HistoryConfig:
    return HistoryConfig.model_validate({"path": folder, "keep_days": 36500, **over})


def test_what_was_heard_is_stretches_and_clocks(tmp_path: Path) -> None:
    assert occupied(None, MODEL, "door") == occupied(tmp_path / "x", MODEL, "door") == ([], set())
    apart = [window(seq=i) for i in (*range(5), *range(4000, 4010))]
    written(tmp_path / "h", [*apart, window("hall", 100)])
    spans, clocks = occupied(tmp_path / "h", MODEL, "door")
    assert spans == [
        (NOON_NS, NOON_NS + 6 * SECOND_NS),
        (NOON_NS + 4000 * SECOND_NS, NOON_NS + 4011 * SECOND_NS),
    ]
    assert clocks == {"host:1"}


def test_recordings_are_kept_beside_what_was_heard(tmp_path: Path) -> None:
    folder = tmp_path / "h"
    written(folder, [window("kitchen", i) for i in range(3590, 3600)])
    taken, _ = occupied(folder, MODEL, "kitchen")
    some = placed([made(1500), made(30)], SECOND_NS, taken, NOW_NS)
    add(config(folder), some, NOW_NS)
    there = kept(folder)
    assert len(there) == 10 + 1530
    assert len({e.start_ns for e in there}) == len(there)
    before = [e for e in there if e.end_ns <= taken[0][0]]
    assert len(before) == 1530
    # And again, before what is there now.
    again = placed([made(5)], SECOND_NS, occupied(folder, MODEL, "kitchen")[0], NOW_NS)
    with pytest.raises(HistoryError, match="5 windows could not be written"):
        add(config(folder), again, NOW_NS)  # the same run counts no window twice
    add(config(folder), again, NOW_NS + SECOND_NS)
    assert len(kept(folder)) == 1545
    assert again[0].span[1] == some[0].span[0]


def test_a_folder_is_made(tmp_path: Path) -> None:
    check_free(tmp_path / "new")
    add(config(tmp_path / "new"), placed([made(3)], SECOND_NS, [], NOW_NS), NOW_NS)
    assert len(kept(tmp_path / "new")) == 3


def test_a_history_that_is_written_is_refused(tmp_path: Path) -> None:
    writing = writer(tmp_path / "h")
    with pytest.raises(HistoryError, match=r"Stop that one"):
        check_free(tmp_path / "h")
    writing.close(NOON_NS)
    check_free(tmp_path / "h")


def test_what_would_be_dropped_at_once_is_refused(tmp_path: Path) -> None:
    some = placed([made(4000)], SECOND_NS, [], NOW_NS)
    with pytest.raises(ConfigError, match=r"keep_days: .*back 0\.046 days, of which 0\.04"):
        add(config(tmp_path / "h").model_copy(update={"keep_days": 0.04}), some, NOW_NS)
    assert not (tmp_path / "h").exists()
