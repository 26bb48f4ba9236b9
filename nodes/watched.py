"""An actor under watch: what it last said, and what is done when it dies or freezes."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import Any, Generic, Protocol, TypeVar

import ray
from ray.exceptions import RayError, RayTaskError

FROZEN_S = 8.0
"""An actor that answered before and now does not, or whose loop stood still, for this long is
killed."""
START_S = 60.0
"""A process that starts may be silent for this long: a busy machine takes its time to import."""


class Health(Protocol):
    """What every actor says of itself; `beat_s` is the age of its loop's last turn, 0 while it is
    at work that takes longer."""

    @property
    def pid(self) -> int: ...

    @property
    def beat_s(self) -> float: ...


H = TypeVar("H", bound=Health)


class Watched(Generic[H]):
    """One actor's handle with its last health and the number of its restarts.

    Ray restarts an actor whose process died; one that is frozen is killed first.

    Args:
        local: its process runs on this host, and can be ended even if it obeys nothing.
        start_s: how long it may be silent while it starts.
    """

    def __init__(self, name: str, handle: Any, *, local: bool, start_s: float = START_S) -> None:
        self.name = name
        self.handle = handle
        self.health: H | None = None
        self.restarts = 0
        self._local, self._start_s = local, start_s
        self._pid = 0
        self._heard_s = time.monotonic()
        self._patience_s = start_s
        self._asked: Any = None
        self._asked_s = self._heard_s
        self._told: set[str] = set()
        self.failed = ""  # why it cannot be started, which Ray does not try twice

    def await_start(self) -> None:
        """Block until its process is up and answers.

        Raises:
            RayError: it cannot be started (see `reason`), or was not within `start_s`.
        """
        self.hear(ray.get(self.handle.health.remote(), timeout=self._start_s))

    def ask(self, timeout_s: float) -> list[str]:
        """Ask for its health; returns what its user should know. Blocks up to `timeout_s`."""
        if self._asked is None:
            self._asked, self._asked_s = self.handle.health.remote(), time.monotonic()
        done, _ = ray.wait([self._asked], timeout=timeout_s)
        if done:
            self._asked = None
            try:
                return self.hear(ray.get(done[0]))
            except RayError as error:  # it died: Ray is restarting it
                if getattr(error, "actor_init_failed", False):
                    self.failed = reason(error)
                self._patience_s = self._start_s
                return []
        # Not since it was last heard: whoever asks may have been held up longer than that.
        waited_s = time.monotonic() - self._asked_s
        if waited_s > self._patience_s:
            return [self._kill(f"answered nothing for {waited_s:.0f} s")]
        return []

    def tell(self, change: Any, timeout_s: float) -> list[str]:
        """Wait until a change was taken in; returns a warning if it died or is busy, and its
        successor, or it itself, takes it in later. Blocks up to `timeout_s`.

        Args:
            change: of a call.

        Raises:
            RayTaskError: it refused the change.
        """
        try:
            ray.get(change, timeout=timeout_s)
        except RayTaskError:
            raise
        except RayError as error:
            why = reason(error).rstrip(".")
            return [f"{self.name} does not answer now; this holds as soon as it does: {why}"]
        return []

    @property
    def silent_s(self) -> float:
        """Seconds since it last answered, or was excused."""
        return time.monotonic() - self._heard_s

    def excuse(self) -> None:
        """It cannot answer, for a reason that is known: it must not be killed for that."""
        self._heard_s = self._asked_s = time.monotonic()

    def hear(self, health: H) -> list[str]:
        """Take in what it said of itself; returns what its user should know."""
        said = [note for note in getattr(health, "notes", ()) if note not in self._told]
        self._told.update(said)
        if self._pid not in (0, health.pid):
            self.restarts += 1
            said.append(f"{self.name} died and was restarted")
        self.health, self._pid = health, health.pid
        self._heard_s, self._patience_s = time.monotonic(), FROZEN_S
        if health.beat_s > FROZEN_S and not getattr(health, "ended", False):
            said.append(self._kill(f"stood still for {health.beat_s:.0f} s"))
        return said

    def _kill(self, why: str) -> str:
        self._asked, self._patience_s = None, self._start_s
        self._end(no_restart=False)
        return f"{self.name} {why} and was killed"

    def end(self) -> None:
        """Kill its process; none takes its place."""
        with contextlib.suppress(RayError):
            self._end(no_restart=True)

    def _end(self, *, no_restart: bool) -> None:
        ray.kill(self.handle, no_restart=no_restart)
        if self._local and self._pid:
            # A stopped process obeys nobody but the kernel.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self._pid, signal.SIGKILL)


def reason(error: RayError) -> str:
    """What went wrong in an actor, without Ray's account of where."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].removeprefix("bindstream.errors.") if lines else type(error).__name__


def gather(refs: dict[Any, Watched[H]], timeout_s: float) -> list[Watched[H]]:
    """Take in the answers, each a health, that come within `timeout_s`; returns who gave one."""
    done, _ = ray.wait(list(refs), num_returns=len(refs), timeout=timeout_s)
    answered = []
    for ref in done:
        with contextlib.suppress(RayError):
            refs[ref].health = ray.get(ref)
            answered.append(refs[ref])
    return answered
