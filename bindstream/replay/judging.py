"""What a watch makes of all that the line of recordings lets go; the same in one process and on
Ray, since it is said here alone."""

from __future__ import annotations

from collections.abc import Sequence

from bindstream.lineup import Over, Stood, Tick
from bindstream.records import Alert, Embedding, Score
from bindstream.replay.transcript import Transcript
from bindstream.watch import Watch

Judged = tuple[Embedding | None, Sequence[Score], list[Alert]]
"""The vector whose turn it was, if one was, its scores, and alerts."""


def judge(what: Stood | Over | Tick, watch: Watch, transcript: Transcript | None) -> Judged:
    """Give the watch what is next on the line.

    Args:
        transcript: is told of windows.
    """
    if isinstance(what, Tick):
        return None, (), watch.due(what.now_ns)
    if isinstance(what, Over):
        return None, (), watch.rules.over(what.stream, failed=what.failed)
    if transcript is not None:
        transcript.window(what)
    if what.embedding is None:
        return None, (), []
    scores, alerts = watch.push(what.embedding)
    return what.embedding, scores, alerts
