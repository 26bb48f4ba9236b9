"""One thread a source: opens, reads, notices silence, reconnects for ever, never blocks a sensor.

The reader is the only place that retries. It marks the first sample after any loss with the reason
(`Sample.gap`), so that a window never spans a loss unmarked.
"""

from __future__ import annotations

import contextlib
import dataclasses
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from bindstream.errors import BindstreamError, ConfigError, MissingPackageError
from bindstream.records import Sample
from bindstream.sources import EndOfStream, Source

State = Literal["opening", "live", "stalled", "waiting", "ended", "failed"]

BACKOFF_FIRST_S = 1.0
BACKOFF_MAX_S = 30.0
OPENING_S = 10.0
"""A driver may take this long to open before it counts as frozen."""
MAILBOX_BYTES = 32 * 1024 * 1024
"""A mailbox holds at most this much: a second of pictures, many minutes of the other sensors."""
MOST_FROZEN = 4
"""Threads left behind in frozen drivers; with so many, a reader waits for one to come back."""


@dataclass(frozen=True)
class ReaderHealth:
    """What a reader knows of its device; `silent_s` is the time since the last sample, seconds."""

    state: State
    detail: str
    opens: int
    losses: int
    samples: int
    dropped: int
    silent_s: float


class Backoff:
    """Waits between tries: doubling from 1 to 30 s, each with up to 20 % of jitter."""

    def __init__(self, first_s: float = BACKOFF_FIRST_S, most_s: float = BACKOFF_MAX_S) -> None:
        self._first_s, self._most_s = first_s, most_s
        self._next_s = first_s

    def next_s(self) -> float:
        wait_s = self._next_s * (1 + 0.2 * random.random())
        self._next_s = min(2 * self._next_s, self._most_s)
        return wait_s

    def reset(self) -> None:
        self._next_s = self._first_s


class _Attempt:
    """One thread that opens and reads drivers; abandoned if a driver freezes."""

    def __init__(self, run: Callable[[_Attempt], None]) -> None:
        self.abandoned = threading.Event()
        self.thread = threading.Thread(target=run, args=(self,), name="reader", daemon=True)


