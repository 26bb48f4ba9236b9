"""The whole path in one process: for notebooks, tests and recordings. No Ray, no sockets."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

from bindstream.accounts import Accounts
from bindstream.clocks.host import Clock
from bindstream.config import Config, load_config
from bindstream.embedding import Embedder
from bindstream.errors import BindstreamError
from bindstream.evidence import EvidenceHealth, Keeper
from bindstream.explaining import Explainer
from bindstream.history.writer import Writer, writer_for
from bindstream.intake import Hearer, Intake, IntakeHealth
from bindstream.lineup import Lineup, Over, Stood, Tick
from bindstream.models import load_model
from bindstream.models.keeping import TextKeeping
from bindstream.queries import check_heard, doubts, encode_query, examples_for, taught_of
from bindstream.recalling import recall
from bindstream.recording.recorder import RecorderHealth
from bindstream.recording.tape import Tape
from bindstream.records import Alert, Embedding, Window, on_run_clock
from bindstream.replay.judging import judge
from bindstream.replay.transcript import Transcript
from bindstream.sources.registry import is_recorded
from bindstream.state import Memory, Notebook, open_state
from bindstream.state.standing import Standing, Start, usable
from bindstream.watch import Watch


class Pipeline:
    """Runs a configuration here and now; iterate over it for embeddings and alerts.

    >>> for record in Pipeline("configs/demo.yaml"):
    ...     if isinstance(record, Alert):
    ...         print(record.text, record.stream)

    Streams of recordings end by themselves; live ones go on until the loop is left. Windows are
    embedded one by one. Live ones come in the order in which they closed; where every stream is a
    recording all comes in the order of `bindstream.lineup`, the same each time. A stream that fails
    ends, or is tried again, without stopping the others: `warnings` says so.

    Args:
        transcript: is given windows and alerts of recordings in their order.

    Raises:
        BindstreamError: the configuration or the model cannot be used.
    """

    def __init__(self, config: Config | str | Path, transcript: Transcript | None = None) -> None:
        self._transcript = transcript
        self.config = config if isinstance(config, Config) else load_config(Path(config))
        self.clock = Clock.read()
        start = self._start()
        watched = tuple(each.config for each in start.queries if not each.paused)
        towers = self.config.model_copy(update={"queries": watched}).towers
        model = self.config.model
        self.model = load_model(
            model.name,
            modalities=towers,
            device=model.device,
            threads=model.threads,
            precision=model.precision,
            compile=model.compile,
        )
        self._keeping = TextKeeping(self.model, model.keep_text_s)
        self._embedder = Embedder(self.model, self.clock)
        texts = {
            modality: phrases
            for modality in (self.config.modalities if "text" in towers else ())
            if (phrases := self.model.background(modality))
        }
        background = {of: self.model.encode_text(phrases) for of, phrases in texts.items()}
        streams = {stream.name: stream.modality for stream in self.config.streams}
        self._watch = Watch(background, streams)
        evidence = self.config.evidence.path if self.config.evidence else None
        self._explainer = Explainer(self._watch, background, texts, evidence)
        self._doubts = [f"{tower}: {what}" for tower, what in self.model.warnings.items()]
        self._doubts += start.notes
        if self.config.history is not None:
            folder, now_ns = self.config.history.path, self.clock.now_ns()
            self._doubts += recall(self._watch, folder, self.model.fingerprint, now_ns)
        for each in start.queries:
            if not each.paused:
                self._put(each)
        self._put_rules(start)
        self._memory = Memory(None)
        self._intakes: list[Intake] = []
        self._keepers: dict[str, Keeper] = {}
        self._history: Writer | None = None
        self._tape: Tape | None = None
        self._lineup: Lineup | None = None
        self._recorded = all(is_recorded(s.source, s.modality) for s in self.config.streams)

    def _start(self) -> Start:
        """The queries and rules to watch for, and what is to be said of them."""
        filed = [*self.config.queries, *self.config.rules]
        state, doubts = open_state(self.config)
        with contextlib.closing(state) if state else contextlib.nullcontext():
            start = Notebook(state, filed).start()
        return dataclasses.replace(start, notes=(*start.notes, *doubts))

    def _put(self, standing: Standing) -> None:
        query, sent = standing.config, standing.sent
        kept = self.config.history.path if self.config.history is not None else None
        try:
            examples = examples_for(query, self.model, kept, sent.get("examples"))
            taught = taught_of(query, sent.get("taught"))
            text, made_by = self.model.encode_text, self.model.fingerprint
            encoded = encode_query(query, text, made_by, taught, examples, self.model.dim)
            check_heard(encoded.config, self.config.streams)
        except BindstreamError as error:
            if standing.is_filed:
                raise
            what = f"query {query.id!r}, given while running, is left out: {error}"
            self._doubts.append(what)
            return
        self._watch.put(encoded)
        unknown = [word for text in query.texts for word in self.model.unknown_words(text)]
        self._doubts += doubts(query, unknown)

    def _put_rules(self, start: Start) -> None:
        """For after the queries: a rule given while running may be of one that is gone."""
        queries = {query.config.id for query in self._watch.queries}
        queries |= {each.config.id for each in start.queries if each.paused}
        modality_of = {stream.name: stream.modality for stream in self.config.streams}
        rules, left_out = usable(start.rules, queries, modality_of)
        self._doubts += left_out
        for each in rules:
            if not each.paused:
                self._watch.rules.put(each.config)

    def __iter__(self) -> Generator[Embedding | Alert, None, None]:
        self._memory = Memory(open_state(self.config)[0])
        start_ns = (self.clock.now_ns() // 10**9 + 1) * 10**9
        if (kept := self.config.evidence) is not None:
            self._keepers = {s.name: Keeper(s, kept) for s in self.config.streams}
        if (record := self.config.record) is not None:
            self._tape = Tape(self.config, record, self.clock, self.model.fingerprint)
        self._lineup = Lineup(s.name for s in self.config.streams) if self._recorded else None
        self._intakes = [
            Intake(
                stream,
                self.clock,
                start_ns,
                hearers=self._hearers(stream.name),
                lined_up=self._recorded,
            )
            for stream in self.config.streams
        ]
        for intake in self._intakes:
            intake.start()
        if self.config.history is not None:
            self._history = writer_for(self.config.history, self.clock.now_ns())
        try:
            yield from self._delivered(self._memory.untold(self.clock.now_ns()))
            yield from self._announced(self._memory.begin(self._watch))
            lineup = self._lineup
            yield from self._as_they_come() if lineup is None else self._in_order(lineup)
            yield from self._announced(self._watch.flush())
        finally:
            for intake in self._intakes:
                intake.stop()
            for keeper in self._keepers.values():
                keeper.end(self.clock.now_ns())
            if self._history is not None:
                self._history.close(self.clock.now_ns())
            if self._tape is not None:
                self._tape.close(self._accounts(), self.clock.now_ns())
            self._memory.close()

    def _hearers(self, stream: str) -> list[Hearer]:
        """Who is given what a stream's sensor gives."""
        keeper = self._keepers.get(stream)
        return [hearer for hearer in (keeper, self._tape) if hearer is not None]

    def _accounts(self) -> dict[str, Accounts]:
        return {intake.config.name: intake.ledger.read() for intake in self._intakes}

    def _as_they_come(self) -> Iterator[Embedding | Alert]:
        running = list(self._intakes)
        while running:
            for intake in running:
                for window in intake.poll(0.05 / len(running)):
                    for embedding in self._embedded(intake, window):
                        yield self._kept(embedding)
                        yield from self._announced(self._watch.push(embedding)[1])
            for intake in [each for each in running if each.ended]:
                running.remove(intake)
                failed = intake.health().reader.state == "failed"
                over = self._watch.rules.over(intake.config.name, failed=failed)
                yield from self._announced(over)
            self._keep_up()
            if any(not intake.recorded for intake in running):
                yield from self._announced(self._watch.due(self.clock.now_ns()))

    def _in_order(self, lineup: Lineup) -> Iterator[Embedding | Alert]:
        """Recordings alone. Whoever is furthest behind goes on: nobody else could let anything go,
        and what waits stays little."""
        until_ns = dict.fromkeys(self._intakes, -1)
        while until_ns:
            behind = min(until_ns, key=lambda intake: until_ns[intake])
            for window in behind.poll(0.05, most=1):
                for embedding in self._embedded(behind, window):
                    lineup.put(embedding)
            mark = behind.mark()
            lineup.mark(mark)
            until_ns[behind] = mark.until_ns
            if mark.over is not None:
                del until_ns[behind]
            for what in lineup.ready():
                yield from self._passed(what)
            self._keep_up()

    def _passed(self, what: Stood | Over | Tick) -> Iterator[Embedding | Alert]:
        """What the line lets go."""
        embedding, _, alerts = judge(what, self._watch, self._transcript)
        if embedding is not None:
            yield self._kept(embedding)
        yield from self._announced(alerts)

    def _keep_up(self) -> None:
        """What is to be done now and then."""
        self._save_evidence()
        self._keeping.due(time.monotonic())
        self._memory.due(self._watch, self.clock.now_ns())
        if self._history is not None:
            self._history.due(self.clock.now_ns())
        if self._tape is not None:
            self._tape.due(self._accounts(), self.clock.now_ns())

    def _save_evidence(self) -> None:
        """What is due of it; a recording that is over gives no more to wait for."""
        now_ns = self.clock.now_ns()
        for intake in self._intakes:
            if (keeper := self._keepers.get(intake.config.name)) is not None:
                if intake.ended:
                    keeper.end(now_ns)
                else:
                    keeper.due(now_ns)

    def _embedded(self, intake: Intake, window: Window) -> Iterator[Embedding]:
        left: Window | None = window
        while left is not None:
            embedding, outcome = self._embedder.take(left)
            left = intake.settle(left, outcome)
            if embedding is not None:
                yield on_run_clock(embedding)

    def _kept(self, embedding: Embedding) -> Embedding:
        """The same, once it is where vectors are kept."""
        if self._history is not None:
            self._history.push(embedding)
        if self._tape is not None:
            self._tape.take(embedding)
        return embedding

    def _announced(self, alerts: Iterable[Alert]) -> Iterator[Alert]:
        told = []
        for alert in alerts:
            stages = {**alert.stages, "alerted": self.clock.now_ns()}
            told.append(self._explainer.explained(dataclasses.replace(alert, stages=stages)))
        self._memory.keep(self._watch, told)
        return self._delivered(told)

    def _delivered(self, alerts: Iterable[Alert]) -> Iterator[Alert]:
        for alert in alerts:
            if self._transcript is not None:
                self._transcript.alert(alert)
            if self._tape is not None:
                self._tape.take(alert)
            for keeper in self._keepers.values():
                keeper.take(alert, self.clock.now_ns())
            try:
                yield alert
            finally:  # whoever is asked has it now, and may go
                self._memory.told([alert])

    @property
    def passed_ns(self) -> int:
        """How far recordings were judged, UTC ns of capture; -1 at first, and of live streams."""
        return -1 if self._lineup is None else self._lineup.passed_ns

    @property
    def warnings(self) -> list[str]:
        """What cannot be trusted now: words that the model has never seen, towers whose golden
        vectors differ, sensors that are gone, frozen, or give what cannot be embedded, a history,
        a state or a recording that is not written, evidence that could not be saved, a host's clock
        that was set, rules that cannot work as they are."""
        healths = self.health()
        gone = [
            f"{name}: {health.reader.state}: {health.reader.detail}"
            for name, health in healths.items()
            if health.reader.state in ("waiting", "stalled", "failed")
        ]
        frozen = [f"{name}: {health.frozen}" for name, health in healths.items() if health.frozen]
        wrong = [f"{name}: {what}" for name, what in self._embedder.warnings.items()]
        kept = self._history.health(self.clock.now_ns()) if self._history else None
        said = [f"history: {what}" for what in (*kept.notes, kept.trouble) if what] if kept else []
        lost = [kept.trouble for kept in self.evidence().values() if kept.trouble]
        rules = self._watch.rules.doubts()
        others = [what for what in (self._memory.trouble, self.clock.trouble()) if what]
        if (recorded := self.recording()) is not None and recorded.trouble:
            others.append(f"recording: {recorded.trouble}")
        return [*self._doubts, *gone, *frozen, *wrong, *said, *lost, *others, *rules]

    def evidence(self) -> dict[str, EvidenceHealth]:
        """What each stream says of the evidence it keeps; nothing where none is kept."""
        return {name: keeper.health() for name, keeper in self._keepers.items()}

    def recording(self) -> RecorderHealth | None:
        """What is said of the recording; None where nothing is recorded."""
        return self._tape.health() if self._tape is not None else None

    def health(self) -> dict[str, IntakeHealth]:
        """What each stream's sensor side says of itself, accounts included."""
        return {intake.config.name: intake.health() for intake in self._intakes}

    def tower_s(self) -> dict[str, float]:
        """For each stream the mean time in the tower of a window that was computed, seconds."""
        return self._embedder.tower_s()
