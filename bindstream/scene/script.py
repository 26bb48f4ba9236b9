"""The script of a scene: what happens when, the same for every sensor, and its ground truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from bindstream.records import ModalityName
from bindstream.scene.catalogue import CATALOGUE
from bindstream.scene.seeds import rng_for

QUIET_S = 20.0
"""Nothing happens for so long at the start: a stream learns its background there."""
REST_S: Mapping[ModalityName, float] = {
    "audio": 6.5,
    "vision": 6.5,
    "thermal": 6.5,
    "depth": 6.5,
    "imu": 10.0,
}
"""The least quiet between two events that one sensor perceives (imu windows are 5 s long)."""
_PLANNED: tuple[ModalityName, ...] = ("audio", "vision", "thermal", "imu")
_TRIES = 400


def _known(kind: str) -> str:
    if kind not in CATALOGUE:
        raise ValueError(f"unknown event kind {kind!r}; choose from {', '.join(CATALOGUE)}")
    return kind


KindName = Annotated[str, AfterValidator(_known)]


class Event(BaseModel):
    """Something that happens from `start_s` to `end_s`, seconds into the scene."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: KindName
    start_s: float = Field(ge=0)
    end_s: float

    @model_validator(mode="after")
    def _forward(self) -> Event:
        if self.end_s <= self.start_s:
            raise ValueError(f"event ends at {self.end_s} s, not after its start {self.start_s} s")
        return self


class PlannedEvent(BaseModel):
    """An event as written in a configuration; its length is the kind's typical one if left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: KindName = Field(description="one of the catalogue's kinds, e.g. smoke_alarm")
    at_s: float = Field(ge=0, description="when it begins, in seconds into the scene")
    length_s: float | None = Field(default=None, gt=0, description="how long it lasts, in seconds")

    def event(self) -> Event:
        """The event it plans."""
        length_s = self.length_s or float(np.mean(CATALOGUE[self.kind].length_s))
        return Event(kind=self.kind, start_s=self.at_s, end_s=self.at_s + length_s)


class Script(BaseModel):
    """What happens in a scene. Frozen; JSON by `model_dump_json` and `model_validate_json`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(ge=0)
    length_s: float = Field(gt=0)
    events: tuple[Event, ...] = ()

    def of(self, modality: ModalityName) -> tuple[Event, ...]:
        """The events that show in `modality`, in order of their start."""
        return tuple(e for e in self.events if modality in CATALOGUE[e.kind].says)


def ground_truth(script: Script, modality: ModalityName | None = None) -> list[Event]:
    """What a perfect watcher reports: every event, or those that show in `modality`."""
    return list(script.events if modality is None else script.of(modality))


def make_script(
    seed: int, length_s: float = 100.0, events: Iterable[PlannedEvent] | None = None
) -> Script:
    """The script that a configuration asks for: its own events, or random ones from the seed."""
    if events is None:
        return random_script(seed, length_s)
    listed = sorted((planned.event() for planned in events), key=lambda e: (e.start_s, e.kind))
    return Script(seed=seed, length_s=length_s, events=tuple(listed))


def demo_script(seed: int) -> Script:
    """100 s with 2 or 3 events for each of audio, vision, thermal and imu."""
    return random_script(seed, 100.0)


def random_script(seed: int, length_s: float) -> Script:
    """Random, well spaced events after `QUIET_S` of quiet; about 2 to 3 a sensor each 80 s.

    Every two events that a sensor perceives lie at least its `REST_S` apart.
    """
    rng = rng_for(seed, "script")
    events: list[Event] = []
    start_s = QUIET_S
    while start_s < length_s:
        end_s = min(start_s + 80.0, length_s)
        events += _round(rng, start_s, end_s, _rested_s(events))
        start_s = end_s
    return Script(
        seed=seed,
        length_s=length_s,
        events=tuple(sorted(events, key=lambda e: (e.start_s, e.kind))),
    )


def _rested_s(events: Iterable[Event]) -> dict[ModalityName, float]:
    """For each sensor that perceived something the time from which it may again."""
    free_s: dict[ModalityName, float] = {}
    for event in events:
        for m in CATALOGUE[event.kind].modalities:
            free_s[m] = max(free_s.get(m, 0.0), event.end_s + REST_S[m])
    return free_s


def _round(
    rng: np.random.Generator, start_s: float, end_s: float, rested_s: Mapping[ModalityName, float]
) -> list[Event]:
    """One round of events between two times: the fullest of several random attempts."""
    wanted = _some_kinds(rng)
    best: list[Event] = []
    for _ in range(_TRIES):
        rng.shuffle(wanted)
        placed = _place(rng, wanted, start_s, end_s, rested_s)
        if len(placed) > len(best):
            best = placed
        if len(best) == len(wanted):
            break
    return best


def _some_kinds(rng: np.random.Generator) -> list[str]:
    """Kinds such that each planned modality perceives 2 or 3 of them."""
    names = list(CATALOGUE)
    while True:
        rng.shuffle(names)
        chosen: list[str] = []
        counts = dict.fromkeys(_PLANNED, 0)
        for name in names:
            shows = [m for m in CATALOGUE[name].modalities if m in counts]
            if all(counts[m] < 3 for m in shows) and any(counts[m] < 2 for m in shows):
                chosen.append(name)
                for m in shows:
                    counts[m] += 1
        if all(count >= 2 for count in counts.values()):
            return chosen


def _place(
    rng: np.random.Generator,
    wanted: list[str],
    start_s: float,
    end_s: float,
    rested_s: Mapping[ModalityName, float],
) -> list[Event]:
    """Puts kinds one after the other, each as soon as all sensors that perceive it have rested."""
    free_s = dict(rested_s)
    placed: list[Event] = []
    for name in wanted:
        kind = CATALOGUE[name]
        earliest_s = max(start_s, *(free_s.get(m, start_s) for m in kind.modalities))
        begin_s = round(earliest_s + rng.uniform(0, 14), 2)
        over_s = round(begin_s + rng.uniform(*kind.length_s), 2)
        if over_s + max(REST_S[m] for m in kind.modalities) / 2 > end_s:
            continue
        placed.append(Event(kind=name, start_s=begin_s, end_s=over_s))
        for m in kind.modalities:
            free_s[m] = over_s + REST_S[m]
    return placed
