"""The stream actor: one sensor's intake, and what it has in flight to the embedding workers."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError

from bindstream.accounts import Published, hold
from bindstream.config import EvidenceConfig, StreamConfig
from bindstream.embedding import Outcome
from bindstream.errors import BindstreamError
from bindstream.evidence import EvidenceHealth, Keeper
from bindstream.flight import Flight
from bindstream.gate import bare
from bindstream.intake import Intake, IntakeHealth
from bindstream.recording import RecorderHealth
from bindstream.records import Window
from nodes.evidence import EvidenceEar
from nodes.lining import EVERY_S, Marker
from nodes.recording import Reel
from nodes.timekeeping import run_time
from nodes.wiring import MATCH, Wiring

RECOVERY_S = 5.0
"""How long a restarted stream waits to hear what became of the windows it had in hand."""
LAST_WORD_S = 0.4
"""How long an embedding actor may take to say at the end what it published."""
FIRST_ANSWER_S = 3.0
"""How long a stream on another host than the run's waits to hear what time it is there."""
CLOSE_S = 1.5
"""How long what is to be recorded may take to be written at the end."""
TAKEOVER_S = 40.0
"""How long a restarted stream waits for the process that it replaces to be gone."""


@dataclass(frozen=True)
class StreamHealth:
    """What a stream actor says of itself.

    `node` is the id of the Ray node it runs on, `beat_s` the age of its loop's last turn; `silent`
    says that its live sensor has been so for longer than its modality allows; `evidence` and
    `recording` are None where none is kept.
    """

    pid: int
    node: str
    intake: IntakeHealth
    in_flight: int
    silent: bool
    beat_s: float
    ended: bool
    error: str
    evidence: EvidenceHealth | None = None
    recording: RecorderHealth | None = None


