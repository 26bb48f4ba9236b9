"""Accounts whose writer may die at any word that it writes: one window, one number, one outcome."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bindstream.accounts import DROP_REASONS, IN_FLIGHT_MOST, Accounts, Ledger, hold

OUTCOMES = ("embedded", "reused", *DROP_REASONS)


class Death(Exception):
    """The writer dies here."""


class Words:
    """A ledger's words, the nth of whose writes is the writer's last moment."""

    def __init__(self, words: Any, nth: int) -> None:
        self._words, self._left = words, nth

    def __getitem__(self, at: Any) -> Any:
        return self._words[at]

    def __setitem__(self, at: Any, word: int) -> None:
        if self._left == 0:
            raise Death
        self._left -= 1
        self._words[at] = word


class Deaths(RuleBasedStateMachine):
    """Captures and settles as a stream does; dies now and then; another process takes over."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.path = Path(self._folder.name) / "door.ledger"
        self.ledger = Ledger(self.path)
        self.end_ns = 0
        self.became: dict[int, str] = {}  # of every number that was ever given out
        self.in_hand: list[int] = []

    def teardown(self) -> None:
        self._folder.cleanup()

    def attempt(self, step: Any, nth: int) -> bool:
        """True if the writer lived."""
        self.ledger._words = Words(self.ledger._words, nth)  # type: ignore[assignment]
        try:
            step()
        except Death:
            self.ledger = Ledger(self.path)
            return False
        self.ledger._words = self.ledger._words._words  # type: ignore[attr-defined]
        return True

    @rule(nth=st.integers(0, 8))
    def capture(self, nth: int) -> None:
        if len(self.in_hand) == IN_FLIGHT_MOST:
            return
        seq = self.ledger.next_seq
        assert seq not in self.became
        assert seq not in self.in_hand
        lived = self.attempt(lambda: self.ledger.capture(seq, end_ns=10 * seq + 10), nth)
        if self.ledger.next_seq == seq + 1:  # it was captured, whole
            self.in_hand.append(seq)
            self.end_ns = 10 * seq + 10
        else:
            assert not lived
            assert self.ledger.next_seq == seq
        assert self.ledger.end_ns == self.end_ns
        if not lived:
            self.take_over(set(), 99)

    @rule(which=st.integers(0, 99), outcome=st.sampled_from(OUTCOMES), nth=st.integers(0, 8))
    def settle(self, which: int, outcome: Any, nth: int) -> None:
        if not self.in_hand:
            return
        seq = self.in_hand[which % len(self.in_hand)]
        if self.attempt(lambda: self.ledger.settle(seq, outcome), nth):
            self.in_hand.remove(seq)
            self.became[seq] = outcome
            return
        if seq not in self.ledger.pending():  # it was said before the writer died
            self.in_hand.remove(seq)
            self.became[seq] = outcome
        self.take_over(set(), 99)

    @rule(known=st.sets(st.integers(0, 60)), nth=st.integers(0, 12))
    def die(self, known: set[int], nth: int) -> None:
        self.ledger = Ledger(self.path)
        self.take_over(known, nth)

    def take_over(self, known: set[int], nth: int) -> None:
        """The next process settles what it finds; it may die over that, too."""
        published: Any = dict.fromkeys(known, "embedded")
        if not self.attempt(lambda: self.ledger.recover(published), nth):
            self.ledger.recover(published)
        for seq in self.in_hand:
            self.became[seq] = published.get(seq, "killed")
        self.in_hand = []
        assert self.ledger.read().pending == 0

    @invariant()
    def every_window_is_counted_once(self) -> None:
        said = self.ledger.read()
        assert self.ledger.pending() == tuple(sorted(self.in_hand))
        assert said.captured == len(self.became) + len(self.in_hand) == self.ledger.next_seq
        counts = {"embedded": said.embedded, "reused": said.reused, **said.dropped}
        assert counts == {o: list(self.became.values()).count(o) for o in OUTCOMES}


TestDeaths = Deaths.TestCase
TestDeaths.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)

HOLDER = """
import sys
from pathlib import Path
from bindstream.accounts import hold
held = hold(Path(sys.argv[1]), 0)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_ledger_has_one_writer_until_that_one_is_dead(tmp_path: Path) -> None:
    path = tmp_path / "run" / "door.ledger"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "held\n"
        assert hold(path, 0.1) is None
        assert Ledger(path).read().captured == 0  # anyone may read it meanwhile
        writer.kill()
        begun_s = time.monotonic()
        held = hold(path, 20)
    assert held is not None
    assert time.monotonic() - begun_s < 20
    held.close()


def test_the_books_of_a_lost_ledger_are_written_off_and_added() -> None:
    def made(captured: int, embedded: int, **dropped: int) -> Accounts:
        return Accounts(captured, embedded, 0, dict.fromkeys(DROP_REASONS, 0) | dropped, 1.5)

    both = made(7, 4, void=1).written_off("killed") + made(3, 1)
    assert (both.captured, both.embedded, both.pending, both.unheard_s) == (10, 5, 2, 3.0)
    assert both.dropped == dict.fromkeys(DROP_REASONS, 0) | {"void": 1, "killed": 2}
    assert both.plain()["pending"] == 2
