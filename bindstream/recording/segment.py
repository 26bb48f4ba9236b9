"""One file of a recording while it is written: chunk by chunk, each of them whole or not there."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

from bindstream.recording.channels import Channel, Key
from bindstream.recording.schemas import Written, schema

FACTS, CHANNELS, TOTALS = "bindstream", "bindstream.channels", "bindstream.totals"
"""Names of the metadata of a file: what is known of the run, its channels by their numbers, and,
once the file is closed, what it holds of each stream."""
_NEVER = 1 << 62


class Segment:
    """An MCAP file being written, locked as long as it is.

    Nothing is on the disk before `flush`, which writes one chunk and hands it to the system.

    Args:
        path: must not exist yet.
        facts: metadata of the run.

    Raises:
        OSError: it cannot be made; nothing of it is left.
    """

    def __init__(self, path: Path, channels: Iterable[Channel], facts: Mapping[str, str]) -> None:
        from mcap.writer import CompressionType, Writer

        self.path = path
        self._file = path.open("xb", buffering=0)
        self._waiting = 0
        self.whole_bytes = 0
        self._has_chunks = False
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            self._check_there()
            # A chunk ends where we say, so that what belongs together is in one.
            self._writer = Writer(_Whole(self._file), _NEVER, CompressionType.ZSTD)  # type: ignore[arg-type]
            self._writer.start(library="bindstream")
            self._writer.add_metadata(FACTS, dict(facts))
            self._ids = self._register(channels)
            self._sequence = dict.fromkeys(self._ids.values(), 0)
            self.whole_bytes = self._file.tell()
        except BaseException:
            self.abandon()
            raise

    def _register(self, channels: Iterable[Channel]) -> dict[Key, int]:
        schemas: dict[str, tuple[int, Written]] = {}
        ids: dict[Key, int] = {}
        said = {}
        for channel in channels:
            if channel.schema not in schemas:
                written = schema(channel.schema)
                number = self._writer.register_schema(written.name, written.encoding, written.data)
                schemas[channel.schema] = number, written
            number, written = schemas[channel.schema]
            about = {"role": channel.role, "stream": channel.stream, "modality": channel.modality}
            ids[channel.key] = self._writer.register_channel(
                channel.topic, written.messages, number, about
            )
            said[str(ids[channel.key])] = " ".join((channel.role, channel.modality, channel.stream))
        # Outside of chunks as well: where the first of them is damaged, the others can be read.
        self._writer.add_metadata(CHANNELS, said)
        return ids

    def add(self, key: Key, log_ns: int, publish_ns: int, data: bytes) -> int:
        """Put a message into the open chunk; returns its bytes.

        Raises:
            KeyError: there is no such channel.
        """
        number = self._ids[key]
        self._sequence[number] += 1
        self._writer.add_message(number, log_ns, data, publish_ns, self._sequence[number] % 2**32)
        self._waiting += len(data) + 31  # of a message's own head
        return len(data) + 31

    @property
    def waiting_bytes(self) -> int:
        """What the open chunk holds, before compression."""
        return self._waiting

    def flush(self) -> None:
        """Close the open chunk and hand it to the system.

        Raises:
            OSError: it could not be written, or the file was removed; it can only be abandoned
                then.
        """
        self._check_there()
        self._writer.flush()  # type: ignore[no-untyped-call]
        self._has_chunks = self._has_chunks or self._waiting > 0
        self.whole_bytes, self._waiting = self._file.tell(), 0

    def _check_there(self) -> None:
        if not os.fstat(self._file.fileno()).st_nlink:
            raise FileNotFoundError(errno.ENOENT, "its file was removed", str(self.path))

    def close(self, totals: Mapping[str, str]) -> None:
        """Write the index and let go of the file.

        Raises:
            OSError: it could not be written; the file was abandoned.
        """
        try:
            self.flush()
            self._writer.add_metadata(TOTALS, dict(totals))
            self._writer.finish()  # type: ignore[no-untyped-call]
            self._file.close()
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Let go of the file with the chunks that are whole; without any it goes."""
        if self._file.closed:
            return
        with contextlib.suppress(OSError):
            if self._has_chunks:
                os.ftruncate(self._file.fileno(), self.whole_bytes)
            else:
                self.path.unlink()
        with contextlib.suppress(OSError):
            self._file.close()


class _Whole:
    """A file that writes all it is given, or raises."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]
        return len(data)

    def tell(self) -> int:
        return self._file.tell()

    def flush(self) -> None:
        """Nothing waits here."""
