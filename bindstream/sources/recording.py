"""What a run recorded as a source: the same Samples again, at the times of their capture."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import Field, model_validator

from bindstream.errors import ConfigError, RecordingError, SourceError
from bindstream.records import ModalityName, Sample
from bindstream.sources import EndOfStream, SourceContext
from bindstream.sources.options import SourceOptions
from bindstream.sources.playback import Playback

if TYPE_CHECKING:
    from bindstream.recording import Recording

SECOND_NS = 1_000_000_000
WAIT_S = 0.5


class RecordingOptions(SourceOptions):
    """One stream of a recording. Streams of the same recording, played alike, stay aligned."""

    kind: Literal["recording"]
    path: Path = Field(description="the recording's folder, or one of its files")
    stream: str | None = Field(
        default=None, description="the stream's name in the recording; this one's if left out"
    )
    speed: Annotated[float, Field(gt=0, allow_inf_nan=False)] | Literal["max"] = Field(
        default=1.0, description='1 plays in real time, 2 twice as fast, "max" without waiting'
    )
    from_s: float = Field(default=0, ge=0, description="seconds into the recording to begin at")
    to_s: float | None = Field(
        default=None, gt=0, description="seconds into the recording to end at; its end if left out"
    )
    loop: bool | Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=False, description="true: start again at the end, for ever; 3: three rounds"
    )

    @model_validator(mode="after")
    def _rising(self) -> RecordingOptions:
        if self.to_s is not None and self.to_s <= self.from_s:
            raise ValueError(f"to_s {self.to_s:g} must be later than from_s {self.from_s:g}")
        return self


class Misfit(NamedTuple):
    """Why a recording cannot be played as asked: the key that asks for it, what is wrong, and the
    way out. `key` is one of the source, or the stream's `modality`."""

    key: str
    what: str
    fix: str


def misfit(
    recording: Recording, options: RecordingOptions, stream: str, modality: ModalityName
) -> Misfit | None:
    """Why a recording cannot be played as the options of a stream ask; None if it can."""
    path, name = options.path, options.stream or stream
    found = recording.streams.get(name)
    if found is None:
        there = ", ".join(f"{s.name} ({s.modality})" for s in recording.streams.values())
        fix = f"Say which with `stream:`. It holds: {there or 'none'}."
        return Misfit("stream", f"{path} holds no stream {name!r}", fix)
    if found.modality != modality:
        what = f"{name!r} in {path} is of {found.modality}, and this stream is of {modality}"
        fix = f"Say `modality: {found.modality}`, or choose another stream."
        return Misfit("modality", what, fix)
    length_s = (recording.end_ns - recording.start_ns) / 1e9
    if options.from_s > length_s:
        what = f"from_s {options.from_s:g} is beyond the end of {path}"
        return Misfit("from_s", what, f"It lasts {length_s:.3f} s.")
    return None


