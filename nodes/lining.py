"""Windows of recordings judged in one order on Ray: what streams and the match actor tell each
other for it."""

from __future__ import annotations

import dataclasses
import itertools
import threading
import time
from collections.abc import Container, Iterable, Iterator
from typing import Any

import ray
from ray.exceptions import RayError

from bindstream.intake import Intake
from bindstream.lineup import Lineup, Mark, Over, Place, Stood, Tick
from bindstream.records import Alert, Embedding
from bindstream.replay.judging import Judged, judge
from bindstream.replay.transcript import TranscriptFile
from bindstream.watch import Watch
from nodes.watched import Watched

LEAD_NS = 30_000_000_000
"""A stream this far ahead of the slowest one waits: what is known of it is held in memory."""
EVERY_S = 1.0
"""A mark is given so often, though nothing changed: whoever says nothing is gone."""
PATIENCE_S = 60.0
"""A stream that gave no mark for so long is waited for no more, until it gives one. A process that
starts may take as long."""
AWAIT_S = 10.0
"""A vector that was published is given up if it has not come for so long."""
LAST_WORD_S = 2.0
AT_ONCE = 256
"""What goes in one turn at most: whoever asks for health must not wait for long."""


class Marker:
    """A stream's side: tells the match actor how far the stream is, without waiting for it.

    Args:
        match: the name of the match actor.
        lined_up: every stream of the run is a recording; else only the end of one is told.
    """

    def __init__(self, intake: Intake, match: str, *, lined_up: bool) -> None:
        self.lined_up = lined_up
        self._intake, self._match = intake, match
        self._handle: Any = None
        self._now = Mark(intake.config.name, -1)  # with all places that nobody took in yet
        self._sent: Mark | None = None  # what an answer is awaited to
        self._answer: Any = None
        self._taken = (-1, False)  # until when, and whether over, of what was taken in
        self._slowest_ns = -1
        self._next_s = float("-inf")

    @property
    def may_go_on(self) -> bool:
        """False while the stream is too far ahead of others."""
        ahead_ns = self._now.until_ns - self._slowest_ns
        return not self.lined_up or self._slowest_ns < 0 or ahead_ns <= LEAD_NS

    @property
    def is_taken_in(self) -> bool:
        """Whether the match actor knows everything."""
        now = self._now
        return not now.places and self._taken == (now.until_ns, now.over is not None)

    def tell(self, wait_s: float = 0.0) -> None:
        """Say what is new; to be called once a turn. Blocks up to `wait_s` for the answer."""
        if self._answer is not None and not self._answered(wait_s):
            return
        mark = self._intake.mark() if self.lined_up else self._end_alone()
        self._now = dataclasses.replace(mark, places=(*self._now.places, *mark.places))
        now_s = time.monotonic()
        is_live = not self.lined_up and self._now.over is None
        if self.is_taken_in and (now_s < self._next_s or is_live):
            return
        self._next_s = now_s + EVERY_S
        try:
            self._handle = self._handle or ray.get_actor(self._match)
            self._answer, self._sent = self._handle.mark.remote(self._now), self._now
        except (ValueError, RayError):  # it is not there: once more in the next turn
            return
        self._answered(wait_s)

    def _end_alone(self) -> Mark:
        """Among live streams nothing is told but that a recording is over."""
        name = self._intake.config.name
        if not (self._intake.recorded and self._intake.ended):
            return Mark(name, -1)
        failed = self._intake.health().reader.state == "failed"
        return Mark(name, -1, (), Over(0, name, failed))

    def _answered(self, wait_s: float) -> bool:
        done, _ = ray.wait([self._answer], timeout=wait_s)
        if not done:
            return False
        answer, sent = self._answer, self._sent
        self._answer = self._sent = None
        assert sent is not None
        try:
            self._slowest_ns = ray.get(answer)
        except RayError:  # it died, and its successor is told again
            return True
        self._taken = (sent.until_ns, sent.over is not None)
        left = self._now.places[len(sent.places) :]
        self._now = dataclasses.replace(self._now, places=left)
        return True

    def end(self) -> None:
        """Say the last of it. Blocks for `LAST_WORD_S` at most."""
        until_s = time.monotonic() + LAST_WORD_S
        self.tell(0.1)
        while not self.is_taken_in and time.monotonic() < until_s:
            self.tell(0.1)
            time.sleep(0.01)


