"""The simulated house as a source: any of its sensors, with the flaws of real ones on request."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from bindstream.errors import ConfigError
from bindstream.modalities import SENSORS
from bindstream.records import ModalityName, Sample
from bindstream.scene.script import PlannedEvent, Script, make_script
from bindstream.scene.seeds import rng_for
from bindstream.scene.world import Renderer
from bindstream.sources import EndOfStream, SourceContext
from bindstream.sources.options import PlaybackOptions
from bindstream.sources.playback import Playback

AUDIO_HZ = 16000
CHUNK_S = 0.1
"""Sound and motion come in pieces so long."""
RATES_HZ: dict[ModalityName, float] = {"vision": 10.0, "thermal": 9.0, "depth": 10.0, "imu": 100.0}


class SceneOptions(PlaybackOptions):
    """A simulated sensor. Streams with the same seed, length and events perceive the same scene."""

    kind: Literal["scene"]
    seed: int = Field(default=0, ge=0, description="picks the house and what happens in it")
    length_s: float = Field(default=100.0, gt=0, le=86400, description="how long it goes on")
    events: tuple[PlannedEvent, ...] | None = Field(
        default=None, description="what happens; random events from the seed if left out"
    )
    rate_hz: float | None = Field(
        default=None,
        ge=2,
        le=1000,
        description="frames or imu readings a second (vision 10, thermal 9, depth 10, imu 100)",
    )
    jitter_ms: float = Field(
        default=0,
        ge=0,
        le=1000,
        description="how far frames and readings stray from their beat, and how late they arrive",
    )
    gap_every_s: float | None = Field(
        default=None, gt=0, description="readings go missing once in so many seconds"
    )
    gap_s: float = Field(default=0.5, gt=0, description="for how long they are missing")
    duplicates: float = Field(
        default=0, ge=0, le=1, description="probability that a sample is delivered twice"
    )

    @model_validator(mode="after")
    def _consistent(self) -> SceneOptions:
        if self.gap_every_s is not None and self.gap_s >= self.gap_every_s:
            raise ValueError(
                f"gap_s {self.gap_s:g} must be shorter than gap_every_s {self.gap_every_s:g}"
            )
        for event in self.events or ():
            if event.at_s >= self.length_s:
                raise ValueError(
                    f"{event.kind} at {event.at_s:g} s comes after the scene's end "
                    f"({self.length_s:g} s)"
                )
        return self

    def script(self) -> Script:
        """What happens in this scene."""
        return make_script(self.seed, self.length_s, self.events)


class SceneSource:
    """Plays one sensor of a simulated house.

    Sound comes in chunks of 0.1 s and imu readings likewise, pictures one by one. The same options
    give the same readings at the same capture times, whatever the speed.

    Raises:
        ConfigError: the stream's modality is not a sensor's.
    """

    recorded = True

    def __init__(self, options: SceneOptions, context: SourceContext) -> None:
        if context.modality not in SENSORS:
            raise ConfigError(
                f"a scene has no sensor of modality {context.modality!r}",
                where=context.stream,
                fix=f"Choose from {', '.join(SENSORS)}.",
            )
        self._options = options
        self._context = context
        self._renderer = Renderer(options.script())
        self._playback = Playback(context, options.speed)
        rate_hz = options.rate_hz or RATES_HZ.get(context.modality, AUDIO_HZ)
        self._rate_hz = AUDIO_HZ if context.modality == "audio" else rate_hz
        chunked = context.modality in ("audio", "imu")
        self._per_read = max(1, round(CHUNK_S * self._rate_hz)) if chunked else 1
        # Readings at k / rate that lie before the end; the tolerance is for k / rate itself.
        self._total = int(np.ceil(options.length_s * self._rate_hz - 1e-6))
        self._next = 0
        self._round = 0
        self._gap = ""

    def open(self) -> None:
        """Start at the scene's beginning, or where an earlier process of this run left off."""
        self._playback = Playback(self._context, self._options.speed)
        self._next = self._round = 0
        self._gap = ""
        passed_s = (self._context.resume_ns - self._context.start_ns) / 1e9
        if passed_s > 0:
            if self._options.loop:
                self._round = int(passed_s // self._options.length_s)
                passed_s %= self._options.length_s
            reads = int(passed_s * self._rate_hz) // self._per_read
            self._next = min(reads * self._per_read, self._total)

    def read(self) -> list[Sample]:
        """The next sample (twice where it is duplicated), when it is due; [] within a gap.

        Raises:
            EndOfStream: the scene is over.
        """
        if self._next >= self._total:
            if not self._options.loop:
                raise EndOfStream
            self._next, self._round = 0, self._round + 1
        first = self._next
        last = min(first + self._per_read, self._total)
        self._next = last
        options = self._options
        rng = rng_for(options.seed, "delivery", self._context.modality, self._round, first)
        times_s = self._times_s(first, last, rng)
        late_s = rng.uniform(0, options.jitter_ms / 1000)
        twice = rng.random() < options.duplicates
        end_s = last / self._rate_hz if self._context.modality == "audio" else float(times_s[-1])
        begin_s = self._round * options.length_s
        self._playback.wait_until_due(begin_s + end_s + late_s)
        if self._missing(first / self._rate_hz):
            self._gap = f"{options.gap_s:g} s left out of the scene on request"
            return []
        sample = self._sample(begin_s, times_s, end_s)
        self._gap = ""
        return [sample, dataclasses.replace(sample, gap="")] if twice else [sample]

    def close(self) -> None:
        """Stop waiting; a `read` in progress returns at once."""
        self._playback.stop()

    def _times_s(self, first: int, last: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """When readings `first` to `last` are taken: on the beat, or off it by the jitter."""
        times_s = np.arange(first, last) / self._rate_hz
        if self._context.modality == "audio":
            return times_s
        stray_s = min(self._options.jitter_ms / 1000, 0.45 / self._rate_hz)
        strayed = np.maximum(times_s + rng.uniform(-stray_s, stray_s, len(times_s)), 0)
        return np.minimum(strayed, self._options.length_s)

    def _missing(self, t_s: float) -> bool:
        every_s = self._options.gap_every_s
        return every_s is not None and t_s % every_s >= every_s - self._options.gap_s

    def _sample(self, begin_s: float, times_s: NDArray[np.float64], end_s: float) -> Sample:
        modality = self._context.modality
        start_ns = self._playback.capture_ns(begin_s + float(times_s[0]))
        times_ns = None
        if modality == "imu":
            taken = [self._playback.capture_ns(begin_s + float(t)) for t in times_s]
            times_ns = np.array(taken, np.int64)
        return Sample(
            stream=self._context.stream,
            modality=modality,
            data=self._data(times_s),
            start_ns=start_ns,
            end_ns=self._playback.capture_ns(begin_s + end_s),
            receive_ns=self._context.clock.now_ns(),
            clock=self._context.clock.id,
            times_ns=times_ns,
            gap=self._gap,
        )

    def _data(self, times_s: NDArray[np.float64]) -> NDArray[Any]:
        t_s = float(times_s[0])
        match self._context.modality:
            case "audio":
                return self._renderer.sound(t_s, len(times_s))
            case "vision":
                return self._renderer.picture(t_s)
            case "thermal":
                return self._renderer.heat(t_s)
            case "depth":
                return self._renderer.depth(t_s)
            case _:
                return self._renderer.motion(times_s)
