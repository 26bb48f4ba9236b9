"""The line: whoever was quicker, windows, ticks and ends come in one order, and nothing is lost."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bindstream.accounts import DropReason, Published
from bindstream.lineup import SECOND_NS, STILL_NS, Lane, Lineup, Mark, Over, Place, Stood, Tick
from bindstream.records import Embedding, Sample, Window
from bindstream.windows import Windower

BEGUN_NS = 1_700_000_000 * SECOND_NS
Outcome = Published | DropReason
Told = tuple[Place, bool] | Over | Tick


def window(stream: str, seq: int, end_s: float, offset_ns: int = 0) -> Window:
    end_ns = BEGUN_NS + round(end_s * SECOND_NS)
    return Window(
        stream=stream,
        modality="audio",
        seq=seq,
        start_ns=end_ns - 2 * SECOND_NS,
        end_ns=end_ns,
        data=np.zeros(0),
        coverage=1.0,
        offset_ns=offset_ns,
    )


def embedding(stream: str, seq: int, end_ns: int) -> Embedding:
    vector = np.array([1.0, 0.0], np.float32)
    return Embedding(stream, "audio", seq, end_ns - 2 * SECOND_NS, end_ns, vector, "m")


def at(seconds: float) -> int:
    return BEGUN_NS + round(seconds * SECOND_NS)


def test_a_window_stands_at_its_end_on_the_runs_clock() -> None:
    lane = Lane("a")
    lane.cut([window("a", 0, 2, offset_ns=7)], at(3) - 1)
    lane.settle(0, "embedded")
    (place,) = lane.mark().places
    assert (place.at_ns, place.end_ns, place.start_ns) == (at(2) + 7, at(2) + 7, at(0) + 7)


def test_windows_of_a_clock_that_jumped_back_stand_where_the_stream_was() -> None:
    lane = Lane("a")
    lane.cut([window("a", 0, 100)], at(101) - 1)
    lane.cut([window("a", 1, 50), window("a", 2, 51)], at(52) - 1)
    for seq in range(3):
        lane.settle(seq, "embedded")
    mark = lane.mark()
    assert [place.at_ns for place in mark.places] == [at(100), at(101), at(101)]
    assert mark.until_ns == at(101) - 1


def test_a_mark_waits_for_the_first_window_that_is_not_settled() -> None:
    lane = Lane("a")
    assert lane.mark() == Mark("a", -1)
    lane.cut([window("a", 0, 2), window("a", 1, 3)], at(4) - 1)
    lane.settle(1, "reused")
    assert lane.mark().until_ns == at(2) - 1
    lane.end(at(4))
    assert lane.mark().over is None
    lane.settle(0, "void", "dark")
    mark = lane.mark()
    assert (mark.until_ns, mark.over) == (at(4) - 1, Over(at(4), "a"))
    assert [(place.outcome, place.void) for place in mark.places] == [("void", "dark")]


def test_nothing_goes_before_every_stream_has_passed_it() -> None:
    lineup = Lineup(["a", "b"])
    lineup.put(embedding("a", 0, at(2)))
    lineup.mark(Mark("a", at(9), (Place(at(2), "a", 0, at(0), at(2), 1, outcome="embedded"),)))
    assert list(lineup.ready()) == []
    lineup.mark(Mark("b", at(2) - 1))
    assert list(lineup.ready()) == []
    lineup.mark(Mark("b", at(2)))
    assert [type(one) for one in lineup.ready()] == [Stood, Tick]


def test_a_stream_that_is_left_alone_holds_nobody_up_until_it_speaks() -> None:
    lineup = Lineup(["a", "b"])
    lineup.mark(Mark("a", at(9), (Place(at(2), "a", 0, at(0), at(2), 1, outcome="void"),)))
    lineup.leave("b")
    assert [one for one in lineup.ready() if isinstance(one, Stood)]
    lineup.mark(Mark("b", at(5)))
    lineup.mark(Mark("a", at(99), (Place(at(6), "a", 1, at(4), at(6), 1, outcome="void"),)))
    assert [one for one in lineup.ready() if isinstance(one, Stood)] == []


def test_a_vector_that_does_not_come_holds_the_line_until_it_is_given_up() -> None:
    lineup = Lineup(["a"])
    places = tuple(
        Place(at(end), "a", seq, at(end - 2), at(end), 1, outcome="embedded")
        for seq, end in enumerate((2, 3))
    )
    lineup.mark(Mark("a", at(4), places))
    lineup.put(embedding("a", 1, at(3)))
    assert list(lineup.ready()) == []
    assert lineup.awaited == places[0]
    lineup.give_up()
    stood = [one for one in lineup.ready() if isinstance(one, Stood)]
    assert [one.embedding is None for one in stood] == [True, False]
    assert [one.place.outcome for one in stood] == ["failed", "embedded"]
    assert (lineup.lost, lineup.late, lineup.unplaced) == (1, 0, 0)


def test_what_a_stream_begun_anew_says_too_late_goes_at_once_and_is_counted() -> None:
    lineup = Lineup(["a"])
    lineup.mark(Mark("a", at(9), (Place(at(8), "a", 5, at(6), at(8), 1, outcome="void"),)))
    assert len(list(lineup.ready())) == 3  # the window, and two seconds
    lineup.mark(Mark("a", at(3), (Place(at(3), "a", 6, at(1), at(3), 1, outcome="void"),)))
    assert [one for one in lineup.ready() if isinstance(one, Stood)]
    assert lineup.late == 1


def test_ticks_are_whole_seconds_after_the_windows_of_them() -> None:
    lineup = Lineup(["a"])
    ends = (2.0, 2.5, 5.0)
    places = tuple(
        Place(at(end), "a", seq, at(end - 2), at(end), 1, outcome="void")
        for seq, end in enumerate(ends)
    )
    lineup.mark(Mark("a", at(5.5), places, Over(at(6), "a")))
    assert [
        (one.now_ns if isinstance(one, Tick) else one.at_ns if isinstance(one, Over) else one.place)
        for one in lineup.ready()
    ] == [places[0], at(2), places[1], at(3), at(4), places[2], at(5), at(6)]
    assert lineup.is_over


def test_ticks_pause_where_nothing_is_for_an_hour() -> None:
    lineup = Lineup(["a"])
    far = STILL_NS // SECOND_NS * 1000 + 2
    places = tuple(
        Place(at(end), "a", seq, at(end - 2), at(end), 1, outcome="void")
        for seq, end in enumerate((2, far))
    )
    lineup.mark(Mark("a", at(far), places))
    ticks = [one.now_ns for one in lineup.ready() if isinstance(one, Tick)]
    assert ticks == [*range(at(2), at(2) + STILL_NS + 1, SECOND_NS), at(far)]


def test_a_recording_that_cannot_be_read_does_not_begin_the_ticks() -> None:
    lineup = Lineup(["a", "b"])
    lane = Lane("b")
    lane.end(0, failed=True)
    lineup.mark(lane.mark())
    lineup.mark(Mark("a", at(2), (Place(at(2), "a", 0, at(0), at(2), 1, outcome="void"),)))
    assert [type(one) for one in lineup.ready()] == [Over, Stood, Tick]


def test_the_end_may_be_said_again() -> None:
    lineup = Lineup(["a"])
    for _ in range(3):
        lineup.mark(Mark("a", 5, (), Over(6, "a")))
    assert list(lineup.ready()) == [Over(6, "a")]
    assert lineup.is_over


@dataclass(frozen=True)
class Step:
    """A sample's end, and after how many more steps its windows are settled."""

    end_ns: int
    delay: int


