"""The recording of a run on Ray: every stream actor records its sensor on its own host; what comes
over the bus, and the accounts, are recorded here, where the run was started."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bindstream.accounts import Accounts
from bindstream.bus import Subscriber
from bindstream.config import Config, StreamConfig
from bindstream.config.record import RecordConfig
from bindstream.keys import client_keys
from bindstream.recording.facts import facts_of
from bindstream.recording.folders import run_folder
from bindstream.recording.recorder import Recorder
from bindstream.recording.tape import ACCOUNTS_S, check_installed
from bindstream.sources.registry import is_recorded
from nodes.wiring import Wiring

BUS = "all.bus"
"""Names the files of what came over the bus; no stream's name has a dot."""
QUIET_S = 0.3
"""When nothing came for so long, what was in flight has arrived."""
CLOSE_S = 2.0


@dataclass(frozen=True)
class Reel:
    """What a stream actor is told of the recording: the run's folder, on whichever host, and what
    is known of the run."""

    folder: Path
    config: RecordConfig
    facts: Mapping[str, str]

    def recorder(self, stream: StreamConfig) -> Recorder:
        """The recorder of one stream's sensor."""
        played = [stream.name] if is_recorded(stream.source, stream.modality) else []
        sensors = {stream.name: stream.modality}
        return Recorder(
            self.folder, stream.name, self.config, self.facts, sensors=sensors, played=played
        )


class BusRecording:
    """Records vectors, alerts and accounts, in a thread that listens to the bus like anyone else.

    Args:
        record: how; its path is absolute.
        fingerprint: of the model.
        accounts: what is known of a stream's accounts.

    Raises:
        MissingPackageError: a library that recording needs is not installed.
    """

    def __init__(
        self,
        config: Config,
        record: RecordConfig,
        wiring: Wiring,
        fingerprint: str,
        accounts: Callable[[str], Accounts | None],
    ) -> None:
        check_installed()
        self._clock, self._accounts = wiring.clock, accounts
        begun_ns = self._clock.now_ns()
        # Files that are being written never go: all of them together take half of the room.
        share = record.keep_bytes // (2 * (len(config.streams) + 1))
        record = record.model_copy(update={"segment_bytes": min(record.segment_bytes, share)})
        facts = facts_of(config, self._clock, begun_ns, fingerprint=fingerprint)
        self.reel = Reel(run_folder(record.path, begun_ns), record, facts)
        self._streams = {stream.name: stream.modality for stream in config.streams}
        keys = client_keys(wiring.keys) if wiring.keys else None
        self._subscriber = Subscriber(wiring.address, ["emb.", "alert."], keys)
        self._recorder = Recorder(self.reel.folder, BUS, record, facts, results=self._streams)
        self._stopping = threading.Event()
        self._accounts_s = self._heard_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="recording", daemon=True)
        self._thread.start()

    def due(self) -> None:
        """Record the accounts of the streams now and then."""
        if time.monotonic() - self._accounts_s >= ACCOUNTS_S:
            self._accounts_s = time.monotonic()
            self._put()

    def close(self) -> None:
        """Wait until the bus is quiet, record the last accounts, close. Safe to call twice."""
        if self._stopping.is_set():
            return
        until_s = time.monotonic() + CLOSE_S
        while time.monotonic() < until_s and time.monotonic() - self._heard_s < QUIET_S:
            time.sleep(0.05)
        self._stopping.set()
        self._thread.join(CLOSE_S)
        self._put()
        self._recorder.close(CLOSE_S)

    def status(self) -> dict[str, Any]:
        """The run's folder, and how much of the bus was recorded, as plain data."""
        health = self._recorder.health()
        return {
            "folder": str(self.reel.folder),
            "results": health.results,
            "lost": health.lost_results,
            "disk_bytes": health.disk_bytes,
            "trouble": health.trouble,
        }

    def troubles(self) -> dict[str, str]:
        trouble = self._recorder.health().trouble
        return {"recording": trouble} if trouble else {}

    def _put(self) -> None:
        for stream in self._streams:
            if (accounts := self._accounts(stream)) is not None:
                self._recorder.accounts(stream, accounts, self._clock.now_ns())

    def _run(self) -> None:
        with self._subscriber as subscriber:
            while not self._stopping.is_set():
                record = subscriber.receive(0.2)
                if record is not None:
                    self._heard_s = time.monotonic()
                    self._recorder.take(record)
