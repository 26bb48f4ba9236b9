"""What is replayed: a recording's streams, and a configuration's queries and rules for them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from bindstream.config import Config, PlacementConfig, QueryConfig, StreamConfig, load_config
from bindstream.config.rule import AnyRule, CombinedRule
from bindstream.config.yaml_text import YamlError, parse
from bindstream.errors import ConfigError
from bindstream.recording import RecordedStream, Recording
from bindstream.records import ModalityName
from bindstream.sources.recording import RecordingOptions

LEFT_OUT = ("state", "history", "evidence", "record", "metrics")
"""Sections that write, or that remember something a replay must not know."""
Modalities = Mapping[str, ModalityName]


@dataclass(frozen=True)
class Played:
    """How a recording is played.

    `from_s` and `to_s` are seconds into it (None: to its end); `rounds` how often.
    """

    speed: float | Literal["max"] = "max"
    from_s: float = 0.0
    to_s: float | None = None
    rounds: int = 1


@dataclass(frozen=True)
class Plan:
    """A configuration whose streams play a recording; `notes` say what of the original is not in
    it. `start_ns` and `end_ns` bound what is played, UTC ns of capture, all rounds together."""

    config: Config
    notes: tuple[str, ...]
    start_ns: int
    end_ns: int


def plan(
    recording: Recording,
    config: Path | None = None,
    played: Played | None = None,
    *,
    queries: Sequence[QueryConfig] = (),
    model: str | None = None,
    threads: int | None = None,
) -> Plan:
    """How a recording is replayed.

    One window is embedded at a time, and torch's number of threads is stated: batches of other
    sizes and other numbers of threads round otherwise.

    Args:
        config: takes the place of the configuration in the recording.
        queries: take the place of its queries, and of its rules over queries.
        threads: of torch; those of the configuration, or all cores, if None.

    Raises:
        ConfigError: there is no configuration that can be used, or nothing of it was recorded.
    """
    played = played or Played()
    original = _original(recording, config, queries)
    notes: list[str] = []
    where = str(config or f"the configuration in {recording.path}")
    streams = _streams(original, recording, played, notes, where)
    modality_of = {stream.name: stream.modality for stream in streams}
    if queries:
        of_queries = [rule.id for rule in original.rules if isinstance(rule, CombinedRule)]
        notes += [f"rule {name}: its queries are not asked" for name in of_queries]
        rules = [rule for rule in original.rules if not isinstance(rule, CombinedRule)]
        original = original.model_copy(update={"queries": tuple(queries), "rules": tuple(rules)})
    found = _queries(original, modality_of, notes)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    stated = original.model
    changed = {
        "streams": streams,
        "queries": found,
        "rules": _rules(original, {query.id for query in found}, modality_of, notes),
        "sinks": (),
        "model": stated.model_copy(
            update={
                "name": model or stated.name,
                "batch": 1,
                "threads": threads or stated.threads or cores or 1,
            }
        ),
        **{name: None for name in LEFT_OUT if name in Config.model_fields},
    }
    gone = [name for name in LEFT_OUT if getattr(original, name, None) is not None]
    gone += [f"sink {sink.kind}" for sink in original.sinks if sink.kind not in ("terminal", "bus")]
    notes += [f"{', '.join(gone)}: neither read nor written"] if gone else []
    first_ns = recording.start_ns + round(played.from_s * 1e9)
    last_ns = recording.end_ns
    if played.to_s is not None:
        last_ns = min(last_ns, recording.start_ns + round(played.to_s * 1e9))
    round_ns = -(-(last_ns - first_ns) // 10**9) * 10**9
    end_ns = last_ns + (played.rounds - 1) * round_ns
    return Plan(original.model_copy(update=changed), tuple(notes), first_ns, end_ns)


def _original(recording: Recording, config: Path | None, queries: Sequence[QueryConfig]) -> Config:
    if config is not None:
        return load_config(config, played=False)
    where = f"the configuration in {recording.path}"
    text = recording.config
    if text is None:
        if not queries:
            raise ConfigError(
                f"{recording.path} holds no configuration.",
                fix="Give one: --config home.yaml; or words to watch for: --query 'a dog barks'.",
            )
        return _bare(recording)
    try:
        return Config.model_validate(parse(text)[0])
    except (YamlError, ValidationError) as error:
        first = str(error.errors()[0]["msg"]) if isinstance(error, ValidationError) else str(error)
        raise ConfigError(
            f"it cannot be used here: {first}.", where=where, fix="Give one: --config home.yaml."
        ) from None


def _bare(recording: Recording) -> Config:
    """The recording's streams and nothing else."""
    return Config(
        streams=tuple(
            StreamConfig(
                name=each.name,
                modality=each.modality,
                source=RecordingOptions(kind="recording", path=recording.path),
            )
            for each in recording.streams.values()
        )
    )


