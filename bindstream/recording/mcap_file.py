"""One MCAP file of a recording, read whatever became of it: cut off, with bits flipped, forged.

A file that was closed is read by its index; of any other the records are walked through, and where
that leads nowhere the next chunk is looked for. A chunk counts if its checksum holds.
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from bindstream.config.written import LONGEST_NAME, NAME
from bindstream.recording.segment import CHANNELS, FACTS, TOTALS

MAGIC = b"\x89MCAP0\r\n"
UNPACKED_MOST = 256 * 2**20
"""Bytes a chunk may have unpacked: a forged one allocates no more."""
RECORD_MOST = 64 * 2**20
"""Bytes that a record beside chunks, or an index, may have."""
HEADER, FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK, MESSAGE_INDEX, CHUNK_INDEX = range(1, 9)
STATISTICS, METADATA, METADATA_INDEX, DATA_END = 11, 12, 13, 15
_CHUNK_HEAD = struct.Struct("<BQQQQI")
"""Opcode, length, first and last log time, size unpacked, checksum."""
_ZSTD = b"\x04\x00\x00\x00zstd"
_FOOTER = struct.Struct("<BQQQI")
_MESSAGE_HEAD = struct.Struct("<HIQQ")
_STEP = 1 << 20


class Message(NamedTuple):
    """A message as it lies in a chunk; times are UTC ns on the run's clock."""

    channel: int
    log_ns: int
    publish_ns: int
    data: bytes


class Place(NamedTuple):
    """Where a chunk lies, the log times in it, and of which channels it holds messages (empty if
    that is not known)."""

    offset: int
    length: int
    start_ns: int
    end_ns: int
    channels: frozenset[int]


class Tag(NamedTuple):
    """What a channel is for."""

    role: str
    modality: str
    stream: str


class DamagedError(Exception):
    """A chunk that cannot be read; says why."""