def say_gone(match: Any, streams: Iterable[Watched[Any]], homeless: Container[str]) -> None:
    """Tells the match actor of streams that nobody is to wait for: those that cannot be started,
    and those that ran on a node that is lost."""
    for stream in streams:
        if stream.failed:
            over = Over(0, stream.name, failed=True)
            match.mark.remote(Mark(stream.name, -1, (), over))
        elif stream.name in homeless and stream.health is not None:
            match.leave.remote(stream.name)


class Lining:
    """The match actor's side: lets go of windows in their order.

    Actor threads give marks, the loop's thread puts vectors and lets go.

    Args:
        streams: all of the run.
        transcript: where windows and alerts are written down, if anywhere.
    """

    def __init__(self, streams: Iterable[str], transcript: TranscriptFile | None = None) -> None:
        streams = sorted(streams)
        self._lineup = Lineup(streams)
        self._lock = threading.Lock()
        self._heard_s = dict.fromkeys(streams, time.monotonic())
        self._left: set[str] = set()
        self._is_ending = False
        self._awaited: tuple[Place, float] | None = None
        self._transcript = transcript.open() if transcript is not None else None

    def mark(self, mark: Mark) -> int:
        """A stream is so far; returns how far the slowest is, UTC ns."""
        with self._lock:
            self._lineup.mark(mark)
            self._heard_s[mark.stream] = time.monotonic()
            return self._lineup.slowest_ns

    def leave(self, stream: str) -> None:
        """Wait no longer for a stream, until it gives another mark."""
        with self._lock:
            self._leave(stream)

    def _leave(self, stream: str) -> None:
        if stream in self._lineup.running:  # not one that was over before its node was lost
            self._lineup.leave(stream)
            self._left.add(stream)

    def put(self, embeddings: Iterable[Embedding]) -> None:
        """Vectors, as they come."""
        with self._lock:
            for embedding in embeddings:
                self._lineup.put(embedding)

    def judged(self, watch: Watch) -> Iterator[Judged]:
        """What the watch makes of all whose turn it is, `AT_ONCE` at most."""
        return (judge(what, watch, self._transcript) for what in self._ready())

    def _ready(self) -> list[Stood | Over | Tick]:
        with self._lock:
            self._lose_patience(time.monotonic())
            return list(itertools.islice(self._lineup.ready(), AT_ONCE))

    def _lose_patience(self, now_s: float) -> None:
        for stream in self._lineup.running:
            if self._is_ending or now_s - self._heard_s[stream] > PATIENCE_S:
                self._leave(stream)
        awaited = self._lineup.awaited
        if awaited is None:
            self._awaited = None
        elif self._awaited is None or self._awaited[0] is not awaited:
            self._awaited = awaited, now_s
        if self._awaited is not None and (self._is_ending or now_s - self._awaited[1] > AWAIT_S):
            self._lineup.give_up()

    def told(self, alert: Alert) -> None:
        """An alert that is announced."""
        if self._transcript is not None:
            self._transcript.alert(alert)

    def end(self) -> None:
        """Nothing will come any more: what is missing is given up, and nobody waited for."""
        with self._lock:
            self._is_ending = True

    @property
    def is_over(self) -> bool:
        """Whether all streams are, and everything has gone."""
        with self._lock:
            return self._lineup.is_over

    @property
    def passed_ns(self) -> int:
        """Everything up to here has gone, UTC ns of capture; -1 before anything has."""
        with self._lock:
            return self._lineup.passed_ns

    @property
    def trouble(self) -> str:
        """Why what came of the recordings is not all that they hold; "" if it is."""
        with self._lock:
            lineup = self._lineup
            said = [f"{lineup.lost} vectors never came"] if lineup.lost else []
            late = lineup.late
            said += [f"{late} windows came too late to stand in order"] if late else []
            if self._left:
                left = ", ".join(sorted(self._left))
                said.append(f"for a time nothing was heard of {left}: the others did not wait")
            return "; ".join(said)

    def close(self) -> None:
        """The transcript is whole."""
        if self._transcript is not None:
            self._transcript.close()