def _streams(
    original: Config, recording: Recording, played: Played, notes: list[str], where: str
) -> tuple[StreamConfig, ...]:
    found: list[StreamConfig] = []
    for stream in original.streams:
        there = recording.streams.get(stream.name)
        if there is None or there.modality != stream.modality:
            what = "was not recorded" if there is None else f"was recorded as {there.modality}"
            notes.append(f"stream {stream.name} ({stream.modality}): {what}")
            continue
        source = RecordingOptions(
            kind="recording",
            path=recording.path.absolute(),
            speed=played.speed,
            from_s=played.from_s,
            to_s=played.to_s,
            loop=played.rounds if played.rounds > 1 else False,
            lateness_s=stream.source.lateness_s,
        )
        update = {"source": source, "placement": PlacementConfig()}
        found.append(stream.model_copy(update=update))
    if not found:
        raise ConfigError(
            f"none of its streams was recorded: it has {_named(original.streams)}.",
            where=where,
            fix=f"{recording.path} holds {_named(recording.streams.values())}. Names and "
            "modalities have to be those of the recording: name the streams so.",
        )
    names = {stream.name for stream in original.streams}
    unused = [name for name in recording.streams if name not in names]
    notes += [f"stream {name}: recorded, and not in the configuration" for name in unused]
    return tuple(found)


def _named(streams: Iterable[StreamConfig | RecordedStream]) -> str:
    return ", ".join(f"{each.name} ({each.modality})" for each in streams) or "none"


def _queries(
    original: Config, modality_of: Modalities, notes: list[str]
) -> tuple[QueryConfig, ...]:
    """The queries that a stream is left for, of such streams alone."""
    found: list[QueryConfig] = []
    for query in original.queries:
        names = [name for name in query.streams or modality_of if name in modality_of]
        heard = {modality_of[name] for name in names}
        kinds = [m for m in query.modalities or heard if m in heard]
        if not kinds:
            notes.append(f"query {query.id}: none of its streams was recorded")
            continue
        update = {
            "streams": None if query.streams is None else tuple(names),
            "modalities": None if query.modalities is None else tuple(kinds),
        }
        found.append(query.model_copy(update=update))
    return tuple(found)


def _rules(
    original: Config, queries: set[str], modality_of: Modalities, notes: list[str]
) -> tuple[AnyRule, ...]:
    """The rules whose queries and streams are left."""
    found: list[AnyRule] = []
    for rule in original.rules:
        if isinstance(rule, CombinedRule):
            if missing := [name for name in rule.members if name not in queries]:
                notes.append(f"rule {rule.id}: left out with {', '.join(missing)}")
            else:
                found.append(rule)
            continue
        names = [name for name in rule.streams or modality_of if name in modality_of]
        if not names:
            notes.append(f"rule {rule.id}: none of its streams was recorded")
            continue
        streams = None if rule.streams is None else tuple(names)
        found.append(rule.model_copy(update={"streams": streams}))
    return tuple(found)