class McapFile:
    """What a file says of itself; its chunks are read one by one with `messages`. It is not open in
    between: days of recordings are more files than a process may have open.

    `chunks` are in the order of the file; `totals` are None where it was never closed. `damage`
    says in words what could not be made sense of; `tail_bytes` after its last record are none, as
    where it was cut off, or is being written.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.facts: dict[str, str] = {}
        self.tags: dict[int, Tag] = {}
        self.totals: dict[str, str] | None = None
        self.chunks: list[Place] = []
        self.damage: list[str] = []
        self.tail_bytes = 0
        self.begins_well = True
        with path.open("rb", buffering=0) as file:
            self._number: int | None = file.fileno()
            self.size_bytes = os.fstat(self._number).st_size
            self._look()
        self._number = None

    def _look(self) -> None:
        try:
            indexed = self._read_index()
        except Exception:  # whatever is wrong with it, there is the other way
            indexed = False
        if not indexed:
            self.facts, self.tags, self.totals, self.chunks = {}, {}, None, []
            self._walk()
            if self.totals is not None:
                self.damage.append("its index is damaged, it was read without")

    def _at(self, offset: int, length: int) -> bytes:
        if not 0 <= length <= UNPACKED_MOST:
            raise DamagedError(f"{length} bytes at a time")
        if self._number is not None:
            return os.pread(self._number, length, offset)
        with self.path.open("rb", buffering=0) as file:
            return os.pread(file.fileno(), length, offset)

    def _read_index(self) -> bool:
        """Read what stands at the end of a file that was closed; False if there is no such end."""
        tail = self._at(self.size_bytes - len(MAGIC) - _FOOTER.size, _FOOTER.size + len(MAGIC))
        if self.size_bytes < 2 * len(MAGIC) + _FOOTER.size or not tail.endswith(MAGIC):
            return False
        opcode, length, start, _, checksum = _FOOTER.unpack_from(tail)
        end = self.size_bytes - len(MAGIC) - _FOOTER.size
        if (opcode, length) != (FOOTER, 20) or not 0 < start <= end < start + RECORD_MOST:
            return False
        summary = self._at(start, end - start)
        if zlib.crc32(tail[: _FOOTER.size - 4], zlib.crc32(summary)) != checksum:
            return False
        for opcode, content in _records(summary):
            self._note(opcode, content, indexed=True)
        return self.totals is not None

    def _note(self, opcode: int, content: bytes, *, indexed: bool) -> None:
        """Take in a record that is no chunk and no message."""
        from mcap import records
        from mcap.data_stream import ReadDataStream

        stream = ReadDataStream(BytesIO(content))
        if opcode == CHANNEL:
            channel = records.Channel.read(stream)
            about = channel.metadata
            if "role" in about:
                tag = Tag(*(about.get(key, "") for key in Tag._fields))
                if self._is_named(tag):
                    self.tags[channel.id] = tag
        elif opcode == CHUNK_INDEX and indexed:
            index = records.ChunkIndex.read(stream)
            self.chunks.append(
                Place(
                    index.chunk_start_offset,
                    index.chunk_length,
                    index.message_start_time,
                    index.message_end_time,
                    frozenset(index.message_index_offsets),
                )
            )
        elif opcode == METADATA_INDEX and indexed:
            there = records.MetadataIndex.read(stream)
            if there.length < RECORD_MOST:
                [(opcode, content)] = _records(self._at(there.offset, there.length))
                self._note(opcode, content, indexed=True)
        elif opcode == METADATA:
            self._note_metadata(records.Metadata.read(stream))

    def _note_metadata(self, record: Any) -> None:
        said: Mapping[str, str] = record.metadata
        if record.name == FACTS:
            self.facts = dict(said)
        elif record.name == TOTALS:
            self.totals = dict(said)
        elif record.name == CHANNELS:
            for number, tag in said.items():
                role, modality, stream = tag.split(" ", 2)
                if self._is_named(Tag(role, modality, stream)):
                    self.tags.setdefault(int(number), Tag(role, modality, stream))

    def _is_named(self, tag: Tag) -> bool:
        """Whether its stream has a name that streams may have: files are named after them."""
        good = not tag.stream or re.fullmatch(NAME, tag.stream) is not None
        what = f"{tag.stream[:LONGEST_NAME]!r} is no name of a stream, what is of it is left out"
        if not good and what not in self.damage:
            self.damage.append(what)
        return good

    def _walk(self) -> None:
        """Go through the records of a file without a good end."""
        at = len(MAGIC)
        if self._at(0, at) != MAGIC:
            self.begins_well = False
            self.damage.append("its first bytes are not those of an MCAP file")
        while at < self.size_bytes:
            step = self._step(at)
            if step == 0:  # the end of the data
                return
            if step is not None:
                at += step
                continue
            found = self._next_chunk(at + 1)
            if found is None:
                self.tail_bytes = self.size_bytes - at
                return
            self.damage.append(f"{found - at:,} bytes at {at:,} cannot be read")
            at = found

    def _step(self, at: int) -> int | None:
        """Take in the record at an offset; its length, 0 at the end of the data, None: none."""
        head = self._at(at, 9)
        if len(head) < 9:
            return None
        opcode, length = struct.unpack("<BQ", head)
        if not HEADER <= opcode <= DATA_END or at + 9 + length > self.size_bytes:
            return None
        if opcode in (DATA_END, FOOTER):
            return 0
        if opcode == CHUNK:
            place = self._place(at)
            if place is None:
                return None
            self.chunks.append(place)
        elif length > RECORD_MOST:
            return None
        elif opcode in (CHANNEL, METADATA):
            try:
                self._note(opcode, self._at(at + 9, length), indexed=False)
            except Exception as error:
                self.damage.append(f"{length:,} bytes at {at:,} cannot be read: {error}")
        return 9 + int(length)

    def _place(self, at: int) -> Place | None:
        """The chunk that begins there, if what is said of it can be true."""
        head = self._at(at, _CHUNK_HEAD.size + len(_ZSTD) + 8)
        if len(head) < _CHUNK_HEAD.size + len(_ZSTD) + 8:
            return None
        opcode, length, start_ns, end_ns, size, _ = _CHUNK_HEAD.unpack_from(head)
        packed = int.from_bytes(head[-8:], "little")
        likely = opcode == CHUNK and head[_CHUNK_HEAD.size : -8] == _ZSTD and start_ns <= end_ns
        whole = length == len(head) - 9 + packed and at + 9 + length <= self.size_bytes
        if not likely or not whole or size > UNPACKED_MOST:
            return None
        return Place(at, 9 + length, start_ns, end_ns, frozenset())

    def _next_chunk(self, at: int) -> int | None:
        """Where the next chunk begins, at or after an offset."""
        while at < self.size_bytes:
            block = self._at(at, _STEP + len(_ZSTD) - 1)
            found = block.find(_ZSTD)
            while found >= 0:
                begin = at + found - _CHUNK_HEAD.size
                if begin > 0 and self._place(begin) is not None:
                    return begin
                found = block.find(_ZSTD, found + 1)
            at += _STEP
        return None

    def messages(self, place: Place) -> list[Message]:
        """The messages of a chunk, in the order in which they were written.

        Raises:
            DamagedError: it is not whole.
        """
        try:
            return list(self._messages(self._unpacked(place)))
        except DamagedError:
            raise
        except Exception as error:
            raise DamagedError(f"{type(error).__name__}: {error}") from None

    def _unpacked(self, place: Place) -> bytes:
        import zstandard

        there = self._place(place.offset)
        if there is None or there.length != place.length or place.length > UNPACKED_MOST:
            raise DamagedError("no chunk is there")
        data = self._at(place.offset, place.length)
        _, _, _, _, size, checksum = _CHUNK_HEAD.unpack_from(data)
        packed = data[_CHUNK_HEAD.size + len(_ZSTD) + 8 :]
        # What the packed data themselves say is what is allocated.
        if zstandard.frame_content_size(packed) != size:
            raise DamagedError("its size is not what it says")
        unpacked = zstandard.ZstdDecompressor().decompress(packed)
        if zlib.crc32(unpacked) != checksum:
            raise DamagedError("its checksum is wrong")
        return unpacked

    def _messages(self, unpacked: bytes) -> Iterator[Message]:
        for opcode, content in _records(unpacked):
            if opcode == MESSAGE:
                channel, _, log_ns, publish_ns = _MESSAGE_HEAD.unpack_from(content)
                yield Message(channel, log_ns, publish_ns, content[_MESSAGE_HEAD.size :])
            elif opcode == CHANNEL:
                self._note(opcode, content, indexed=False)


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The records that lie one after another.

    Raises:
        DamagedError: the last one is not whole.
    """
    at = 0
    while at < len(data):
        opcode, length = struct.unpack_from("<BQ", data, at)
        if at + 9 + length > len(data):
            raise DamagedError("a record is longer than what it lies in")
        yield opcode, data[at + 9 : at + 9 + length]
        at += 9 + length
