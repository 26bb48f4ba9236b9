"""The match actor: subscribes to the bus like anyone else, and announces alerts."""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import ray

from bindstream.accounts import hold
from bindstream.bus import Publisher, Subscriber
from bindstream.config import SinkConfig
from bindstream.config.rule import AnyRule
from bindstream.errors import BindstreamError
from bindstream.explaining import Explainer, Explanation
from bindstream.keys import client_keys
from bindstream.latency import Latency
from bindstream.lineup import Mark
from bindstream.matcher import Query, Vectors
from bindstream.recalling import recall
from bindstream.records import Alert, Embedding, ModalityName, Score, on_run_clock
from bindstream.sinks import open_sink
from bindstream.watch import TOGETHER, Watch
from nodes.announcing import Announcer
from nodes.lining import Lining
from nodes.match_health import SHOWN_MOST, Failure, MatchHealth, armed, armed_rules, highest
from nodes.wiring import Wiring

SETTLE_S = 2.0
"""How long at the end what was recorded may still take to be judged, and a full disk to have room
for what was announced."""
TAKEOVER_S = 40.0
"""How long a restarted match actor waits for the process that it replaces to be gone."""


class MatchNode:
    """Watches the bus for every query.

    Args:
        evidence: the folder in which streams keep evidence of alerts; None if they keep none.
        state: the file of the run's state, which the supervisor holds; None if it keeps none.
    """

    def __init__(
        self,
        wiring: Wiring,
        sinks: Sequence[SinkConfig],
        evidence: Path | None = None,
        state: Path | None = None,
    ) -> None:
        self._clock = wiring.clock.here()
        # Before anything is read of what an earlier process wrote: it may still be writing.
        self._held = hold(wiring.alerts_lock, TAKEOVER_S)
        if self._held is None:
            raise BindstreamError("an earlier match actor of this run still runs.")
        self._publisher = Publisher(wiring.inbound, wiring.keys)
        actor = ray.get_runtime_context()
        again = bool(actor.get_actor_id()) and actor.was_current_actor_reconstructed
        opened = [open_sink(sink, self._publisher, again=again) for sink in sinks]
        self._announcer = Announcer(opened, state, self._clock)
        keys = client_keys(wiring.keys) if wiring.keys else None
        self._subscriber = Subscriber(wiring.address, ["emb."], keys, wiring.streams)
        self._watch: Watch | None = None
        lined_up = wiring.lined_up
        self._lining = Lining(wiring.streams, wiring.transcript) if lined_up else None
        self._model, self._foreign = "", 0
        self._evidence = evidence
        self._explainer: Explainer | None = None
        self._newest: dict[str, Embedding] = {}
        self._lock = threading.Lock()
        self._embeddings: dict[str, int] = {}
        self._alerts_of: dict[str, int] = {}
        self._latency = Latency()
        self._scores: dict[str, Sequence[Score]] = {}
        self._stopping = threading.Event()
        self._beat_s = self._heard_s = time.monotonic()
        self._failure = Failure(lasts=lined_up)
        self._notes: Sequence[str] = ()
        threading.Thread(target=self._run, name="match", daemon=True).start()

    def begin(
        self,
        background: Mapping[ModalityName, Vectors],
        phrases: Mapping[ModalityName, Sequence[str]],
        queries: Sequence[Query],
        model: str,
        history: Path | None,
        rules: Sequence[AnyRule],
        streams: Mapping[str, ModalityName],
    ) -> None:
        """Start watching; once a process.

        Args:
            phrases: the words of `background`.
            model: fingerprint, of which vectors were kept in `history`.
            streams: all of the configuration.
        """
        with self._lock:
            if self._stopping.is_set() or self._watch is not None:
                return  # it was drained meanwhile, or asked twice: its answer was late
            watch = Watch(background, streams)
            for rule in rules:
                watch.rules.put(rule)
            if history is not None:
                self._notes = recall(watch, history, model, self._clock.now_ns())
            for query in queries:
                watch.put(query)
            # Not before it is whole: one that failed half-way is asked to begin again.
            self._watch, self._model = watch, model
            self._explainer = Explainer(watch, background, phrases, self._evidence)
            self._announce(self._announcer.take_over(watch))
            self._beat_s = time.monotonic()  # its loop had to wait for this

    def contrast_with(
        self,
        background: Mapping[ModalityName, Vectors],
        phrases: Mapping[ModalityName, Sequence[str]],
    ) -> None:
        """The phrases that queries of words are contrasted with, before the first of them comes."""
        with self._lock:
            if self._watch is not None:
                self._announce(self._watch.contrast_with(background))
                self._explainer = Explainer(self._watch, background, phrases, self._evidence)

    def put(self, query: Query) -> None:
        """Add or replace a query; takes effect with the next window."""
        with self._lock:
            if self._watch is not None:
                self._announce(self._watch.put(query))
                self._announcer.memory.recall(self._watch, query.config.id)

    def remove(self, query_id: str) -> None:
        with self._lock:
            if self._watch is not None:
                self._announce(self._watch.remove(query_id))
                self._scores.clear()

    def put_rule(self, rule: AnyRule) -> None:
        """Add or replace a rule; takes effect with the next window."""
        with self._lock:
            if self._watch is not None:
                self._announce(self._watch.rules.put(rule))
                self._announcer.memory.recall(self._watch, rule.id)

    def remove_rule(self, rule_id: str) -> None:
        with self._lock:
            if self._watch is not None:
                self._announce(self._watch.rules.remove(rule_id))

    def explain(self, stream: str) -> Explanation | None:
        """What a stream shows now, and how its queries stand; None before its first window."""
        with self._lock:
            newest = self._newest.get(stream)
            if newest is None or self._explainer is None:
                return None
            return self._explainer.now(newest, self._scores.get(stream, ()), self._announcer.last)

    def judge(self, query_id: str) -> None:
        """Users said something of a query's alerts: it is in the state."""
        with self._lock:
            if self._watch is not None:
                self._announcer.memory.judge(self._watch, query_id)

    def mark(self, mark: Mark) -> int:
        """How far a stream of recordings is, returns how far the slowest is; where there are live
        streams, too, whether it is over."""
        if self._lining is not None:
            return self._lining.mark(mark)
        if (over := mark.over) is not None:
            with self._lock:
                if self._watch is not None:
                    self._announce(self._watch.rules.over(over.stream, failed=over.failed))
        return -1

    def leave(self, stream: str) -> None:
        """Wait no longer for a stream of recordings, whose node is lost, until it gives a mark."""
        if self._lining is not None:
            self._lining.leave(stream)

    def health(self) -> MatchHealth:
        with self._lock:
            watch, lining = self._watch, self._lining
            return MatchHealth(
                pid=os.getpid(),
                queries=tuple(q.config.id for q in watch.queries) if watch else None,
                embeddings=dict(self._embeddings),
                alerts=sum(self._alerts_of.values()),
                alerts_of=dict(self._alerts_of),
                missed=dict(self._subscriber.missed),
                refused=self._subscriber.refused + self._foreign + (watch.refused if watch else 0),
                warming=watch.warming()[:SHOWN_MOST] if watch else [],
                armed=armed(watch) if watch else [],
                rules=armed_rules(watch) if watch else [],
                doubts=watch.rules.doubts() if watch else [],
                latency=self._latency.summary(),
                scores=highest(self._scores.values()),
                beat_s=time.monotonic() - self._beat_s if watch else 0.0,
                error=self._wrong(),
                notes=tuple(f"match: {note}" for note in self._notes),
                is_behind=lining is not None and not lining.is_over,
                passed_ns=lining.passed_ns if lining is not None else -1,
            )

    def _wrong(self) -> str:
        lined_up = self._lining.trouble if self._lining is not None else ""
        return "; ".join(filter(None, (self._failure.what, *self._announcer.troubles, lined_up)))

    def drain(self, timeout_s: float) -> MatchHealth:
        """Wait until the bus is quiet, end every event, close the sinks, and report.

        Takes up to `timeout_s` and `SETTLE_S`. One that was never begun ends what an earlier
        process of the run had begun.
        """
        until_s = time.monotonic() + timeout_s
        while time.monotonic() < until_s and time.monotonic() - self._heard_s < 0.3:
            time.sleep(0.05)
        until_s += SETTLE_S
        if self._lining is not None:
            self._lining.end()
            while self._watch and time.monotonic() < until_s and not self._lining.is_over:
                time.sleep(0.02)
        self._stopping.set()
        with self._lock:
            if self._watch is None:
                self._watch = Watch({})
                self._announce(self._announcer.take_over(self._watch))
            self._announce(self._watch.flush())
            while self._owes(self._watch) and time.monotonic() < until_s:
                time.sleep(0.05)
            self._close()
        return self.health()

    def _owes(self, watch: Watch) -> bool:
        """Catch up with what had to wait; whether there is more."""
        self._announce(self._announcer.catch_up(watch))
        return self._announcer.is_behind

    def _close(self) -> None:
        self._announcer.close()
        self._publisher.close()
        if self._lining is not None:
            self._lining.close()
        if self._held is not None:
            self._held.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._beat_s = time.monotonic()
            came = self._received()
            try:
                with self._lock:
                    if self._stopping.is_set():
                        return  # the sinks are closed
                    self._take(came)
                    if self._watch is not None:
                        self._pass_on(self._watch, self._clock.now_ns())
                        self._owes(self._watch)
                        if came:
                            self._failure.worked()
            except Exception as error:  # one bad record must not end the watch; health says it
                self._failure.failed(error)

    def _pass_on(self, watch: Watch, now_ns: int) -> None:
        """What time does: of recordings, what their own time lets go."""
        if self._lining is None:
            self._announce(watch.due(now_ns))
            return
        for embedding, scores, alerts in self._lining.judged(watch):
            if embedding is not None:
                self._scores[embedding.stream] = scores
            self._announce(alerts)

    def _received(self) -> list[Embedding]:
        """The vectors that have come, at most `TOGETHER`; waits a moment for the first."""
        came: list[Embedding] = []
        record = self._subscriber.receive(0.2 if self._lining is None else 0.02)
        while record is not None:
            if isinstance(record, Embedding) and record.model != (self._model or record.model):
                self._foreign += 1  # of another run, or forged; no query could be held against it
            elif isinstance(record, Embedding):
                came.append(record)
            record = self._subscriber.receive(0) if len(came) < TOGETHER else None
        return came

    def _take(self, came: Sequence[Embedding]) -> None:
        if not came:
            return
        self._heard_s = time.monotonic()
        delivered_ns = self._clock.now_ns()
        taken = []
        for embedding in came:
            stages = {**embedding.stages, "delivered": delivered_ns}
            taken.append(dataclasses.replace(on_run_clock(embedding), stages=stages))
            name = embedding.stream
            self._embeddings[name] = self._embeddings.get(name, 0) + 1
            self._latency.push(stages)
            self._newest[name] = taken[-1]
        if self._lining is not None:  # of recordings it counts when things happened
            self._lining.put(on_run_clock(embedding) for embedding in came)
            return
        if self._watch is None:
            return
        for embedding, (scores, alerts) in zip(taken, self._watch.push_all(taken), strict=True):
            self._scores[embedding.stream] = scores
            self._announce(alerts)

    def _announce(self, alerts: Sequence[Alert]) -> None:
        if self._watch is None or not alerts:
            return
        alerts = [self._told(alert) for alert in alerts]
        self._announcer.announce(self._watch, alerts)
        for alert in alerts:
            if self._lining is not None:
                self._lining.told(alert)
            if alert.state == "started":
                self._alerts_of[alert.query] = self._alerts_of.get(alert.query, 0) + 1
                shown = ("closed", "delivered", "alerted")
                self._latency.push({s: t for s, t in alert.stages.items() if s in shown})

    def _told(self, alert: Alert) -> Alert:
        """An alert as it is announced."""
        now_ns = self._clock.now_ns()
        alert = dataclasses.replace(alert, stages={**alert.stages, "alerted": now_ns})
        return alert if self._explainer is None else self._explainer.explained(alert)
