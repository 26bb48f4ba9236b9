"""A recording: what was recorded of each stream, given again exactly as it was stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from bindstream.errors import RecordingError
from bindstream.modalities import SENSORS
from bindstream.recording.chunks import Chunks, Part
from bindstream.recording.mcap_file import McapFile, Message, Tag
from bindstream.recording.results import decode_accounts, decode_alert, decode_embedding
from bindstream.recording.samples import decode_sample
from bindstream.recording.series import Total
from bindstream.records import Alert, Embedding, ModalityName, Sample


@dataclass(frozen=True)
class RecordedStream:
    """One stream of a recording.

    Times are capture times on the run's clock, UTC ns, from the first reading to the end of the
    last; `samples` counts Samples, `gaps` those that something was missing before, `lost` Samples
    that came but were not recorded.
    """

    name: str
    modality: ModalityName
    start_ns: int
    end_ns: int
    samples: int
    gaps: int
    lost: int


class Recording:
    """A recording's folder, or one of its files. Nothing is held in memory but the index.

    Raises:
        RecordingError: there is none.
        MissingPackageError: a library that reads it is not installed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._chunks = Chunks(_paths(path))
        self.streams: Mapping[str, RecordedStream] = self._streams()
        if not any(file.tags for file in self._chunks.files):
            begun = ["it was only just begun"] if self.being_written else []
            why = next((f" {what}." for what in [*self.damage, *begun]), "")
            raise RecordingError(
                f"it holds no recording that can be read.{why}",
                where=str(path),
                fix="Name a folder that `bindstream record` or `run --record` made, or its file.",
            )
        times = [(each.start_ns, each.end_ns) for each in self.streams.values() if each.samples]
        self.start_ns = min((start for start, _ in times), default=0)
        self.end_ns = max((end for _, end in times), default=0)

    @property
    def facts(self) -> Mapping[str, str]:
        """What was known of the run: `begun_ns`, `version`, `clock`, `model`, `fingerprint`."""
        return {k: v for file in reversed(self._chunks.files) for k, v in file.facts.items()}

    @property
    def config(self) -> str | None:
        """The configuration's YAML, without passwords; None where it was not recorded."""
        return self.facts.get("config")

    @property
    def damage(self) -> Sequence[str]:
        """What could not be read, in words; more may show while reading."""
        return tuple(self._chunks.damage.values())

    @property
    def being_written(self) -> Sequence[Path]:
        """Its files that a recorder had not closed yet when they were opened."""
        return tuple(self._chunks.being_written)

    @property
    def disk_bytes(self) -> int:
        return sum(file.size_bytes for file in self._chunks.files)

    @property
    def files(self) -> Sequence[Path]:
        return tuple(file.path for file in self._chunks.files)

    def samples(
        self, stream: str, from_ns: int | None = None, until_ns: int | None = None
    ) -> Iterator[Sample]:
        """A stream's Samples in the order in which they arrived, each as it was stored.

        Args:
            from_ns, until_ns: only those that begin (on the run's clock, UTC ns) at or after the
                first and before the second.

        Raises:
            RecordingError: there is no such stream.
        """
        modality = self._stream(stream).modality
        return self._samples(stream, modality, from_ns, until_ns)

    def _samples(
        self, stream: str, modality: ModalityName, from_ns: int | None, until_ns: int | None
    ) -> Iterator[Sample]:
        chunks = self._chunks
        for file, place in chunks.places("sample", stream):
            # A Sample's own message is filed by its beginning.
            if until_ns is not None and place.start_ns >= until_ns:
                continue
            if from_ns is not None and place.end_ns < from_ns:
                continue
            for part in chunks.parts(file, place, stream):
                log_ns = part.said.log_ns
                late = until_ns is not None and log_ns >= until_ns
                if late or (from_ns is not None and log_ns < from_ns):
                    continue
                decode = partial(_decode, stream, modality, part)
                yield from chunks.read(decode, b"", stream, file, place)

    def embeddings(self, stream: str | None = None) -> Iterator[Embedding]:
        """Vectors in the order in which they were published; of one stream, or of all.

        Raises:
            RecordingError: there is no such stream.
        """
        found = self._chunks.of_role("vector", stream, decode_embedding)
        if stream is not None:
            self._stream(stream)
        return (embedding for _, embedding in found)

    def alerts(self) -> Iterator[Alert]:
        """Announcements in the order in which they were made."""
        return (alert for _, alert in self._chunks.of_role("alert", None, decode_alert))

    def accounts(self) -> dict[str, Mapping[str, Any]]:
        """Each stream's accounts as they stood last."""
        return dict(self._chunks.of_role("accounts", None, decode_accounts))

    @property
    def chunks(self) -> Chunks:
        """What it is read from, for whoever takes messages as they are."""
        return self._chunks

    def messages(self, told: Callable[[int], None] | None = None) -> Iterator[tuple[Tag, Message]]:
        """Every message of every chunk, file by file; `damage` is complete after this.

        Args:
            told: is given the bytes of each chunk that was read.
        """
        for file in self._chunks.files:
            for place in file.chunks:
                for message in self._chunks.messages(file, place):
                    if message.channel in file.tags:
                        yield file.tags[message.channel], message
                if told is not None:
                    told(place.length)

    def close(self) -> None:
        self._chunks.close()

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _stream(self, name: str) -> RecordedStream:
        if name not in self.streams:
            raise RecordingError(
                f"there is no stream {name!r}.",
                where=str(self.path),
                fix=f"It holds: {', '.join(self.streams) or 'none'}.",
            )
        return self.streams[name]

    def _streams(self) -> dict[str, RecordedStream]:
        totals: dict[str, Total] = {}
        modalities: dict[str, ModalityName] = {}
        for file in self._chunks.files:
            for stream, total in self._totals(file).items():
                totals.setdefault(stream, Total()).merge(total)
            for tag in file.tags.values():
                if tag.role in ("sample", "vector") and tag.modality in SENSORS:
                    modalities.setdefault(tag.stream, tag.modality)
        streams = {}
        for name, modality in sorted(modalities.items()):
            t = totals.get(name, Total())
            streams[name] = RecordedStream(
                name, modality, t.start_ns, t.end_ns, t.samples, t.gaps, t.lost
            )
        return streams

    def _totals(self, file: McapFile) -> dict[str, Total]:
        """What a file holds of each stream: as it says itself, or counted where it cannot."""
        if file.totals is not None:
            try:
                said = file.totals.items()
                return {name: msgspec.json.decode(total, type=Total) for name, total in said}
            except msgspec.MsgspecError as error:
                self._chunks.damage[file.path.name, -1] = f"{file.path.name}: its totals: {error}"
        totals: dict[str, Total] = {}
        for place in file.chunks:
            self._chunks.messages(file, place)  # which may tell of channels
            for name in {tag.stream for tag in file.tags.values() if tag.role == "sample"}:
                for part in self._chunks.parts(file, place, name):
                    add = partial(_add, totals.setdefault(name, Total()), part.about)
                    list(self._chunks.read(add, b"", name, file, place))
        return totals


def _add(total: Total, about: Mapping[str, Any], _: bytes) -> None:
    total.add_said(about)


def _decode(stream: str, modality: ModalityName, part: Part, _: bytes) -> Sample:
    return decode_sample(stream, modality, part.about, [each.data for each in part.data])


def _in_order(path: Path) -> tuple[str, int, str]:
    """By the recorder, then by the number, which may have more digits than others."""
    return path.stem.rpartition("-")[0], len(path.stem), path.name


def _paths(path: Path) -> list[Path]:
    """The files of a recording, each recorder's in the order in which it wrote them."""
    if path.is_file():
        return [path]
    files = sorted(path.glob("*.mcap"), key=_in_order)
    if files:
        return files
    runs = sorted({each.parent for each in path.glob("*/*.mcap")})
    if runs:
        raise RecordingError(
            f"it holds {len(runs)} recording{'s' if len(runs) > 1 else ''}, name one of them.",
            where=str(path),
            fix=f"The latest is {runs[-1]}.",
        )
    what = "there is no recording in it." if path.is_dir() else "there is no such recording."
    raise RecordingError(what, where=str(path), fix="Name a recording's folder or file.")
