from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bindstream.errors import HistoryError
from bindstream.history.journal import LINES, Journal, Lock, Tally


def test_one_process_writes_and_the_other_is_told_which(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from bindstream.history.journal import Lock\n"
        "lock = Lock(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(HistoryError, match=rf"pid {holder.pid}.*history: \{{path"):
            Lock(tmp_path)
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait(10)
    lock = Lock(tmp_path)  # who died holds nothing
    with pytest.raises(HistoryError, match=f"pid {os.getpid()}"):
        Lock(tmp_path)
    lock.release()
    Lock(tmp_path).release()


def test_what_was_in_hand_when_the_writer_died_is_known(tmp_path: Path) -> None:
    journal = Journal(tmp_path, run_ns=5)
    for stream, taken, stored in (("door", 10, 7), ("mic", 4, 4)):
        tally = journal.tally(stream)
        tally.taken, tally.stored, tally.newest = taken, stored, taken - 1
        journal.note(stream)
    del journal  # not closed
    later = Journal(tmp_path, run_ns=6)
    assert later.unclean
    assert later.died_with == {"door": 3}
    assert later.tallies == {}


def test_the_same_run_goes_on_with_its_tallies(tmp_path: Path) -> None:
    journal = Journal(tmp_path, run_ns=5)
    tally = journal.tally("door")
    tally.taken, tally.stored, tally.newest, tally.newest_start_ns, tally.missed = 10, 7, 11, 99, 2
    journal.note("door")
    del journal
    again = Journal(tmp_path, run_ns=5)
    assert again.tallies == {"door": Tally(5, 11, 99, taken=10, stored=7, lost=3, missed=2)}
    assert again.tally("door").pending == 0
    del again
    assert Journal(tmp_path, run_ns=5).died_with == {}  # it was said once


def test_a_writer_that_closed_left_nothing_open(tmp_path: Path) -> None:
    journal = Journal(tmp_path, run_ns=5)
    journal.tally("door").taken = 1
    journal.tally("door").stored = 1
    journal.note("door")
    journal.close()
    later = Journal(tmp_path, run_ns=6)
    assert (later.unclean, later.died_with) == (False, {})


def test_there_is_room_for_any_number_of_streams(tmp_path: Path) -> None:
    journal = Journal(tmp_path, run_ns=5)
    for i in range(3 * LINES):
        journal.tally(f"stream{i}").taken = i
        journal.note(f"stream{i}")
    del journal
    later = Journal(tmp_path, run_ns=6)
    assert later.died_with == {f"stream{i}": i for i in range(1, 3 * LINES)}


@pytest.mark.parametrize("held", [b"\0" * 4096, b"bsthist1", b"nonsense" * 40])
def test_a_journal_that_cannot_be_read_says_only_that_someone_died(
    tmp_path: Path, held: bytes
) -> None:
    (tmp_path / "writer.journal").write_bytes(held)
    journal = Journal(tmp_path, run_ns=5)
    assert (journal.unclean, journal.died_with, journal.tallies) == (True, {}, {})


def test_a_folder_that_is_not_there_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match=r"gone.*cannot be written"):
        Lock(tmp_path / "gone")
    with pytest.raises(HistoryError, match=r"gone.*cannot be written"):
        Journal(tmp_path / "gone", run_ns=5)
