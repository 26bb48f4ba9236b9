"""The recorder: whatever it is given goes to disk in a thread of its own, in files that rotate.

It stops no sensor: what comes faster than it can be written, and what a full disk has no room for,
is let go of, counted and said.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from bindstream.accounts import Accounts
from bindstream.config.record import RecordConfig
from bindstream.recording.channels import Key, result_channels, sensor_channels
from bindstream.recording.items import Item, Readings, Said, size_bytes
from bindstream.recording.results import (
    encode_accounts,
    encode_alert,
    encode_embedding,
    happened_ns,
    log_of,
)
from bindstream.recording.samples import encode_sample
from bindstream.recording.series import Series
from bindstream.records import Alert, Embedding, ModalityName, Sample

QUEUE_BYTES = 160 * 2**20
"""Readings that may wait to be written: seconds of pictures."""
QUEUE_MOST = 8192
CHUNK_BYTES = 2 * 2**20
"""A chunk is closed when it holds so much, before compression, or after `CHUNK_S`."""
CHUNK_S = 1.0
SAMPLE_BYTES_MOST = 100 * 2**20
"""What a Sample may have: a picture of 33 megapixels. Readers take chunks twice as large."""
SAID_S = 10.0
"""So long a loss is spoken of after the last one."""
PATIENCE_S = 30.0
"""Who plays a file waits so long for room."""


@dataclass(frozen=True)
class RecorderHealth:
    """What a recorder says of itself.

    `samples`, `lost`, `written_bytes` (before compression) and `cpu_s` (of one core) are by stream;
    of vectors and alerts `results` were written and `lost_results` were not. `disk_bytes` are those
    of this recorder's files, `gone` counts old files removed for room, `waiting` is what is not
    written yet; `trouble` says what goes wrong now ("" if nothing does).
    """

    folder: str
    samples: dict[str, int]
    lost: dict[str, int]
    written_bytes: dict[str, int]
    cpu_s: dict[str, float]
    results: int
    lost_results: int
    disk_bytes: int
    files: int
    gone: int
    waiting: int
    trouble: str


class Recorder:
    """Records a run, or a part of it. Any thread may give it things; none of that raises, or blocks
    but for files that are played.

    Args:
        folder: of the run, made as needed.
        name: of the files, one recorder's own: "sensors", a stream's, "bus".
        sensors: streams whose Samples come, with their modalities.
        results: streams whose vectors and accounts come; alerts come with them.
        facts: what is known of the run, see `bindstream.recording.facts`.
        played: streams that are files played, perhaps faster than they happened: whoever pushes
            their Samples waits until there is room.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        config: RecordConfig,
        facts: Mapping[str, str],
        *,
        sensors: Mapping[str, ModalityName] | None = None,
        results: Mapping[str, ModalityName] | None = None,
        played: Collection[str] = (),
    ) -> None:
        channels = sensor_channels(sensors or {})
        channels += result_channels(results) if results is not None else []
        self._config, self._played = config, frozenset(played)
        self._series = Series(folder, name, config, channels, facts)
        self._queue: deque[Item] = deque()
        self._queued_bytes = 0
        self._lock = threading.Condition()
        self._closing = False
        self._skipped: Counter[str] = Counter()
        self._unsaid: Counter[str] = Counter()
        self._samples, self._lost = Counter[str](), Counter[str]()
        self._written_bytes, self._cpu_ns = Counter[str](), Counter[str]()
        self._results = self._lost_results = 0
        self._lost_s, self._why = float("-inf"), ""
        self._chunk, self._chunk_lost = Counter[str](), Counter[str]()
        self._chunk_bytes = Counter[str]()
        self._chunk_results, self._chunk_s = 0, 0.0
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def push(self, sample: Sample) -> None:
        """Readings, as they came from the source."""
        with self._lock:
            if sample.stream in self._played:
                self._lock.wait_for(self._roomy, PATIENCE_S)
            if self._full():
                self._skipped[sample.stream] += 1
                self._lose(sample.stream, "readings came faster than they could be recorded")
                return
            self._put(Readings(sample, self._skipped.pop(sample.stream, 0)))

    def take(self, record: Embedding | Alert) -> None:
        """A vector or an alert, as it was published."""
        with self._lock:
            if self._full():
                self._lost_results += 1
                self._lost_s = time.monotonic()
                self._why = "vectors came faster than they could be recorded"
                return
            self._put(record)

    def accounts(self, stream: str, accounts: Accounts, now_ns: int) -> None:
        """A stream's accounts as they stand at a time, UTC ns."""
        with self._lock:
            if not self._full():
                self._put(Said(stream, accounts, now_ns))

    def close(self, timeout_s: float = 30.0) -> None:
        """Write what waits, close the file. Blocks, for `timeout_s` at most; safe to call twice."""
        with self._lock:
            self._closing = True
            self._lock.notify_all()
        self._thread.join(timeout_s)

    def health(self) -> RecorderHealth:
        with self._lock:
            said = self._series.trouble
            if not said and time.monotonic() - self._lost_s < SAID_S:
                many = sum(self._lost.values()) + self._lost_results
                why = f": {self._why}" if self._why else ""
                said = f"{many} readings or vectors are not in the recording{why}"
            return RecorderHealth(
                folder=str(self._series.folder),
                samples=dict(self._samples),
                lost={stream: n for stream, n in self._lost.items() if n},
                written_bytes=dict(self._written_bytes),
                cpu_s={stream: ns / 1e9 for stream, ns in self._cpu_ns.items()},
                results=self._results,
                lost_results=self._lost_results,
                disk_bytes=self._series.disk_bytes,
                files=self._series.files,
                gone=self._series.gone,
                waiting=len(self._queue),
                trouble=said,
            )

    def _roomy(self) -> bool:
        return self._queued_bytes < QUEUE_BYTES // 2 and len(self._queue) < QUEUE_MOST // 2

    def _full(self) -> bool:
        return self._closing or self._queued_bytes >= QUEUE_BYTES or len(self._queue) >= QUEUE_MOST

    def _put(self, item: Item) -> None:
        self._queue.append(item)
        self._queued_bytes += size_bytes(item)
        self._lock.notify_all()

    def _lose(self, stream: str, why: str, many: int = 1) -> None:
        self._lost[stream] += many
        self._lost_s, self._why = time.monotonic(), why

    def _run(self) -> None:
        while True:
            item = self._next()
            if item is not None:
                self._write(item)
            if self._chunk_s and (
                self._series.waiting_bytes >= CHUNK_BYTES
                or time.monotonic() - self._chunk_s >= CHUNK_S
            ):
                self._flush()
            if item is None and self._closing:
                with self._lock:
                    if not self._queue:
                        break
        self._flush()
        self._series.close()

    def _next(self) -> Item | None:
        """What came next; None when the chunk is due or nothing will come any more."""
        due_s = self._chunk_s + CHUNK_S - time.monotonic() if self._chunk_s else 1.0
        with self._lock:
            if not self._queue and not self._closing and due_s > 0:
                self._lock.wait(due_s)
            if not self._queue:
                return None
            item = self._queue.popleft()
            self._queued_bytes -= size_bytes(item)
            self._lock.notify_all()
        return item

    def _write(self, item: Item) -> None:
        """Into the open chunk; whatever goes wrong with it is counted."""
        began_ns = time.thread_time_ns()
        stream = item.sample.stream if isinstance(item, Readings) else ""
        if isinstance(item, Readings):
            self._unsaid[stream] += item.lost
        if not self._series.open():
            self._failed(stream, "")
            return
        try:
            self._add(item, stream)
        except Exception as error:  # readings that are none must not end the recording of others
            self._failed(stream, f"{type(error).__name__}: {error}")
        self._chunk_s = self._chunk_s or time.monotonic()
        if stream:
            with self._lock:
                self._cpu_ns[stream] += time.thread_time_ns() - began_ns

    def _failed(self, stream: str, why: str) -> None:
        with self._lock:
            if stream:
                self._unsaid[stream] += 1
                self._lose(stream, why)
            else:
                self._lost_results += 1
                self._lost_s, self._why = time.monotonic(), why

    def _add(self, item: Item, stream: str) -> None:
        if isinstance(item, Readings):
            sample, config, lost = item.sample, self._config, self._unsaid[stream]
            lossless = config.pictures == "lossless"
            if sample.data.nbytes > SAMPLE_BYTES_MOST:
                raise ValueError(f"a sample of {sample.data.nbytes:,} bytes is too large")
            encoded = encode_sample(sample, lossless=lossless, quality=config.quality, lost=lost)
            received_ns = max(sample.receive_ns + sample.offset_ns, 0)
            of: Key = ("data", stream)
            messages = [(of, log_ns, data) for log_ns, data in encoded.data]
            messages.append((("sample", stream), encoded.log_ns, encoded.about))
            size = self._series.add(messages, received_ns)
            self._unsaid.pop(stream, None)
            self._chunk[stream] += 1
            self._chunk_lost[stream] += lost
            self._chunk_bytes[stream] += size
            self._series.count(sample, lost)
            return
        if isinstance(item, Said):
            at_ns = max(item.at_ns, 0)
            of = ("accounts", item.stream)
            self._series.add([(of, at_ns, encode_accounts(item.accounts))], at_ns)
            return
        if isinstance(item, Embedding):
            log_ns = max(item.start_ns + item.offset_ns, 0)
            of = ("vector", item.stream)
            self._series.add([(of, log_ns, encode_embedding(item))], log_ns)
        else:
            log_ns = happened_ns(item)
            of = ("alert", "")
            self._series.add([(of, log_ns, encode_alert(item))], log_ns)
            of = ("log", "")
            self._series.add([(of, log_ns, log_of(item, log_ns))], log_ns)
        self._chunk_results += 1

    def _flush(self) -> None:
        """Close the chunk; what it held is written now, or lost."""
        began_ns = time.thread_time_ns()
        written = self._series.flush()
        took_ns = time.thread_time_ns() - began_ns
        total = sum(self._chunk_bytes.values()) or 1
        with self._lock:
            for stream, many in self._chunk.items():
                size = self._chunk_bytes[stream]
                self._cpu_ns[stream] += took_ns * size // total
                if written:
                    self._samples[stream] += many
                    self._written_bytes[stream] += size
                else:
                    self._unsaid[stream] += many + self._chunk_lost[stream]
                    self._lose(stream, "", many)
            if written:
                self._results += self._chunk_results
            elif self._chunk_results:
                self._lost_results += self._chunk_results
                self._lost_s = time.monotonic()
        for counted in (self._chunk, self._chunk_lost, self._chunk_bytes):
            counted.clear()
        self._chunk_results, self._chunk_s = 0, 0.0
