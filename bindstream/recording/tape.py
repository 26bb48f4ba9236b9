"""The recording of a run in one process: what its sensors give, and what is made of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path

from bindstream.accounts import Accounts
from bindstream.clocks.host import Clock
from bindstream.config import Config
from bindstream.config.record import RecordConfig, missing
from bindstream.errors import MissingPackageError
from bindstream.recording.facts import facts_of
from bindstream.recording.folders import run_folder
from bindstream.recording.recorder import Recorder, RecorderHealth
from bindstream.records import Alert, Embedding, Sample
from bindstream.sources.registry import is_recorded

ACCOUNTS_S = 10.0
"""How often accounts are recorded."""


class Tape:
    """Records everything of one process. Like `Recorder`, it stops no sensor.

    Args:
        record: how.
        fingerprint: of the model that makes vectors; "" where none runs: sensors alone.

    Raises:
        MissingPackageError: a library that recording needs is not installed.
    """

    def __init__(
        self, config: Config, record: RecordConfig, clock: Clock, fingerprint: str = ""
    ) -> None:
        check_installed()
        begun_ns = clock.now_ns()
        self.folder: Path = run_folder(record.path, begun_ns)
        streams = {stream.name: stream.modality for stream in config.streams}
        self._recorder = Recorder(
            self.folder,
            "sensors",
            record,
            facts_of(config, clock, begun_ns, fingerprint=fingerprint),
            sensors=streams,
            results=streams if fingerprint else None,
            played=[s.name for s in config.streams if is_recorded(s.source, s.modality)],
        )
        self._accounts_s = time.monotonic()

    def push(self, sample: Sample) -> None:
        """Readings, as they came from the source."""
        self._recorder.push(sample)

    def take(self, record: Embedding | Alert) -> None:
        self._recorder.take(record)

    def due(self, accounts: Mapping[str, Accounts], now_ns: int) -> None:
        """Record the accounts now and then."""
        if time.monotonic() - self._accounts_s >= ACCOUNTS_S:
            self._accounts_s = time.monotonic()
            self._put(accounts, now_ns)

    def _put(self, accounts: Mapping[str, Accounts], now_ns: int) -> None:
        for stream, each in accounts.items():
            self._recorder.accounts(stream, each, now_ns)

    def health(self) -> RecorderHealth:
        return self._recorder.health()

    def close(self, accounts: Mapping[str, Accounts], now_ns: int) -> None:
        """Record the last accounts and close the files. Blocks for what waits, 30 s at most."""
        self._put(accounts, now_ns)
        self._recorder.close()
        with contextlib.suppress(OSError):
            self.folder.rmdir()  # if nothing came


def check_installed() -> None:
    """That everything is there that recording needs.

    Raises:
        MissingPackageError: a library is not installed.
    """
    if name := missing():
        raise MissingPackageError(
            f"recording needs {name}, which is not installed.",
            fix="Run: pip install 'bindstream[record]'.",
        )