@st.composite
def recordings(draw: st.DrawFn) -> dict[str, list[Step]]:
    """For each stream when its readings were taken: on, with silences, and now and then back."""
    found = {}
    for name in draw(st.sampled_from(["a", "ab", "abc"])):
        steps_s = draw(
            st.lists(
                st.sampled_from([0.3, 0.3, 0.7, 1.0, 4.0, 30.0, -0.5, -8.0, 4000.0]), max_size=30
            )
        )
        now_ns, steps = BEGUN_NS + draw(st.integers(0, 5 * SECOND_NS)), []
        for step_s in steps_s:
            now_ns += round(step_s * SECOND_NS)
            steps.append(Step(now_ns, draw(st.integers(0, 3))))
        found[name] = steps
    return found


def messages(name: str, steps: Sequence[Step]) -> Iterator[Mark | Embedding]:
    """A stream's marks and vectors; every fifth window is void."""
    windower, lane = Windower(name, "vision"), Lane(name)
    due: list[tuple[int, Window]] = []

    def settled(until: float) -> Iterator[Mark | Embedding]:
        for when, cut in [one for one in due if one[0] <= until]:
            due.remove((when, cut))
            outcome: Outcome = "void" if cut.seq % 5 == 4 else "embedded"
            lane.settle(cut.seq, outcome)
            if outcome == "embedded":
                yield embedding(name, cut.seq, cut.end_ns)

    for i, step in enumerate(steps):
        picture = np.zeros((2, 2, 3), np.uint8)
        sample = Sample(name, "vision", picture, step.end_ns, step.end_ns, step.end_ns)
        windows = windower.push(sample)
        lane.cut(windows, windower.passed_ns)
        due += [(i + step.delay, cut) for cut in windows]
        yield from settled(i)
        if i % 2:
            yield lane.mark()
    windows = windower.flush()
    lane.cut(windows, windower.passed_ns)
    due += [(0, cut) for cut in windows]
    yield from settled(np.inf)
    lane.end(0)
    yield lane.mark()


