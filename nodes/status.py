"""What a run's actors said of themselves, as plain data and as troubles in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from bindstream.accounts import Accounts
from bindstream.combine.fused import LATE_S
from bindstream.errors import unnamed
from bindstream.intake import IntakeHealth
from nodes.embed import EmbedHealth
from nodes.history import HistoryHealth
from nodes.match_health import MatchHealth
from nodes.stream import StreamHealth
from nodes.watched import Watched

UNSTARTED_S = 15.0
"""A stream whose process has not answered for so long since it was asked for is worth a word."""
BEHIND_S = LATE_S
"""What is played so far behind its schedule is worth a word: rules across streams count what comes
later for less, where there are live streams, too. One that catches up after a late start is not."""
STILL_BEHIND_S = BEHIND_S / 2
"""One of which that was said has to be less behind to be well again: delays come and go with every
window."""
BEHIND = (
    f"fell more than {BEHIND_S:.0f} s behind its schedule, its alerts with it: too much is asked "
    "of its host, or of that of a stream that it waits for; choose a lower `speed`, fewer streams, "
    "`gate: true`, or a smaller model (or `precision: int8`)"
)


def actor_status(watched: Watched[Any]) -> dict[str, Any]:
    """An actor's last health, its restarts, and why it cannot be started ("" if it can)."""
    said = asdict(watched.health) if watched.health is not None else {}
    return {**said, "restarts": watched.restarts, "failed": watched.failed}


def stream_status(
    stream: Watched[StreamHealth],
    embedders: Iterable[Watched[EmbedHealth]],
    accounts: Accounts | None,
) -> dict[str, Any]:
    """As `actor_status`, with its `accounts`, None as long as nothing is known of them, and the
    tower time saved, seconds, once that is known."""
    said = {**actor_status(stream), "accounts": accounts and accounts.plain()}
    if stream.health is not None and accounts is not None:
        said["intake"]["accounts"] = said["accounts"]
        means_s = [
            e.health.tower_s[stream.name]
            for e in embedders
            if e.health is not None and stream.name in e.health.tower_s
        ]
        if means_s:  # unknown as long as a new embed actor computed nothing of it
            said["tower_saved_s"] = accounts.reused * sum(means_s) / len(means_s)
    return said


def over(streams: Iterable[Watched[StreamHealth]]) -> set[str]:
    """Streams whose recording has ended, as `troubles` names them: one that was behind its schedule
    ended so."""
    ended = [s.name for s in streams if s.health and s.health.intake.reader.state == "ended"]
    return {f"stream {name}" for name in ended}


def _is_behind(intake: IntakeHealth, *, was_said: bool) -> bool:
    least_s = STILL_BEHIND_S if was_said else BEHIND_S
    return intake.behind_s > least_s and not intake.catching_up


def _of_stream(stream: Watched[StreamHealth], before: Mapping[str, str]) -> dict[str, str]:
    name = f"stream {stream.name}"
    if stream.failed:
        return {name: f"cannot be started: {stream.failed}"}
    if (health := stream.health) is None:
        if stream.silent_s <= UNSTARTED_S:
            return {}
        what = (
            f"not started within {UNSTARTED_S:.0f} s: its node is busy, or what its placement asks "
            "for, if it has one, is taken"
        )
        return {name: what}
    said: dict[str, str] = {}
    reader = health.intake.reader
    if reader.state in ("waiting", "stalled", "failed") or (
        reader.state == "opening" and reader.losses  # once more: it is not well yet
    ):
        said[name] = f"{reader.state}: {unnamed(reader.detail, stream.name)}"
    elif health.error or health.intake.frozen:
        said[name] = health.error or health.intake.frozen
    elif reader.state == "live" and health.silent:
        said[name] = f"silent for {reader.silent_s:.0f} s"
    elif reader.state == "live" and _is_behind(health.intake, was_said=before.get(name) == BEHIND):
        said[name] = BEHIND
    if health.evidence is not None and health.evidence.trouble:
        said[f"evidence of {stream.name}"] = health.evidence.trouble
    if health.recording is not None and health.recording.trouble:
        said[f"recording of {stream.name}"] = health.recording.trouble
    return said


def troubles(
    streams: Iterable[Watched[StreamHealth]],
    embedders: Iterable[Watched[EmbedHealth]],
    match: Watched[MatchHealth] | None,
    history: Watched[HistoryHealth] | None = None,
    before: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """What is wrong now: who it concerns, and what.

    Args:
        before: what was wrong when this was asked last.
    """
    said: dict[str, str] = {}
    for stream in streams:
        said.update(_of_stream(stream, before or {}))
    for embedder in embedders:
        if embedder.failed:
            said[embedder.name] = f"cannot be started: {embedder.failed}"
            continue
        if embedder.health is None:
            continue
        said.update(embedder.health.warnings)
        if embedder.health.error:
            said[embedder.name] = embedder.health.error
    if match is not None and match.failed:
        said[match.name] = f"cannot be started: {match.failed}"
    elif match is not None and match.health is not None and match.health.error:
        said[match.name] = match.health.error
    for doubt in match.health.doubts if match is not None and match.health is not None else ():
        name, _, what = doubt.partition(": ")
        said[name] = what
    if history is not None and history.failed:
        said["history"] = f"cannot be started: {history.failed}"
    kept = history.health if history is not None else None
    if kept is not None and (trouble := kept.error or kept.kept.trouble):
        said["history"] = trouble
    return said