class Reader:
    """Drives a source in a thread of its own and hands out what it read.

    Args:
        make: makes a fresh driver; called for every (re)opening.
        stale_s: a live source that says nothing for this long is closed and opened again.
        backoff: waits between tries; a test passes a quick one.
        capacity: samples the mailbox holds, if they are no more than `MAILBOX_BYTES`.

    A recording's samples wait in the mailbox until taken (the thread blocks), and an error ends
    it: to begin again would play the same readings twice. A live source's newest samples push out
    the oldest, and the hole is marked; it is tried again for ever.
    """

    def __init__(
        self,
        make: Callable[[], Source],
        *,
        stale_s: float = 5.0,
        backoff: Backoff | None = None,
        capacity: int = 1024,
    ) -> None:
        self._make = make
        self._stale_s = stale_s
        self._backoff = backoff or Backoff()
        self._capacity = capacity
        self._mailbox: deque[Sample] = deque()
        self._bytes = 0
        self._lock = threading.Condition()
        self._stopping = threading.Event()
        self._state: State = "opening"
        self._detail = ""
        self._opens = self._losses = self._samples = self._dropped = 0
        self._gap = ""
        self._last_s = self._heard_s = time.monotonic()
        self._attempt: _Attempt | None = None  # None while all that were started are frozen
        self._frozen: list[_Attempt] = []
        self._watcher = threading.Thread(target=self._watch, name="reader-watch", daemon=True)
        self._recorded = False

    def start(self) -> Reader:
        self._spawn()
        self._watcher.start()
        return self

    def take(self, timeout_s: float) -> list[Sample]:
        """Everything read since the last call, oldest first; waits up to `timeout_s` for some."""
        with self._lock:
            if not self._mailbox:
                self._lock.wait(timeout_s)
            taken = list(self._mailbox)
            self._mailbox.clear()
            self._bytes = 0
            self._lock.notify_all()
        return taken

    @property
    def oldest(self) -> Sample | None:
        """What has waited longest to be taken; None if nothing waits."""
        with self._lock:
            return self._mailbox[0] if self._mailbox else None

    @property
    def ended(self) -> bool:
        """True once a recording is over (or the source can never work) and all of it was taken."""
        with self._lock:
            return self._state in ("ended", "failed") and not self._mailbox

    def health(self) -> ReaderHealth:
        with self._lock:
            return ReaderHealth(
                state=self._state,
                detail=self._detail,
                opens=self._opens,
                losses=self._losses,
                samples=self._samples,
                dropped=self._dropped,
                silent_s=time.monotonic() - self._heard_s,
            )

    def stop(self) -> None:
        """Ask the thread to close the device and end; returns at once."""
        self._stopping.set()
        with self._lock:
            self._lock.notify_all()

    def join(self, timeout_s: float) -> bool:
        """After `stop`: wait for the device to be closed; False if it was not within the time."""
        until_s = time.monotonic() + timeout_s
        self._watcher.join(timeout_s)
        for attempt in [*self._frozen, *([self._attempt] if self._attempt else [])]:
            attempt.thread.join(max(until_s - time.monotonic(), 0))
            if attempt.thread.is_alive():
                return False
        return not self._watcher.is_alive()

    def _spawn(self) -> None:
        self._last_s = time.monotonic()
        self._attempt = _Attempt(self._run)
        self._attempt.thread.start()

    def _over(self, attempt: _Attempt) -> bool:
        return self._stopping.is_set() or attempt.abandoned.is_set()

    def _say(self, state: State, detail: str, attempt: _Attempt) -> None:
        with self._lock:
            if not attempt.abandoned.is_set():
                self._state, self._detail = state, detail
                self._last_s = time.monotonic()
                self._lock.notify_all()

    def _run(self, attempt: _Attempt) -> None:
        while not self._over(attempt):
            self._say("opening", self._detail, attempt)
            error = self._session(attempt)
            if error is None or self._over(attempt):
                return
            if isinstance(error, EndOfStream):
                self._say("ended", "", attempt)
                return
            # Drivers' own errors speak for themselves; of others the kind says most.
            known = isinstance(error, BindstreamError)
            why = str(error) if known else f"{type(error).__name__}: {error}"
            if self._recorded or isinstance(error, (MissingPackageError, ConfigError)):
                self._say("failed", why, attempt)
                return
            with self._lock:
                self._losses += 1
                self._gap = self._gap or why
            wait_s = self._backoff.next_s()
            self._say("waiting", f"{why} (tried again after {wait_s:.0f} s)", attempt)
            self._sleep(wait_s, attempt)

    def _session(self, attempt: _Attempt) -> Exception | None:
        """Open, read until something happens, close; returns what happened, None if told to."""
        source: Source | None = None
        try:
            source = self._make()
            self._recorded = source.recorded
            source.open()
            with self._lock:
                self._opens += 1
                self._last_s = time.monotonic()
            while not self._over(attempt):
                if samples := source.read():
                    self._put(samples, source.recorded, attempt)
        except Exception as error:
            return error
        finally:
            if source is not None:
                with contextlib.suppress(Exception):
                    source.close()
        return None

    def _put(self, samples: list[Sample], recorded: bool, attempt: _Attempt) -> None:
        with self._lock:
            while recorded and self._full() and not self._stopping.is_set():
                self._lock.wait(0.2)
            if self._over(attempt):
                return
            if self._gap:
                samples = [dataclasses.replace(samples[0], gap=self._gap), *samples[1:]]
                self._gap = ""
            self._backoff.reset()
            self._state, self._detail = "live", ""
            self._last_s = self._heard_s = time.monotonic()
            self._mailbox.extend(samples)
            self._bytes += sum(sample.data.nbytes for sample in samples)
            self._samples += len(samples)
            if not recorded:
                self._forget_oldest()
            self._lock.notify_all()

    def _full(self) -> bool:
        return len(self._mailbox) >= self._capacity or self._bytes >= MAILBOX_BYTES

    def _forget_oldest(self) -> None:
        forgotten = 0
        while len(self._mailbox) > 1 and (
            len(self._mailbox) > self._capacity or self._bytes > MAILBOX_BYTES
        ):
            self._bytes -= self._mailbox.popleft().data.nbytes
            forgotten += 1
        if forgotten:
            self._dropped += forgotten
            gap = f"{forgotten} samples came faster than they were taken"
            self._mailbox[0] = dataclasses.replace(self._mailbox[0], gap=gap)

    def _sleep(self, wait_s: float, attempt: _Attempt) -> None:
        until_s = time.monotonic() + wait_s
        while not self._over(attempt) and (left_s := until_s - time.monotonic()) > 0:
            time.sleep(min(left_s, 0.1))

    def _watch(self) -> None:
        """Notice a driver that is frozen or says nothing, leave its thread behind, start anew."""
        while not self._stopping.wait(min(0.1, self._stale_s / 2)):
            if self._state in ("ended", "failed"):
                return
            if self._attempt is not None and self._is_frozen():
                self._abandon(self._attempt)
            self._frozen = [a for a in self._frozen if a.thread.is_alive()]
            if self._attempt is None and len(self._frozen) < MOST_FROZEN:
                self._spawn()

    def _is_frozen(self) -> bool:
        if self._state == "waiting" or self._recorded:
            return False
        most_s = max(self._stale_s, OPENING_S) if self._state == "opening" else self._stale_s
        return time.monotonic() - self._last_s > most_s

    def _abandon(self, attempt: _Attempt) -> None:
        with self._lock:
            if not self._is_frozen():  # it spoke just now
                return
            attempt.abandoned.set()
            self._frozen.append(attempt)
            self._attempt = None
            silent_s = time.monotonic() - self._last_s
            self._losses += 1
            self._gap = self._gap or f"no data for {silent_s:.1f} s"
            self._state = "stalled"
            self._detail = f"no data for {silent_s:.1f} s, opening again"
            if sum(a.thread.is_alive() for a in self._frozen) >= MOST_FROZEN:
                self._detail = (
                    f"{MOST_FROZEN} tries hang in the driver: unplug the device or end the process"
                )
            self._lock.notify_all()