class StreamNode:
    """Runs one stream; Ray restarts it when its process dies, and its ledger carries on.

    Args:
        start_ns: the run's nominal beginning, UTC ns.
        embedders: names of the embedding actors, taken in turn.
        evidence: how what the sensor gives is kept around alerts; None if it is not.
        reel: where it is recorded; None if it is not.
    """

    def __init__(
        self,
        config: StreamConfig,
        wiring: Wiring,
        start_ns: int,
        embedders: Sequence[str],
        evidence: EvidenceConfig | None = None,
        reel: Reel | None = None,
    ) -> None:
        self._embedders = [ray.get_actor(name) for name in embedders]
        self._run_time = run_time(wiring)
        clock = self._run_time.here if self._run_time is not None else wiring.clock
        # Before anything is read of it: there may be a process that still writes it.
        self._held = hold(wiring.ledger(config.name), TAKEOVER_S)
        if self._held is None:
            raise BindstreamError(
                f"an earlier process of stream {config.name!r} still runs, which has its accounts."
            )
        keeper = Keeper(config, evidence) if evidence is not None else None
        self._evidence = (
            EvidenceEar(wiring, self._run_time or clock, keeper) if keeper is not None else None
        )
        self._recorder = reel.recorder(config) if reel is not None else None
        hearers = [each for each in (keeper, self._recorder) if each is not None]
        ledger, lined_up = wiring.ledger(config.name), wiring.lined_up
        self._intake = Intake(config, clock, start_ns, ledger, hearers, lined_up, self._run_time)
        self._marker = Marker(self._intake, MATCH, lined_up=lined_up)
        self._flight: Flight | None = None
        self._refs: dict[Any, Window] = {}
        self._draining = threading.Event()
        self._landed_by_s = math.inf
        self._ended = threading.Event()
        self._beat_s = time.monotonic()
        self._error = ""
        threading.Thread(target=self._run, name="stream", daemon=True).start()

    def health(self) -> StreamHealth:
        return StreamHealth(
            pid=os.getpid(),
            node=ray.get_runtime_context().get_node_id(),
            intake=self._intake.health(),
            in_flight=len(self._refs),
            silent=self._intake.silent,
            beat_s=time.monotonic() - self._beat_s,
            ended=self._ended.is_set(),
            error=self._error or (self._run_time.trouble if self._run_time is not None else ""),
            evidence=self._evidence.health() if self._evidence is not None else None,
            recording=self._recorder.health() if self._recorder is not None else None,
        )

    def drain(self, timeout_s: float) -> StreamHealth:
        """Stop the sensor, wait for what is in flight, and report.

        Takes up to `timeout_s`, and as long again as the embedding actors need for a last word on
        what has not come back by then.
        """
        self._landed_by_s = time.monotonic() + timeout_s
        self._draining.set()
        self._intake.stop()
        self._ended.wait(timeout_s + 2 * LAST_WORD_S)
        return self.health()

    def settle_evidence(self, timeout_s: float) -> StreamHealth:
        """Once every alert was announced: have the last ones saved, and report."""
        if self._evidence is not None:
            self._evidence.settle(timeout_s)
        return self.health()

    def _run(self) -> None:
        self._recover()
        if self._run_time is not None:
            self._run_time.await_first(FIRST_ANSWER_S)
        self._intake.start()
        while not (self._draining.is_set() or self._intake.ended) or self._refs:
            try:
                self._turn()
                self._error = ""
            except Exception as error:  # one bad turn must not end the stream; health says it
                self._error = f"{type(error).__name__}: {error}"
                time.sleep(1)
        unanswered = self._intake.ledger.pending()
        self._intake.close(self._published(LAST_WORD_S) if unanswered else {})
        if self._evidence is not None:
            self._evidence.end()
        if self._recorder is not None:
            self._recorder.close(CLOSE_S)
        self._marker.end()
        self._ended.set()
        while not self._draining.wait(EVERY_S):  # a match actor that is begun anew has to know
            self._marker.tell()

    def _recover(self) -> None:
        """Settle what a killed process of this stream left pending."""
        self._intake.ledger.recover(self._published(RECOVERY_S))

    def _published(self, wait_s: float) -> dict[int, Published]:
        """What became of the last windows; those that were sent so far are published no more."""
        name, before = self._intake.config.name, self._intake.ledger.next_seq
        refs: list[Any] = [e.published.remote(name, before, wait_s / 2) for e in self._embedders]
        published: dict[int, Published] = {}
        until_s = time.monotonic() + wait_s
        for ref in refs:
            try:
                published.update(ray.get(ref, timeout=max(until_s - time.monotonic(), 0)))
            except (RayError, GetTimeoutError):
                continue  # it died too: its windows are lost
        self._beat_s = time.monotonic()
        return published

    def _turn(self) -> None:
        self._beat_s = time.monotonic()
        if self._draining.is_set():
            self._land(timeout_s=0.1)
            self._abandon_waiting()
            if time.monotonic() > self._landed_by_s:
                self._refs.clear()
            return
        self._marker.tell()
        flight = self._flight
        if self._waits(flight):
            self._land(timeout_s=0.1)
        else:
            most = 1 if self._marker.lined_up else 4
            windows = self._intake.poll(0.01 if self._refs else 0.05, most)
            if flight is None and windows:
                flight = self._flight = Flight(
                    lossless=self._intake.recorded, workers=len(self._embedders)
                )
            for window in windows:
                assert flight is not None
                for dropped in flight.offer(window):
                    self._intake.settle(dropped, "overload")
        if flight is not None:
            self._launch(flight)
        self._land(timeout_s=0)

    def _waits(self, flight: Flight | None) -> bool:
        """Whether a recording must not be read on. Where all are recordings each window waits for
        the outcome of the one before, on which it may depend what its gate does."""
        if not self._marker.may_go_on:
            time.sleep(0.01)
            return True
        full = flight is not None and flight.full
        return full or (self._marker.lined_up and bool(self._refs))

    def _launch(self, flight: Flight) -> None:
        while (window := flight.launch()) is not None:
            self._send(window)

    def _send(self, window: Window) -> None:
        """To the embedding actor whose turn it is, or to the one that has the vector."""
        turn, sent = window.seq, window
        if window.same_as is not None:
            turn, sent = window.same_as, bare(window)
        embedder = self._embedders[turn % len(self._embedders)]
        try:
            ref: Any = embedder.embed.remote(sent)
        except Exception:  # no room for it: or it would be in flight for ever
            self._intake.settle(window, "failed")
            if self._flight is not None:
                self._flight.land(window.seq)
            raise
        self._refs[ref] = window

    def _land(self, timeout_s: float) -> None:
        """Settle the windows whose embedding has come back; what is unknown is sent as it is."""
        if not self._refs:
            return
        done, _ = ray.wait(list(self._refs), num_returns=1, timeout=timeout_s)
        for ref in done:
            window = self._refs.pop(ref)
            left: Window | None = None
            try:
                left = self._intake.settle(window, _outcome(ref, window))
            finally:
                if left is not None:
                    self._send(left)
                elif self._flight is not None:
                    self._flight.land(window.seq)

    def _abandon_waiting(self) -> None:
        while self._flight is not None and (window := self._flight.launch()) is not None:
            self._intake.settle(window, "ended")
            self._flight.land(window.seq)


def _outcome(ref: Any, window: Window) -> Outcome:
    try:
        outcome: Outcome = ray.get(ref)
    except Exception:  # the actor died: the readings are still here if only a vector was asked for
        return "failed" if window.same_as is None else "unknown"
    return outcome
