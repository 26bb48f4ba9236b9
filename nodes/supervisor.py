"""The supervisor: starts a run's actors, watches over them, answers control, and drains the run."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError

from bindstream.bus import Broker
from bindstream.config import Config, EvidenceConfig
from bindstream.control import Answer, ControlServer, Request
from bindstream.errors import BindstreamError
from bindstream.metrics import MetricsServer
from bindstream.replay.transcript import TranscriptFile
from bindstream.sources.registry import is_recorded
from bindstream.state import Notebook, State, open_state
from nodes.alert_desk import AlertDesk
from nodes.books import Books
from nodes.cluster import reachable, start_ray, stop_ray
from nodes.desk import QueryDesk
from nodes.embed import EmbedHealth
from nodes.embedders import start_embedders
from nodes.encoding import QueryEncoder
from nodes.history import HistoryHealth, HistoryNode
from nodes.lining import say_gone
from nodes.match_health import MatchHealth
from nodes.matching import Matching
from nodes.notices import Notices
from nodes.placement import actor, here, homeless, placed
from nodes.recording import BusRecording
from nodes.status import actor_status, over, stream_status, troubles
from nodes.stream import StreamHealth, StreamNode
from nodes.timekeeping import Timekeeper
from nodes.watched import START_S, Watched, gather, reason
from nodes.wiring import Wiring

ASK_S = 0.2
"""How long one actor may take to say its health before the next one is asked."""
DRAIN_S = 2.0


class Supervisor:
    """Runs one configuration on Ray.

    Use as a context manager, or call `start` and `stop`. `poll` must be called about once a second;
    it is where dead and frozen actors are noticed.

    Args:
        transcript: where what comes of recordings is written down, in their order.

    Raises:
        BindstreamError: from `start`: the run cannot begin, and nothing of it is left behind.
    """

    def __init__(self, config: Config, transcript: TranscriptFile | None = None) -> None:
        self.config = config
        self._transcript = transcript
        self._lined_up = all(is_recorded(s.source, s.modality) for s in config.streams)
        self.notices: Notices  # from `start` on, which knows the run's clock
        self.start_ns = 0  # the run's nominal beginning, UTC ns; a recording's time starts there
        self._streams: list[Watched[StreamHealth]] = []
        self._embedders: list[Watched[EmbedHealth]] = []
        self._match: Watched[MatchHealth] | None = None
        self._matching: Matching | None = None
        self._desk: QueryDesk | None = None
        self._alerts: AlertDesk | None = None
        self._state: State | None = None
        self._history: Watched[HistoryHealth] | None = None
        self._books: Books | None = None
        self._recording: BusRecording | None = None
        self._broker: Broker | None = None
        self._time: Timekeeper | None = None
        self.metrics: MetricsServer | None = None
        self._control: ControlServer | None = None
        self._lock = threading.RLock()
        self._folder: Path | None = None
        self._begun_s = time.monotonic()

    def __enter__(self) -> Supervisor:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """Where the bus can be subscribed to."""
        assert self._broker is not None
        return self._broker.address

    @property
    def control(self) -> str:
        assert self._control is not None
        return self._control.address

    def start(self) -> None:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        bus = self.config.bus
        self._state, doubts = open_state(self.config)
        self._broker = Broker(bus.address, bus.inbound, bus.keys)
        self._folder = Path(tempfile.mkdtemp(prefix="bindstream-"))
        start_ray(self.config.ray)
        self._time = Timekeeper(bus)
        clock, time_at = self._time.clock, self._time.address
        self.notices = Notices(clock)
        self.notices.add(*doubts)
        inbound = reachable(self._broker.inbound)
        address = reachable(self._broker.address)
        names = frozenset(stream.name for stream in self.config.streams)
        written = self._transcript
        wiring = Wiring(
            clock, self._folder, inbound, address, bus.keys, names, self._lined_up, written, time_at
        )
        self._books = Books(wiring)
        if self.config.history is not None:  # which is to listen before anything is published
            kept = actor(HistoryNode, here()).remote(wiring, self.config.history, clock.now_ns())
            self._history = self._watched("history", kept)
        self._embedders = start_embedders(self.config, wiring)
        if (record := self.config.record) is not None:
            record = record.model_copy(update={"path": record.path.absolute()})
            self._recording = BusRecording(
                self.config, record, wiring, self._fingerprint(), self._books.of
            )
        self._matching = Matching(self.config, wiring, self._state)
        self._match = self._watched("match", self._matching.start())
        try:
            self._match.await_start()
        except RayError as error:
            raise BindstreamError(f"alerts cannot be watched for: {reason(error)}") from None
        history = self.config.history.path.absolute() if self.config.history else None
        encoder = QueryEncoder(self._embedders[0], self.config.modalities, history)
        notebook = Notebook(self._state, [*self.config.queries, *self.config.rules])
        self._desk = QueryDesk(
            self.config, encoder, self._match, self._lock, self.notices.add, notebook
        )
        self._alerts = AlertDesk(self._state, self._match, clock)
        self._desk.encode()
        self._desk.begin_match()
        # Streams of one run begin together, on a whole second, when everyone else is listening.
        self.start_ns = (clock.now_ns() // 10**9 + 2) * 10**9
        embedders = [e.name for e in self._embedders]
        for stream in self.config.streams:
            node = actor(StreamNode, placed(stream.placement))
            reel = self._recording.reel if self._recording is not None else None
            handle = node.remote(stream, wiring, self.start_ns, embedders, self._evidence, reel)
            self._streams.append(self._watched(stream.name, handle))
        if self.config.metrics is not None:
            self.metrics = MetricsServer(self.config.metrics, self.status)
        self._control = ControlServer(bus.control, self.answer, bus.keys)
        self._begun_s = time.monotonic()

    @property
    def _evidence(self) -> EvidenceConfig | None:
        """How evidence is kept; a relative folder starts from where the run was started."""
        kept = self.config.evidence
        return kept and kept.model_copy(update={"path": kept.path.absolute()})

    def _watched(self, name: str, handle: Any, start_s: float = START_S) -> Watched[Any]:
        return Watched(name, handle, local=self.config.ray.address is None, start_s=start_s)

    def poll(self) -> None:
        """Ask everyone for their health, and act on what is dead or frozen. Blocks briefly."""
        with self._lock:
            lost = homeless(self.config.streams)
            for watched in self._everyone():
                if watched.name in lost:
                    watched.excuse()
                self.notices.add(*watched.ask(ASK_S))
            if self._books is not None:
                self.notices.add(*self._books.hear(self._streams))
            health = self._match.health if self._match is not None else None
            if self._match is not None and self._matching is not None:
                say_gone(self._match.handle, self._streams, lost)
                self.notices.add(*self._matching.unjudged(self._match))
            others = {f"stream {name}": why for name, why in lost.items()}
            others |= self._time.troubles() if self._time is not None else {}
            if self._desk is not None and health is not None and health.queries is None:
                try:
                    self._desk.begin_match(ASK_S)
                except BindstreamError as error:  # asked again in the next round
                    others["match"] = error.what
            if self._recording is not None:
                self._recording.due()
                others |= self._recording.troubles()
            actors = self._streams, self._embedders, self._match, self._history
            now = troubles(*actors, before=self.notices.troubles)
            self.notices.follow(now | others, over(self._streams))

    def _everyone(self) -> list[Watched[Any]]:
        others = (self._match, self._history)
        return [*self._streams, *self._embedders, *(each for each in others if each is not None)]

    @property
    def ended(self) -> bool:
        """True once every stream was a recording and is over, or cannot be started; of recordings
        alone also when there is nobody any more who could judge them."""
        match = self._match
        if match is not None and match.failed and self._lined_up:
            return True
        if match is not None and match.health is not None and match.health.is_behind:
            return False
        return bool(self._streams) and all(
            s.failed or (s.health and s.health.ended) for s in self._streams
        )

    def status(self) -> dict[str, Any]:
        """What everyone last said, as plain data."""
        with self._lock:
            return {
                "uptime_s": time.monotonic() - self._begun_s,
                "model": {"name": self.config.model.name, "fingerprint": self._fingerprint()},
                "bus": self._broker.address if self._broker else "",
                "time": self._time.status() if self._time else {},
                "streams": {s.name: self._stream_status(s) for s in self._streams},
                "embedders": {e.name: actor_status(e) for e in self._embedders},
                "match": actor_status(self._match) if self._match else {},
                "history": actor_status(self._history) if self._history else {},
                "recording": self._recording.status() if self._recording else {},
                "queries": self._desk.listed() if self._desk else [],
                "rules": self._desk.rules.listed() if self._desk else [],
                **self.notices.status(),
            }

    def _stream_status(self, stream: Watched[StreamHealth]) -> dict[str, Any]:
        accounts = self._books.of(stream.name) if self._books is not None else None
        return stream_status(stream, self._embedders, accounts)

    def _fingerprint(self) -> str:
        health = self._embedders[0].health if self._embedders else None
        return health.model if health else ""

    def answer(self, request: Request) -> Answer:
        """Answer a control request: status, or what the desk answers."""
        if request.get("op") == "status":
            return self.status()
        assert self._desk is not None
        assert self._alerts is not None
        if str(request.get("op")).startswith("alert."):
            return self._alerts.answer(request)
        return self._desk.answer(request)

    def drain(self) -> None:
        """Stop the sensors, let what is in flight arrive, end every event. Takes under 5 s, with
        evidence to save 3 s more at most, and 4 s more where the match actor does not answer."""
        with self._lock:
            refs = {s.handle.drain.remote(DRAIN_S): s for s in self._streams}
            drained = gather(refs, DRAIN_S + 1)
            if self._books is not None:
                self.notices.add(*self._books.close(self._streams, self._embedders, drained))
            others: list[Watched[Any]] = [e for e in (self._match, self._history) if e is not None]
            ended = gather({e.handle.drain.remote(1.0): e for e in others}, 2 * DRAIN_S)
            if self._history is not None and self._history not in ended:
                self.notices.add("history did not end in time")
            self._end_alerts(ended)
            if self._evidence is not None:
                refs = {s.handle.settle_evidence.remote(DRAIN_S): s for s in self._streams}
                gather(refs, DRAIN_S + 1)
            if self._recording is not None:
                self._recording.close()

    def _end_alerts(self, drained: Sequence[Watched[Any]]) -> None:
        """Every event has ended and everybody was told, or it is said what is left."""
        if self._match is None or self._matching is None:
            return
        if self._match not in drained:
            self.notices.add(self._matching.end_instead(self._match))
        trouble = self._match.health.error if self._match.health is not None else ""
        if trouble:
            self.notices.insist(self._match.name, trouble)

    def stop(self) -> None:
        """End every process of the run; safe to call twice."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self.metrics is not None:
            self.metrics.close()
            self.metrics = None
        if ray.is_initialized():
            for watched in self._everyone():
                with contextlib.suppress(RayError):
                    ray.kill(watched.handle)
            stop_ray()
        if self._recording is not None:
            self._recording.close()
        if self._time is not None:
            self._time.close()
            self._time = None
        if self._broker is not None:
            self._broker.close()
            self._broker = None
        if self._state is not None:
            self._state.close()
            self._state = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