def lined_up(found: dict[str, list[Step]], seed: int) -> tuple[list[Told], Lineup]:
    """What comes out if streams' marks, and each stream's vectors, arrive as `seed` has it."""
    rng = random.Random(seed)
    lineup, out = Lineup(found), list[Told]()
    queues = [list(messages(name, steps)) for name, steps in found.items()]
    kinds = (Mark, Embedding)
    ways = [[m for m in queue if isinstance(m, kind)] for queue in queues for kind in kinds]
    while ways := [way for way in ways if way]:
        message = rng.choice(ways).pop(0)
        if isinstance(message, Mark):
            lineup.mark(message)
        else:
            lineup.put(message)
        if rng.random() < 0.7:
            out += [told(one) for one in lineup.ready()]
    out += [told(one) for one in lineup.ready()]
    return out, lineup


def told(one: Stood | Over | Tick) -> Told:
    return (one.place, one.embedding is not None) if isinstance(one, Stood) else one


@settings(deadline=None, max_examples=50)
@given(recordings(), st.integers(0, 1000))
def test_whoever_is_quicker_the_same_comes_out(found: dict[str, list[Step]], seed: int) -> None:
    once, lineup = lined_up(found, 0)
    assert once == lined_up(found, seed)[0]
    assert lineup.is_over
    assert (lineup.late, lineup.lost, lineup.unplaced) == (0, 0, 0)


@settings(deadline=None, max_examples=50)
@given(recordings())
def test_everything_comes_out_once_and_in_order(found: dict[str, list[Step]]) -> None:
    out, _ = lined_up(found, 1)
    pairs = [one for one in out if isinstance(one, tuple)]
    places = [place for place, _ in pairs]
    keys = [(place.at_ns, place.stream, place.seq) for place in places]
    assert keys == sorted(keys)
    expected = {
        (m.stream, place.seq)
        for name, steps in found.items()
        for m in messages(name, steps)
        if isinstance(m, Mark)
        for place in m.places
    }
    assert {(place.stream, place.seq) for place in places} == expected
    assert len(places) == len(expected)
    assert all(has == place.has_vector for place, has in pairs)
    ticks = [one.now_ns for one in out if isinstance(one, Tick)]
    assert ticks == sorted(set(ticks))
    assert all(tick % SECOND_NS == 0 for tick in ticks)
