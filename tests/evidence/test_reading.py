"""Evidence on the disk: found by its alert, refused in words, and let go of oldest first."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from bindstream.errors import DataError
from bindstream.evidence.reading import DAY_NS, find_evidence, folders, make_room, read_evidence
from bindstream.evidence.saving import Told, folder_of, save
from tests.evidence.readings import BEGIN_NS, S, alert

DAY_S = 86_400


def made(root: Path, at_s: float, query: str = "dog", size: int = 1000) -> Path:
    start_ns = BEGIN_NS + round(at_s * S)
    about = alert("audio", at_s, at_s + 2, id=f"{query}/s1/{start_ns}", query=query)
    folder = folder_of(root, query, "s1", start_ns)
    save(root, folder, Told(about, 1, 2, 1.0, ()), {"sound.wav": bytes(size)})
    return folder


def test_an_alert_is_found_by_its_id_a_beginning_of_it_or_as_the_last(tmp_path: Path) -> None:
    first, other = made(tmp_path, 0), made(tmp_path, 60, "aardvark")
    assert find_evidence(tmp_path, f"dog/s1/{BEGIN_NS}").folder == first
    assert find_evidence(tmp_path, "dog").folder == first
    assert find_evidence(tmp_path, "last").folder == other
    made(tmp_path, 30)
    with pytest.raises(DataError, match=rf"2 alerts .*'dog'.*dog/s1/{BEGIN_NS}"):
        find_evidence(tmp_path, "dog")
    with pytest.raises(DataError, match=r"no alerts .*'cat'.*aardvark"):
        find_evidence(tmp_path, "cat")


def test_where_nothing_is_kept_the_way_to_keep_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no alerts .*evidence: \{\}"):
        find_evidence(tmp_path / "nowhere", "last")


def test_a_damaged_folder_is_named(tmp_path: Path) -> None:
    folder = made(tmp_path, 0)
    (folder / "alert.json").write_text("{")
    with pytest.raises(DataError, match=rf"{folder}.*alert\.json cannot be read"):
        read_evidence(folder)
    with pytest.raises(DataError, match="there is no evidence"):
        read_evidence(tmp_path)
    other = made(tmp_path, 9, "cat")
    assert find_evidence(tmp_path, "cat").folder == other


def test_numbers_that_json_does_not_know_are_none_again(tmp_path: Path) -> None:
    unknown = alert("audio", 0, 2, scores=(4.0, math.nan, math.inf), peak_cosine=math.nan)
    save(tmp_path, tmp_path / "dog" / "x", Told(unknown, 1, 2, 1.0, ()), {})
    back = read_evidence(tmp_path / "dog" / "x").told.alert
    assert back.scores[0] == 4
    assert all(map(math.isnan, (*back.scores[1:], back.peak_cosine)))


def test_what_is_too_much_goes_the_oldest_first_and_never_the_newest(tmp_path: Path) -> None:
    made_ = [made(tmp_path, 60 * i, ("dog", "cat")[i % 2], 100_000) for i in range(6)]
    now_ns = BEGIN_NS + 3600 * S
    assert make_room(tmp_path, 30, 350_000, now_ns, but=made_[-1]) == 3
    assert sorted(folders(tmp_path)) == sorted(made_[3:])
    assert make_room(tmp_path, 30, 1, now_ns, but=made_[-1]) == 2
    assert list(folders(tmp_path)) == [made_[-1]]


def test_what_is_too_old_goes_and_what_is_not_ours_stays(tmp_path: Path) -> None:
    old, new = made(tmp_path, -31 * DAY_S), made(tmp_path, -29 * DAY_S)
    theirs = tmp_path / "dog" / "holiday"
    theirs.mkdir()
    (theirs / "beach.jpg").write_bytes(b"")
    assert make_room(tmp_path, 30, 10**9, BEGIN_NS, but=new) == 1
    assert not old.exists()
    assert new.exists()
    assert (theirs / "beach.jpg").exists()
    assert make_room(tmp_path, 30, 10**9, BEGIN_NS + 3 * DAY_NS, but=old) == 1


def test_what_a_process_that_died_left_half_written_goes_after_a_while(tmp_path: Path) -> None:
    left, fresh, theirs = (tmp_path / name for name in ("." + "a" * 32, "." + "b" * 32, ".git"))
    for folder in (left, fresh, theirs):
        folder.mkdir()
    os.utime(left, (1, 1))
    os.utime(theirs, (1, 1))
    make_room(tmp_path, 30, 10**9, BEGIN_NS, but=tmp_path)
    assert (left.exists(), fresh.exists(), theirs.exists()) == (False, True, True)
