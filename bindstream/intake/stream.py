"""The sensor side of one stream: read, cut into windows, make model inputs, keep the accounts."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from bindstream.accounts import DropReason, Ledger, Published
from bindstream.change import Change
from bindstream.clocks.exchange import RunTime
from bindstream.clocks.host import Clock, Now
from bindstream.config import StreamConfig
from bindstream.embedding import Outcome
from bindstream.errors import DataError
from bindstream.features import features_for
from bindstream.features.depth import DepthGeometry
from bindstream.gate import Gate, Look
from bindstream.intake.frozen import FrozenCheck
from bindstream.intake.health import IntakeHealth
from bindstream.intake.inlet import Inlet
from bindstream.lineup import Lane, Mark
from bindstream.modalities import MODALITIES
from bindstream.records import Readings, Sample, Window
from bindstream.sources import SourceContext
from bindstream.sources.reader import ReaderHealth
from bindstream.windows import Windower

IDLE_S = 0.5
"""A live source that said nothing for this long is idle: its windows then close by the clock. While
it speaks they close by its own readings, however long those take to arrive."""


class Hearer(Protocol):
    """Is given every Sample of a stream as it came. Neither raises nor keeps a sensor waiting."""

    def push(self, sample: Sample) -> None: ...


class Intake:
    """Turns one configured stream into windows ready to be embedded.

    Args:
        config: the stream.
        clock: this host's.
        start_ns: the run's nominal beginning, UTC ns; a recording's time starts there.
        ledger: path of the stream's ledger, or None to keep it in memory.
        hearers: are given every Sample: what keeps evidence of alerts, what records.
        lined_up: every stream of the run is a recording, and its windows are judged in one order;
            `mark` has to be called again and again.
        run_time: on another host than the run's, what tells its time there: Samples of live sources
            are stamped with how far this host's clock is off it.
    """

    def __init__(
        self,
        config: StreamConfig,
        clock: Clock,
        start_ns: int,
        ledger: Path | None = None,
        hearers: Sequence[Hearer] = (),
        lined_up: bool = False,
        run_time: RunTime | None = None,
    ) -> None:
        self.config = config
        self._lane = Lane(config.name) if lined_up else None
        self.clock = clock
        self._now: Now = run_time or clock  # for stages, which hosts compare
        self._hearers = tuple(hearers)
        self.ledger = Ledger(ledger)
        modality = MODALITIES[config.modality]
        # An earlier process of this run had readings up to the end of its last window; the windows
        # that were still open then reach back by one window more.
        resume_ns = max(self.ledger.end_ns - round(modality.window_s * 1e9), 0)
        context = SourceContext(config.name, config.modality, clock, start_ns, resume_ns)
        self._inlet = Inlet(config, context, run_time)
        self._windower = Windower(
            config.name,
            config.modality,
            window_s=config.window_s,
            hop_s=config.hop_s,
            lateness_s=config.source.lateness_s,
            seq=self.ledger.next_seq,
            after_ns=self.ledger.end_ns,
        )
        chosen = config.features
        self._features = features_for(
            config.modality,
            config.name,
            span_c=chosen.span_c,
            geometry=DepthGeometry(chosen.baseline_m, chosen.focal_px, chosen.disparity_scale),
        )
        gate = config.gate
        self._gate = (
            Gate(config.modality, gate.levels(config.modality), gate.refresh_s) if gate else None
        )
        self._frozen = FrozenCheck()
        self._closed: deque[Window] = deque()
        self._raised: Exception | None = None
        self._void = ""
        self._flushed = False
        self._missing_ns: int | None = None  # since when, or since it was counted

    @property
    def recorded(self) -> bool:
        """True once a recording is open: its time comes from the file, not from the clock."""
        return self._inlet.recorded

    @property
    def silent(self) -> bool:
        """True while a live source says nothing for longer than its modality allows."""
        stale_s = MODALITIES[self.config.modality].stale_s
        return not self.recorded and self._inlet.health().silent_s > stale_s

    def start(self) -> None:
        self._missing_ns = self.clock.now_ns()
        self._inlet.start()

    def poll(self, timeout_s: float, most: int = 4) -> list[Window]:
        """Up to `most` closed windows, oldest first: model inputs, or raw and marked `same_as`.

        Waits up to `timeout_s` for readings if none is at hand. Each window is counted as captured;
        void ones are settled here and do not come out. What becomes of the others has to be said by
        `settle`.
        """
        if self._raised is not None:
            raised, self._raised = self._raised, None
            raise raised
        if not self._closed:
            self._cut(timeout_s)
        ready: list[Window] = []
        for _ in range(min(most, len(self._closed))):
            try:
                window = self._ready(self._closed.popleft())
            except Exception as error:
                if not ready:
                    raise
                self._raised = error  # next time: those before it are to be settled by somebody
                break
            ready += [window] if window is not None else []
        return ready

    def _cut(self, timeout_s: float) -> None:
        self._inlet.wait(timeout_s)
        unheard_ns = self._windower.unheard_ns
        # Of a recording no further than to its next window: whoever keeps evidence holds no more
        # than some seconds, and alerts come when the windows were judged.
        while not (self._closed and self.recorded) and (sample := self._inlet.next()) is not None:
            self._close(self._windower.push(sample), sample.offset_ns)
            for hearer in self._hearers:
                hearer.push(sample)
        if self._inlet.ended:
            if not self._flushed:
                self._flushed = True
                self._close(self._windower.flush(), 0)
        elif not self.recorded:
            reader, now_ns = self._inlet.health(), self.clock.now_ns()
            if reader.silent_s > IDLE_S:
                self._close(self._windower.due(now_ns), 0)
            self._count_missing(reader, now_ns)
        self.ledger.add_unheard(self._windower.unheard_ns - unheard_ns)

    def _count_missing(self, reader: ReaderHealth, now_ns: int) -> None:
        """While a device was never there: that it is unheard no window tells."""
        if reader.opens or self.ledger.end_ns:
            self._missing_ns = None
        elif reader.losses and self._missing_ns is not None:
            self.ledger.add_unheard(max(now_ns - self._missing_ns, 0))
            self._missing_ns = now_ns

    def _close(self, windows: list[Window], offset_ns: int) -> None:
        self._closed += windows
        if self._lane is not None:
            passed_ns = self._windower.passed_ns
            self._lane.cut(windows, passed_ns + offset_ns if passed_ns >= 0 else -1)

    def _ready(self, window: Window) -> Window | None:
        self._inlet.handed_out()
        stages = {**window.stages, "closed": self._now.now_ns()}
        window = dataclasses.replace(window, stages=stages)
        self.ledger.capture(window.seq, window.end_ns)
        return self._or_failed(self._through, window)

    def _through(self, window: Window) -> Window | None:
        """The window as a model input, or marked with the one whose vector stands for it."""
        if window.void:
            return self._input(window)
        self._frozen.push(window)
        if self._gate is None:
            return self._input(window)
        try:
            readings, look = self._glance(self._gate, window)
        except DataError:
            return self._input(window)  # which says why it is void
        same_as = self._gate.same_as(look)
        if same_as is None:
            return self._input(window, look)
        stages = {**window.stages, "gated": self._now.now_ns()}
        return dataclasses.replace(window, readings=readings, stages=stages, same_as=same_as)

    def _glance(self, gate: Gate, window: Window) -> tuple[Readings, Look]:
        readings, span_c = self._features.glance(window)
        return readings, gate.look(window, span_c)

    def _input(self, window: Window, look: Look | None = None) -> Window | None:
        """The window as a model input, to be referred to by `look`; None if it is void."""
        window = self._features.push(window)
        if window.void:
            self._void = window.void
            self._settle(window.seq, "void", window.void)
            return None
        if self._gate is not None and look is not None:
            self._gate.refer(look)
        stages = {**window.stages, "features": self._now.now_ns()}
        return dataclasses.replace(window, stages=stages)

    def settle(self, window: Window, outcome: Outcome | DropReason) -> Window | None:
        """Say what became of a window that came out of `poll` (or of here).

        Returns it as a model input if the vector that was to stand for it is not known where it
        should be: it is still pending then, and has to be embedded.
        """
        if outcome != "unknown":
            self._settle(window.seq, outcome)
            if self._gate is not None and outcome not in ("embedded", "reused"):
                self._gate.forget(window.seq)
            return None
        return self._or_failed(self._embed_after_all, window)

    def _embed_after_all(self, window: Window) -> Window | None:
        assert self._gate is not None
        assert window.same_as is not None
        self._gate.forget(window.same_as)
        _, look = self._glance(self._gate, window)
        return self._input(dataclasses.replace(window, same_as=None), look)

    def _or_failed(self, step: Callable[[Window], Window | None], window: Window) -> Window | None:
        try:
            return step(window)
        except Exception:
            self._settle(window.seq, "failed")  # or it would be pending for ever
            raise

    def close(self, published: Mapping[int, Published]) -> None:
        """The stream has ended: nothing of it is pending after this.

        Args:
            published: what is known to have become of windows that nobody answered for.
        """
        self.ledger.recover(published, "ended")
        while self._closed:  # cut, but never looked at
            window = self._closed.popleft()
            self.ledger.capture(window.seq, window.end_ns)
            self.ledger.settle(window.seq, "ended")
        if self._lane is not None:
            self._lane.close(published)
            self._end(self._lane)

    def _settle(self, seq: int, outcome: Published | DropReason, void: str = "") -> None:
        self.ledger.settle(seq, outcome)
        if self._lane is not None:
            self._lane.settle(seq, outcome, void)

    def mark(self) -> Mark:
        """How far the stream is on the line of all (see `bindstream.lineup`)."""
        assert self._lane is not None
        if self.ended:
            self._end(self._lane)
        return self._lane.mark()

    def _end(self, lane: Lane) -> None:
        over_ns = self._inlet.over_ns if self.ended else 0
        lane.end(over_ns, failed=self._inlet.health().state == "failed")

    @property
    def ended(self) -> bool:
        """True once a recording is over and its last windows were handed out."""
        return self._inlet.ended and self._flushed and not self._closed

    def health(self) -> IntakeHealth:
        refused: Counter[str] = self._windower.counts
        reader = self._inlet.health()
        if reader.state == "ended" and not self.ended:
            detail = "the recording was read; its last windows are not done yet"
            reader = dataclasses.replace(reader, state="live", detail=detail)
        return IntakeHealth(
            reader=reader,
            accounts=self.ledger.read(),
            refused=dict(refused),
            void=self._void,
            notes=self._inlet.notes,
            frozen=self._frozen.warning,
            change=_finite(self._gate.change) if self._gate else {},
            behind_s=self._inlet.behind_s(closed=bool(self._closed)),
            catching_up=self._inlet.catching_up,
        )

    def stop(self) -> None:
        self._inlet.stop(closed=bool(self._closed))


def _finite(change: Change) -> Change:
    """JSON knows no infinity."""
    return {name: amount for name, amount in change.items() if math.isfinite(amount)}
