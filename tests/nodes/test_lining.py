"""The match actor's side of the line: nothing holds it for ever, and what is missing is said."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bindstream.lineup import Mark, Over, Place
from bindstream.records import Embedding
from bindstream.replay.transcript import TranscriptFile
from bindstream.watch import Watch
from nodes import lining
from nodes.lining import Lining
from nodes.watched import Watched

S = 1_000_000_000
BEGUN_NS = 1_700_000_000 * S


def place(stream: str, seq: int) -> Place:
    end_ns = BEGUN_NS + seq * S
    return Place(end_ns, stream, seq, end_ns - 2 * S, end_ns, 1.0, outcome="embedded")


def vector(stream: str, seq: int) -> Embedding:
    at = place(stream, seq)
    unit = np.array([1, 0], np.float32)
    return Embedding(stream, "audio", seq, at.start_ns, at.end_ns, unit, "m")


def judged(one: Lining) -> list[tuple[str, int]]:
    """The windows that go now."""
    found = list(one.judged(Watch({}, {"a": "audio", "b": "audio"})))
    return [(e.stream, e.seq) for e, _, _ in found if e is not None]


def test_windows_go_in_order_when_all_have_passed_them() -> None:
    one = Lining({"a", "b"})
    one.put([vector("b", 2), vector("a", 3), vector("a", 2)])
    one.mark(Mark("a", BEGUN_NS + 9 * S, (place("a", 2), place("a", 3))))
    assert judged(one) == []
    slowest_ns = one.mark(Mark("b", BEGUN_NS + 2 * S, (place("b", 2),)))
    assert slowest_ns < BEGUN_NS + 3 * S
    assert judged(one) == [("a", 2), ("b", 2)]
    one.mark(Mark("b", 0, (), Over(BEGUN_NS + 4 * S, "b")))
    one.mark(Mark("a", 0, (), Over(BEGUN_NS + 9 * S, "a")))
    assert judged(one) == [("a", 3)]
    assert one.is_over
    assert one.trouble == ""


def test_a_stream_that_says_nothing_is_left_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Lining({"a", "b"})
    one.put([vector("a", 2)])
    one.mark(Mark("a", BEGUN_NS + 9 * S, (place("a", 2),)))
    assert judged(one) == []
    monkeypatch.setattr(lining, "PATIENCE_S", -1.0)
    assert judged(one) == [("a", 2)]
    assert "b" in one.trouble


def test_a_vector_that_never_comes_is_given_up_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Lining({"a"})
    one.put([vector("a", 3)])
    one.mark(Mark("a", BEGUN_NS + 9 * S, (place("a", 2), place("a", 3))))
    assert judged(one) == []
    monkeypatch.setattr(lining, "AWAIT_S", -1.0)
    assert judged(one) == [("a", 3)]
    assert one.trouble == "1 vectors never came"


def test_at_the_end_nothing_is_waited_for() -> None:
    one = Lining({"a", "b"})
    one.put([vector("a", 3)])
    one.mark(Mark("a", BEGUN_NS + 9 * S, (place("a", 2), place("a", 3))))
    one.end()
    assert judged(one) == [("a", 3)]
    assert one.trouble


def test_streams_that_cannot_be_started_are_told_over() -> None:
    one = Lining({"a", "b"})
    one.put([vector("a", 2)])
    one.mark(Mark("a", BEGUN_NS + 9 * S, (place("a", 2),)))

    match = SimpleNamespace(mark=SimpleNamespace(remote=one.mark))  # its actor, in this process
    gone: Watched[Any] = Watched("b", None, local=True)
    gone.failed = "no such device"
    lining.say_gone(match, [gone], homeless=())
    assert judged(one) == [("a", 2)]


def test_a_stream_whose_node_is_lost_holds_nobody_until_it_is_back() -> None:
    one = Lining({"a", "b"})
    one.mark(Mark("b", BEGUN_NS + 1 * S))
    one.put([vector("a", 2), vector("a", 60)])
    far = Mark("a", BEGUN_NS + 90 * S, (place("a", 2), place("a", 60)))
    assert one.mark(far) == BEGUN_NS + 1 * S
    assert judged(one) == []

    match = SimpleNamespace(leave=SimpleNamespace(remote=one.leave))
    never: Watched[Any] = Watched("c", None, local=True)  # it may begin yet
    lost: Watched[Any] = Watched("b", None, local=True)
    lost.health = SimpleNamespace(pid=1, beat_s=0.0)
    lining.say_gone(match, [never, lost], homeless={"b", "c"})
    assert judged(one) == [("a", 2), ("a", 60)]
    assert one.mark(Mark("a", BEGUN_NS + 91 * S)) == BEGUN_NS + 91 * S
    assert one.mark(Mark("b", BEGUN_NS + 70 * S)) == BEGUN_NS + 70 * S  # it is back
    assert one.trouble == "for a time nothing was heard of b: the others did not wait"


def test_a_stream_that_was_over_before_its_node_was_lost_is_no_trouble() -> None:
    one = Lining({"a", "b"})
    one.mark(Mark("b", BEGUN_NS + 1 * S, (), Over(BEGUN_NS + 1 * S, "b")))
    one.leave("b")
    assert one.trouble == ""


def test_what_goes_is_written_down(tmp_path: Path) -> None:
    out = tmp_path / "a.jsonl"
    one = Lining({"a"}, TranscriptFile(out, windows=True))
    one.put([vector("a", 2)])
    one.mark(Mark("a", BEGUN_NS + 2 * S, (place("a", 2),)))
    judged(one)
    one.close()
    assert out.read_text().count('"kind":"window"') == 1