class RecordingSource:
    """Plays one stream of a recording, whose capture times are those of the recording.

    The beginning of what is played falls on the run's beginning: at speed 2 what was captured 10 s
    later is due 5 s after it. Each Sample is given out when the one before was due: whatever comes
    after a silence is known when the silence begins, and nobody has to wait through it to know how
    far the stream is. Each further round of a loop is later by the whole length, rounded up to
    whole seconds, so that windows whose hop divides a second lie on the same grid.

    Raises:
        SourceError: from `open`: the recording cannot be read.
        ConfigError: from `open`: it has no such stream, or of another sensor, or ends before what
            is to be played.
    """

    recorded = True

    def __init__(self, options: RecordingOptions, context: SourceContext) -> None:
        self._options = options
        self._context = context
        self._playback = Playback(context, options.speed)
        self._recording: Recording | None = None
        self._samples: Iterator[Sample] = iter(())
        self._from_ns = self._until_ns = self._shift_ns = 0
        self._round = 0
        self._due_ns = 0
        self._gap = ""
        self._held: Sample | None = None
        self._damaged = 0

    @property
    def _name(self) -> str:
        return self._options.stream or self._context.stream

    @property
    def begins_ns(self) -> int:
        """When what is played begins, UTC ns of capture: what is due at the run's beginning."""
        return self._from_ns

    @property
    def over_ns(self) -> int:
        """When what is played is over, UTC ns of capture: the same for all of its streams."""
        return self._until_ns + self._round * self._shift_ns

    def open(self) -> None:
        """Find the stream, and go to where it begins or an earlier process of this run left off."""
        from bindstream.recording import Recording

        where = f"stream {self._context.stream!r}"
        self.close()
        self._playback = Playback(self._context, self._options.speed)
        try:
            self._recording = Recording(self._options.path)
        except RecordingError as error:
            what = f"{error.where}: {error.what}"
            raise SourceError(what, where=where, fix=error.fix) from None
        of = self._context.stream, self._context.modality
        if found := misfit(self._recording, self._options, *of):
            raise ConfigError(f"{found.what}.", where=where, fix=found.fix)
        self._bound(self._recording)
        self._round, self._gap, self._held = 0, "", None
        resume_ns = self._context.resume_ns
        if self._shift_ns and resume_ns > self._from_ns:
            self._round = min((resume_ns - self._from_ns) // self._shift_ns, self._rounds - 1)
        self._due_ns = max(self._from_ns + self._round * self._shift_ns, resume_ns)
        self._begin(resume_ns)

    @property
    def _rounds(self) -> int:
        loop = self._options.loop
        return 2**62 if loop is True else int(loop) or 1

    def _bound(self, recording: Recording) -> None:
        """What is to be played of it, and how long a round is."""
        options = self._options
        self._from_ns = recording.start_ns + round(options.from_s * 1e9)
        self._until_ns = recording.end_ns
        if options.to_s is not None:
            asked_ns = recording.start_ns + round(options.to_s * 1e9)
            self._until_ns = min(self._until_ns, asked_ns)
        self._shift_ns = -(-(self._until_ns - self._from_ns) // SECOND_NS) * SECOND_NS

    def _begin(self, resume_ns: int = 0) -> None:
        assert self._recording is not None
        from_ns = max(self._from_ns, resume_ns - self._round * self._shift_ns)
        # The last reading begins at the very end.
        until_ns = None if self._options.to_s is None else self._until_ns
        self._samples = self._recording.samples(self._name, from_ns, until_ns)

    def read(self) -> list[Sample]:
        """The next Sample, when it is its turn; [] when that is not within 0.5 s.

        Raises:
            EndOfStream: everything was played.
            SourceError: the recording cannot be read any further.
        """
        sample = self._held = self._held or self._next()
        due_s = (self._due_ns - self._from_ns) / 1e9
        if not self._playback.wait_until_due(due_s, at_most_s=WAIT_S):
            return []
        self._held = None
        self._due_ns = max(self._due_ns, sample.end_ns + sample.offset_ns)
        return [sample]

    def _next(self) -> Sample:
        try:
            while (sample := next(self._samples, None)) is None:
                if self._round + 1 >= self._rounds or not self._shift_ns:
                    raise EndOfStream
                self._round += 1
                self._gap = "the recording begins again"
                self._begin()
        except RecordingError as error:
            where = f"stream {self._context.stream!r}"
            raise SourceError(f"{error.where}: {error.what}", where=where, fix=error.fix) from None
        return self._as_ours(sample)

    def _as_ours(self, sample: Sample) -> Sample:
        """A Sample under this stream's name, in this round's time."""
        changed: dict[str, Any] = {}
        if sample.stream != self._context.stream:
            changed["stream"] = self._context.stream
        if by_ns := self._round * self._shift_ns:
            changed |= {
                "start_ns": sample.start_ns + by_ns,
                "end_ns": sample.end_ns + by_ns,
                "receive_ns": sample.receive_ns + by_ns,
                "times_ns": None if sample.times_ns is None else sample.times_ns + by_ns,
            }
        if self._gap:
            changed["gap"], self._gap = self._gap, ""
        return dataclasses.replace(sample, **changed) if changed else sample

    def close(self) -> None:
        """Let go of the files; a `read` in progress returns at once."""
        self._playback.stop()
        recording, self._recording = self._recording, None
        if recording is not None:
            self._damaged = len(recording.damage)
            recording.close()

    def notes(self) -> dict[str, int]:
        """Counts for the stream's health: pieces of the recording that are damaged."""
        recording = self._recording
        return {"damaged": len(recording.damage) if recording is not None else self._damaged}
