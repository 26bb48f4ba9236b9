"""Accounts: nothing is lost or counted twice, whenever the writer dies and whoever reads."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindstream import accounts
from bindstream.accounts import DROP_REASONS, IN_FLIGHT_MOST, Accounts, DropReason, Ledger
from bindstream.errors import BindstreamError

OUTCOMES = ("embedded", "reused", *DROP_REASONS)


def outcomes(said: Accounts) -> Counter[str]:
    """How many windows came to each outcome, those of which there are any."""
    counts = Counter({"embedded": said.embedded, "reused": said.reused, **said.dropped})
    return +counts


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["capture", *OUTCOMES]), st.integers(0, 30))))
def test_captured_is_the_sum_of_all_outcomes_and_what_is_pending(
    steps: list[tuple[str, int]],
) -> None:
    ledger = Ledger()
    expected: Counter[str] = Counter()
    pending: list[int] = []
    captured = 0
    for step, which in steps:
        if step == "capture":
            ledger.capture(captured, end_ns=captured)
            pending.append(captured)
            captured += 1
        elif pending:
            seq = pending.pop(which % len(pending))
            ledger.settle(seq, step)  # type: ignore[arg-type]
            expected[step] += 1
        said = ledger.read()
        assert outcomes(said) == expected
        assert said.captured == captured == sum(outcomes(said).values()) + said.pending
        assert ledger.pending() == tuple(pending)
        assert ledger.next_seq == captured


def test_every_reason_for_a_drop_has_its_count() -> None:
    assert get_args(DropReason) == DROP_REASONS
    ledger = Ledger()
    for seq, reason in enumerate(DROP_REASONS):
        ledger.capture(seq, 0)
        ledger.settle(seq, reason)
    assert ledger.read().dropped == dict.fromkeys(DROP_REASONS, 1)


def test_a_window_that_is_not_pending_is_settled_no_second_time() -> None:
    ledger = Ledger()
    ledger.capture(0, 0)
    ledger.settle(0, "embedded")
    ledger.settle(0, "overload")
    ledger.settle(7, "failed")
    assert outcomes(ledger.read()) == {"embedded": 1}


def test_more_windows_in_flight_than_the_bound_are_refused_and_not_counted() -> None:
    ledger = Ledger()
    for seq in range(IN_FLIGHT_MOST):
        ledger.capture(seq, 0)
    with pytest.raises(OverflowError, match=str(IN_FLIGHT_MOST)):
        ledger.capture(IN_FLIGHT_MOST, 0)
    assert ledger.read().captured == ledger.read().pending == IN_FLIGHT_MOST


def test_a_ledger_goes_on_where_it_stopped(tmp_path: Path) -> None:
    path = tmp_path / "run" / "door.ledger"
    first = Ledger(path)
    for seq in range(3):
        first.capture(seq, end_ns=1000 + seq)
    first.settle(1, "reused")
    first.add_unheard(1_500_000_000)
    second = Ledger(path)
    assert second.read() == first.read()
    assert second.read().unheard_s == 1.5
    assert (second.next_seq, second.end_ns, second.pending()) == (3, 1002, (0, 2))


def test_recovery_settles_what_was_in_hand_by_what_the_workers_know(tmp_path: Path) -> None:
    first = Ledger(tmp_path / "door.ledger")
    for seq in range(4):
        first.capture(seq, 0)
    first.settle(0, "embedded")
    second = Ledger(tmp_path / "door.ledger")
    assert second.recover({1: "embedded", 2: "reused"}) == 1
    assert outcomes(second.read()) == {"embedded": 2, "reused": 1, "killed": 1}
    assert second.pending() == ()
    assert second.recover({}) == 0


class Death(Exception):
    """The writer dies here."""


def die_at_line(nth: int) -> Any:
    """A trace function that ends the writer at the nth line it runs in the ledger."""
    left = nth

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal left
        if frame.f_code.co_filename != accounts.__file__:
            return None
        if event == "line":
            left -= 1
            if left < 0:
                raise Death
        return trace

    return trace


def write(ledger: Ledger, done: list[tuple[int, str]]) -> None:
    """Six windows, three in hand at a time; `done` names the steps that were finished."""
    for seq in range(6):
        ledger.capture(seq, end_ns=10 * (seq + 1))
        done.append((seq, "captured"))
        if seq >= 2:
            ledger.settle(seq - 2, OUTCOMES[(seq - 2) % len(OUTCOMES)])  # type: ignore[arg-type]
            done.append((seq - 2, OUTCOMES[(seq - 2) % len(OUTCOMES)]))


def test_a_writer_may_die_at_any_line_and_the_accounts_are_exact(tmp_path: Path) -> None:
    finished = False
    lines = 0
    while not finished:
        path = tmp_path / f"{lines}.ledger"
        ledger = Ledger(path)
        done: list[tuple[int, str]] = []
        before = sys.gettrace()
        sys.settrace(die_at_line(lines))
        try:
            write(ledger, done)
            finished = True
        except Death:
            pass
        finally:
            sys.settrace(before)
        check_recovery(Ledger(path), done)
        lines += 1
    assert lines > 80  # every line of every step was tried


def check_recovery(ledger: Ledger, done: list[tuple[int, str]]) -> None:
    captured = sum(what == "captured" for _, what in done)
    settled = Counter(what for _, what in done if what != "captured")
    assert ledger.read().pending >= 0
    end_ns = ledger.end_ns
    ledger.recover({0: "embedded"})  # the one that `write` settles as embedded
    said = ledger.read()
    assert said.pending == 0
    assert ledger.pending() == ()
    assert said.embedded == min(said.captured, 1)
    # The step it died in may count or not; whatever was finished does.
    assert captured <= said.captured <= captured + 1
    beyond = outcomes(said) - settled
    assert settled <= outcomes(said)
    in_hand = said.captured - settled.total()
    assert beyond["killed"] >= in_hand - 1
    # What was captured is never passed over: the next process cuts from here on.
    assert end_ns <= 10 * said.captured


WRITER = """
import sys
from pathlib import Path
from bindstream.accounts import DROP_REASONS, Ledger
outcomes = ("embedded", "reused", *DROP_REASONS)
ledger = Ledger(Path(sys.argv[1]))
lost = ledger.recover({})
seq = ledger.next_seq
held = []
while True:
    ledger.capture(seq, end_ns=seq)
    held.append(seq)
    seq += 1
    if len(held) == 3:
        first = held.pop(0)
        ledger.settle(first, outcomes[first % len(outcomes)])
