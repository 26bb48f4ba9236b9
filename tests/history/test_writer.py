"""What is pushed is kept: exactly, in order, once, whatever happens to disk, process or table."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindstream.errors import HistoryError
from bindstream.history import History, Writer
from bindstream.history import writer as writing
from bindstream.history.parts import HOUR_NS
from bindstream.records import Embedding
from tests.history.windows import (
    MODEL,
    NOON_NS,
    RUN_NS,
    SECOND_NS,
    halved,
    kept,
    numbers,
    same,
    unit,
    window,
    writer,
    written,
)

ROOT = Path(__file__).parents[2]
pushes = st.lists(
    st.tuples(st.sampled_from(["door", "mic", "wrist"]), st.integers(0, 900)), max_size=40
)


@settings(max_examples=12, deadline=None)
@given(pushes, st.integers(1, 15))
def test_what_is_flushed_is_read_back_exactly_in_order_and_once(
    pushed: list[tuple[str, int]], every: int
) -> None:
    """A window every ten seconds, over three hours; duplicates and any order are among them."""

    def made_up(stream: str, seq: int) -> Embedding:
        start_ns = NOON_NS + 10 * seq * SECOND_NS
        same_as = seq - 1 if seq % 3 else None
        return window(stream, seq, start_ns=start_ns, same_as=same_as, coverage=seq / 900)

    with tempfile.TemporaryDirectory() as name:
        made = writer(Path(name))
        for i, (stream, seq) in enumerate(pushed):
            # Of one stream, numbers that come late are earlier windows.
            made.push(made_up(stream, seq))
            if i % every == 0:
                made.flush(NOON_NS)
        made.close(NOON_NS)
        expected = [halved(made_up(s, n)) for s, n in sorted(set(pushed))]
        back = sorted(kept(Path(name)), key=lambda e: (e.stream, e.seq))
        assert len(back) == len(expected)
        assert all(same(a, b) for a, b in zip(back, expected, strict=True))
        times = [(e.stream, e.start_ns) for e in kept(Path(name))]
        assert times == sorted(times)
        health = made.health(NOON_NS)
        assert health.duplicates == len(pushed) - len(set(pushed))
        assert sum(health.stored.values()) == health.vectors == len(set(pushed))


def test_it_flushes_when_its_time_has_come(tmp_path: Path) -> None:
    made = writer(tmp_path, flush_s=2)
    made.push(window(seq=0))
    made.due(NOON_NS)
    made.push(window(seq=1))
    made.due(NOON_NS + SECOND_NS)
    assert (numbers(tmp_path), made.health(NOON_NS).waiting) == ([0], 1)
    made.due(NOON_NS + 2 * SECOND_NS)
    assert (numbers(tmp_path), made.health(NOON_NS + 3 * SECOND_NS).flushed_s) == ([0, 1], 1.0)
    made.close(NOON_NS)


def test_numbers_that_never_came_are_counted(tmp_path: Path) -> None:
    made = writer(tmp_path)
    for seq in (2, 3, 7, 5):
        made.push(window(seq=seq))
    made.close(NOON_NS)
    assert made.health(NOON_NS).missed == {"door": 4}


def test_windows_that_are_too_old_when_they_come_are_not_kept_and_it_is_said(
    tmp_path: Path,
) -> None:
    made = writer(tmp_path, keep_days=1)
    made.push(window(seq=0))
    made.push(window("mic", 0, start_ns=86400 * SECOND_NS))  # a clock that begins in 1970
    made.flush(NOON_NS)
    health = made.health(NOON_NS)
    assert (health.stored, health.lost) == ({"door": 1, "mic": 0}, {"mic": 1})
    assert "1 of mic" in health.trouble
    assert "clock" in health.trouble
    assert health.flushed_s == 0
    made.close(NOON_NS)
    assert len(kept(tmp_path)) == 1


def test_another_model_is_kept_apart_and_another_dimension_refused(tmp_path: Path) -> None:
    made = writer(tmp_path)
    made.push(window(seq=0))
    made.push(window("mic", 0, model="fedcba987654", vector=unit(1, 32)))
    made.push(window(seq=1, vector=unit(1, 32)))
    made.close(NOON_NS)
    assert History(tmp_path).models() == {MODEL: 1, "fedcba987654": 1}
    assert len(kept(tmp_path, "fedcba987654")[0].vector) == 32
    assert made.health(NOON_NS).lost == {"door": 1}


def test_a_model_with_a_strange_name_is_kept_under_it(tmp_path: Path) -> None:
    strange = "../../etc/passwd ü'"
    written(tmp_path, [window(model=strange)])
    assert History(tmp_path).models() == {strange: 1}
    assert len(kept(tmp_path, strange)) == 1
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} <= {
        path.name for path in tmp_path.glob("sha256_*.lance")
    }


def test_the_run_goes_on_after_a_restart_and_nothing_is_kept_twice(tmp_path: Path) -> None:
    written(tmp_path, [window(seq=i) for i in range(5)])
    written(tmp_path, [window(seq=i) for i in range(3, 8)])
    assert numbers(tmp_path) == list(range(8))
    # Another run numbers anew.
    later = window(seq=0, start_ns=NOON_NS + 60 * SECOND_NS)
    written(tmp_path, [later], run_ns=RUN_NS + 1)
    assert numbers(tmp_path) == [*range(8), 0]


KILLED = """
import sys, time
from pathlib import Path
from bindstream.clocks.host import Clock
from tests.history.windows import window, writer

