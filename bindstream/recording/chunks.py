"""The files of a recording and their chunks, held a while; what is wrong with them is noted."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from bindstream.config.record import missing
from bindstream.errors import MissingPackageError
from bindstream.recording.folders import is_being_written
from bindstream.recording.mcap_file import DamagedError, McapFile, Message, Place
from bindstream.recording.samples import ELSEWHERE, stated
from bindstream.records import Sample

HELD = 8
"""Chunks kept unpacked: streams that lie in one file are read side by side."""
_T = TypeVar("_T")


class Part(NamedTuple):
    """A Sample in a file: what is said of it, its data messages, the message that says it."""

    about: dict[str, Any]
    data: list[Message]
    said: Message


class Chunks:
    """Opens files and reads their chunks. `damage` says in words what could not be read;
    `being_written` are the files that a recorder had not closed yet.

    Raises:
        MissingPackageError: a library that reads them is not installed.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        # Looked for first: whatever goes wrong in a file is taken for damage.
        if name := missing():
            raise MissingPackageError(
                f"reading a recording needs {name}, which is not installed.",
                fix="Run: pip install 'bindstream[record]'.",
            )
        self.files: list[McapFile] = []
        self.being_written: list[Path] = []
        self.damage: dict[tuple[str, int], str] = {}
        self._held: OrderedDict[tuple[Path, int], list[Message]] = OrderedDict()
        self._lock = threading.Lock()
        for path in paths:
            self._open(path)

    def _open(self, path: Path) -> None:
        now = is_being_written(path)  # asked first: it may be closed while it is read
        try:
            file = McapFile(path)
        except OSError as error:
            self.damage[path.name, 0] = f"{path.name}: {error.strerror or error}"
            return
        self.files.append(file)
        found = list(file.damage)
        if now and file.totals is None:
            self.being_written.append(path)
        else:
            if file.totals is None and file.begins_well:
                what = f"{path.name} was never closed: its end may be missing"
                self.damage[path.name, -1] = what
            if file.tail_bytes:
                found.append(f"its last {file.tail_bytes:,} bytes are cut off or cannot be read")
        for i, what in enumerate(found):
            self.damage[path.name, -2 - i] = f"{path.name}: {what}"

    def messages(self, file: McapFile, place: Place) -> list[Message]:
        """A chunk's messages; none, and a word in `damage`, if it is not whole."""
        key = file.path, place.offset
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        try:
            messages = file.messages(place)
        except DamagedError as error:
            span = f"{_clock(place.start_ns)} to {_clock(place.end_ns)} UTC"
            self._say(file, place, f"{place.length:,} bytes ({span}) cannot be read: {error}")
            messages = []
        with self._lock:
            self._held[key] = messages
            while len(self._held) > HELD:
                self._held.popitem(last=False)
        return messages

    def parts(self, file: McapFile, place: Place, stream: str) -> Iterator[Part]:
        """Each Sample of a stream in a chunk, not decoded yet."""
        messages = self.messages(file, place)  # first: it may tell of channels
        data_of, about_of = numbers(file, "data", stream), numbers(file, "sample", stream)
        data: list[Message] = []
        for message in messages:
            if message.channel in data_of:
                data.append(message)
            elif message.channel in about_of:
                for about in self.read(_about, message.data, stream, file, place):
                    yield Part(about, data, message)
                data = []

    def of_role(
        self, role: str, stream: str | None, decode: Callable[[bytes], _T]
    ) -> Iterator[tuple[str, _T]]:
        """Every message of a role, decoded, with its stream; in order."""
        for file, place in self.places(role, stream):
            messages = self.messages(file, place)
            wanted = numbers(file, role, stream)
            for message in messages:
                if message.channel in wanted:
                    of = file.tags[message.channel].stream
                    for each in self.read(decode, message.data, of or role, file, place):
                        yield of, each

    def places(self, role: str, stream: str | None) -> Iterator[tuple[McapFile, Place]]:
        """The chunks that may hold messages of a role, of one stream or of all; in order."""
        for file in self.files:
            wanted = numbers(file, role, stream)
            for place in file.chunks:
                if not place.channels or wanted & place.channels:
                    yield file, place

    def read(
        self, decode: Callable[[bytes], _T], data: bytes, of: str, file: McapFile, place: Place
    ) -> Iterator[_T]:
        """What `decode` makes of a message; nothing, and a word in `damage`, if it cannot."""
        try:
            read = decode(data)
        except Exception as error:  # whatever is wrong with one of them, there are others
            what = f"a message of {of} cannot be read: {type(error).__name__}: {error}"
            self._say(file, place, what)
            return
        yield read

    def _say(self, file: McapFile, place: Place, what: str) -> None:
        self.damage.setdefault((file.path.name, place.offset), f"{file.path.name}: {what}")

    def close(self) -> None:
        """Let go of the chunks that are held."""
        with self._lock:
            self._held.clear()


def numbers(file: McapFile, role: str, stream: str | None) -> frozenset[int]:
    """The channels of a role, of one stream or of all."""
    return frozenset(
        number
        for number, tag in file.tags.items()
        if tag.role == role and (stream is None or tag.stream == stream)
    )


def _about(data: bytes) -> dict[str, Any]:
    """What is said of a Sample, of the types that its fields have."""
    said = msgspec.json.decode(data, type=dict[str, Any])
    if not {"start_ns", "end_ns"} <= stated(Sample, said, ELSEWHERE).keys():
        raise ValueError("a sample without times")
    for key in ("lost", "messages"):
        msgspec.convert(said.get(key, 0), int)
    return said


def _clock(ns: int) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(min(ns // 10**9, 253402300799)))