"""


def test_the_ledger_survives_a_killed_writer_and_is_right_while_it_is_written(
    tmp_path: Path,
) -> None:
    rng = random.Random(3)
    path = tmp_path / "door.ledger"
    reader = Ledger(path)
    killed = 0
    for _ in range(6):
        goal = reader.read().captured + rng.randint(100, 3000)
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)]) as writer:
            while (said := reader.read()).captured < goal:
                assert writer.poll() is None
                assert 0 <= said.pending <= 3
            writer.kill()
        said = reader.read()
        assert said.captured == sum(outcomes(said).values()) + said.pending
        assert 0 <= said.pending <= 3
        killed += Ledger(path).recover({})
        said = reader.read()
        assert said.pending == 0
    assert killed <= 6 * 3
    # Each outcome in its turn, of what was not lost with a writer: to a window a death.
    for outcome, count in outcomes(said).items():
        fair = said.captured / len(OUTCOMES)
        assert fair - 3 * 6 <= count <= fair + 3 * 6, outcome


def test_a_ledger_on_a_full_disk_is_refused_at_once() -> None:
    with pytest.raises(BindstreamError, match=r"/dev/full.*no room.*No space left"):
        Ledger(Path("/dev/full"))


def test_a_ledger_has_its_room_on_disk_from_the_beginning(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "s.ledger")
    about = (tmp_path / "s.ledger").stat()
    assert about.st_blocks * 512 >= about.st_size > 8 * IN_FLIGHT_MOST
    assert ledger.read().captured == 0