made, clock = writer(Path(sys.argv[1]), flush_s=0.2), Clock.read()
for seq in range(1_000_000):
    for stream in ("door", "mic"):
        made.push(window(stream, seq))
    made.due(clock.now_ns())
    print(seq, flush=True)
    time.sleep(0.001)
"""


def test_a_kill_in_the_middle_of_writing_costs_the_last_flush_and_is_stated(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        pushed = 0
        while pushed < 150:
            pushed = int(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGKILL)
        rest = process.communicate(timeout=30)[0].split()
    pushed = max([pushed, *map(int, rest)]) + 1  # and perhaps one that it did not get to say
    there = {stream: numbers(tmp_path, stream) for stream in ("door", "mic")}
    for stored in there.values():
        assert stored == list(range(len(stored)))
    lost = {stream: pushed - len(stored) for stream, stored in there.items()}
    made = writer(tmp_path, RUN_NS + 1)
    (note,) = made.health(NOON_NS).notes
    assert "died before it could close" in note
    for stream, count in lost.items():
        if count > 1:
            said = int(note.split(f" of {stream}")[0].split()[-1].lstrip("("))
            assert count - 1 <= said
    assert min(map(len, there.values())) > 0
    made.tidy(NOON_NS)
    for seq in range(3):
        made.push(window(seq=seq, start_ns=NOON_NS + HOUR_NS + seq * SECOND_NS))
    made.close(NOON_NS)
    assert len(numbers(tmp_path)) == len(there["door"]) + 3
    assert writer(tmp_path, RUN_NS + 2).health(NOON_NS).notes == ()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)], capture_output=True
    )
    if not mounted or mounted.returncode:
        pytest.skip("only root can mount a file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


def test_a_full_disk_stops_nobody_and_what_waited_is_written_when_there_is_room(
    small_disk: Path,
) -> None:
    stuffing = small_disk / "stuffing"
    made = writer(small_disk / "history")
    made.push(window(seq=0))
    made.due(NOON_NS)
    fill(stuffing)
    now_ns = NOON_NS
    for seq in range(1, 40):
        made.push(window(seq=seq))
        now_ns += 10 * SECOND_NS
        made.due(now_ns)
    health = made.health(now_ns)
    assert "cannot be written" in health.trouble
    assert (health.waiting, health.lost) == (39, {})
    stuffing.unlink()
    made.due(now_ns + 10 * SECOND_NS)
    assert (made.health(now_ns).trouble, made.health(now_ns).waiting) == ("", 0)
    made.close(now_ns)
    assert numbers(small_disk / "history") == list(range(40))


def test_memory_is_bounded_and_what_did_not_fit_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "WAITING_BYTES_MOST", 20 * (writing.ROW_BYTES + 64))
    holder = writer(tmp_path)
    made = Writer(tmp_path, RUN_NS, keep_days=1, keep_bytes=10**9)
    now_ns = NOON_NS
    for seq in range(50):
        made.push(window(seq=seq))
        made.due(now_ns)
        now_ns += SECOND_NS
    health = made.health(now_ns)
    assert "another process" in health.trouble
    assert (health.waiting, health.lost) == (20, {"door": 30})
    with pytest.raises(HistoryError, match="another process"):
        made.open()
    holder.close(now_ns)
    made.due(now_ns + 10 * SECOND_NS)
    health = made.health(now_ns)
    assert (health.trouble, health.stored, health.lost) == ("", {"door": 20}, {"door": 30})
    assert health.missed == {}
    made.close(now_ns)
    assert numbers(tmp_path) == list(range(30, 50))


def test_what_cannot_be_written_at_the_end_is_counted_as_lost(tmp_path: Path) -> None:
    folder = tmp_path / "history"
    made = writer(folder)
    made.push(window(seq=0))
    made.flush(NOON_NS)
    shutil.rmtree(folder)
    folder.write_text("a file where the history was")
    made.push(window(seq=1))
    made.close(NOON_NS)
    health = made.health(NOON_NS)
    assert "cannot be written" in health.trouble
    assert (health.stored, health.lost, health.waiting) == ({"door": 1}, {"door": 1}, 0)


def test_a_history_that_is_deleted_under_its_writer_begins_anew(tmp_path: Path) -> None:
    made = writer(tmp_path)
    made.push(window(seq=0))
    made.flush(NOON_NS)
    for table in tmp_path.glob("*.lance"):
        shutil.rmtree(table)
    made.push(window(seq=1))
    made.close(NOON_NS)
    assert numbers(tmp_path) == [1]


def test_a_table_damaged_under_its_writer_is_set_aside_and_rescued(tmp_path: Path) -> None:
    made = writer(tmp_path)
    for seq in range(3):
        made.push(window(seq=seq))
        made.flush(NOON_NS)
    (table,) = tmp_path.glob("*.lance")
    newest = min((table / "_versions").glob("*.manifest"))
    newest.write_bytes(b"")
    made.push(window(seq=3))
    now_ns = NOON_NS
    for _ in range(20):
        now_ns += 10 * SECOND_NS
        made.due(now_ns)
        time.sleep(0.05)
        if made.health(now_ns).waiting == 0:
            break
    made.close(now_ns)
    assert numbers(tmp_path) == [0, 1, 3]
    (note,) = made.health(now_ns).notes
    assert "2 could be read" in note
    assert list((tmp_path / "damaged").iterdir())


def test_without_permission_it_says_so_and_goes_on(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    made = Writer(blocked / "history", RUN_NS, keep_days=1, keep_bytes=10**9)
    made.push(window())
    made.due(NOON_NS)
    assert str(blocked) in made.health(NOON_NS).trouble
    assert made.health(NOON_NS).waiting == 1
    made.close(NOON_NS)


def test_without_lancedb_the_way_out_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lancedb", None)
    made = Writer(tmp_path, RUN_NS, keep_days=1, keep_bytes=10**9)
    made.due(NOON_NS)
    assert "pip install 'bindstream[history]'" in made.health(NOON_NS).trouble
    assert os.environ["LANCE_DEFAULT_IO_BUFFER_SIZE"]
