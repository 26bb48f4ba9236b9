"""The demonstration: which configuration it runs, and how its alerts answer what happened."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from bindstream.config import Config
from bindstream.errors import ConfigError
from bindstream.records import Alert
from bindstream.scene import CATALOGUE, Verdict, judge
from bindstream.sources.scene import SceneOptions

MOST = 0.7
"""Share of the events that a demonstration must find."""
FALSE_MOST = 1
_PLACES = (
    Path(__file__).parents[1] / "configs",  # a checkout
    Path(sys.prefix) / "share" / "bindstream" / "configs",  # an installed package
)


def demo_config() -> Path:
    """The file `configs/demo.yaml`, in the checkout or as it was installed.

    Raises:
        ConfigError: it is in neither place.
    """
    for folder in _PLACES:
        if (folder / "demo.yaml").is_file():
            return folder / "demo.yaml"
    raise ConfigError(
        f"there is no demo.yaml in {' or '.join(map(str, _PLACES))}.",
        fix="Install bindstream again, or run `bindstream run demo.yaml` from a checkout.",
    )


def in_house(config: Config, seed: int) -> Config:
    """The same events in another house: other rooms, voices, people, noises."""
    streams = tuple(
        stream.model_copy(update={"source": stream.source.model_copy(update={"seed": seed})})
        for stream in config.streams
    )
    return config.model_copy(update={"streams": streams})


def verdicts(
    config: Config, alerts: Iterable[Alert], start_ns: int, played_s: float = math.inf
) -> list[Verdict]:
    """For each query named after a kind of event: what it found, missed and made up.

    Every stream of the configuration must perceive the same scene.

    Args:
        start_ns: capture time of the scene's beginning, UTC ns.
        played_s: how much of the scene was played; what happens later is not missed.
    """
    scenes = [s.source for s in config.streams if isinstance(s.source, SceneOptions)]
    script = scenes[0].script().events if scenes else ()
    events = [event for event in script if event.start_s < played_s]
    kinds = {}
    for query in config.queries:
        kind = query.id.replace("-", "_")
        if kind in CATALOGUE:
            kinds[query.id] = kind
    return list(judge(events, alerts, kinds, start_ns=start_ns).values())


def contributors(verdicts: Sequence[Verdict], alerts: Iterable[Alert]) -> set[str]:
    """Streams whose alerts answered something that really happened."""
    judged = {verdict.query for verdict in verdicts}
    false = {alert.id for verdict in verdicts for alert in verdict.false}
    return {a.stream for a in alerts if a.query in judged and a.id not in false}


def passed(config: Config, verdicts: Sequence[Verdict], alerts: Sequence[Alert]) -> bool:
    """Whether most events were found, at most one alert was false, and every stream helped."""
    found = sum(len(verdict.found) for verdict in verdicts)
    missed = sum(len(verdict.missed) for verdict in verdicts)
    false = sum(len(verdict.false) for verdict in verdicts)
    streams = {stream.name for stream in config.streams}
    helped = contributors(verdicts, alerts) >= streams
    return found >= MOST * (found + missed) and false <= FALSE_MOST and helped
