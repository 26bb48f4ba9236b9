"""A replay from its beginning to its end, in this process or on Ray, and what it says."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from bindstream.cli.app import errors, out, warn
from bindstream.cli.stopping import stopping
from bindstream.errors import DataError, MissingPackageError
from bindstream.replay.transcript import TranscriptFile

if TYPE_CHECKING:
    from rich.console import Console

    from bindstream.bus import Subscriber
    from bindstream.intake import IntakeHealth
    from bindstream.records import Alert
    from bindstream.replay.plan import Plan
    from nodes.supervisor import Supervisor

LOOK_S = 0.2
"""How often Ray's side is looked after."""
LAST_WORDS_S = 0.5


class Lines:
    """Where the lines of a replay go: a file (with the folders on the way to it), the standard
    output, or nowhere.

    Raises:
        DataError: the file cannot be written.
    """

    def __init__(self, to: Path | None, *, windows: bool, printed: bool) -> None:
        self.windows, self.printed = windows, printed
        self._temporary = to is None
        if to is None:
            number, name = tempfile.mkstemp(prefix="bindstream-", suffix=".jsonl")
            os.close(number)
            to = Path(name)
        self.path = to
        try:
            if not to.parent.exists():
                to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(b"")
        except OSError as error:
            what = f"it cannot be written: {error.strerror or error}."
            raise DataError(what, where=str(to)) from None

    def __enter__(self) -> Lines:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Print them if they are to be."""
        if self.printed:
            with self.path.open("rb") as written:
                for line in written:
                    sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
        if self._temporary:
            self.path.unlink(missing_ok=True)

    @property
    def console(self) -> Console:
        """Where people read: not where the lines are printed."""
        return errors if self.printed else out

    def show(self, alert: Alert) -> None:
        """An announcement, as people read it."""
        from bindstream.sinks.terminal import lines

        if not self.printed:
            out.print(lines(alert))


@dataclass
class Replayed:
    """What is to be said at the end; `status` is as the supervisor says it."""

    streams: int
    status: dict[str, Any] = field(default_factory=dict)
    windows: int = 0
    alerts: int = 0
    played_s: float = 0.0
    took_s: float = 0.0
    failed: tuple[str, ...] = ()
    troubles: list[str] = field(default_factory=list)

    def count_lost(self) -> None:
        """Windows that were cut and could not be judged, which a recording has no reason for, and
        what of it could not be read."""
        for name, stream in self.status["streams"].items():
            dropped = stream.get("intake", {}).get("accounts", {}).get("dropped", {})
            lost = {why: n for why, n in dropped.items() if n and why != "void"}
            if lost:
                counts = ", ".join(f"{n} {why}" for why, n in lost.items())
                self.troubles.append(f"{name}: windows were lost: {counts}")
        notes = (one.get("intake", {}).get("notes", {}) for one in self.status["streams"].values())
        if damaged := max((each.get("damaged", 0) for each in notes), default=0):
            places = "one place" if damaged == 1 else f"{damaged} places"
            self.troubles.append(f"the recording is damaged in {places}: `bindstream record info`")

    def report(self, console: Console) -> None:
        """Print it."""
        from bindstream.cli.tables import counted, streams_table

        console.print(streams_table(self.status))
        for trouble in self.troubles:
            warn(trouble)
        speed = self.played_s / max(self.took_s, 1e-9)
        console.print(
            f"{counted(self.windows, 'window')}, "
            f"{counted(self.alerts, 'alert')}; {self.played_s:.1f} s of recording in "
            f"{self.took_s:.1f} s, {speed:.1f} × real time.",
            highlight=False,
        )


def replay_here(planned: Plan, lines: Lines, made_by: str) -> Replayed:
    """In this process. Blocks until it is over, or Ctrl-C."""
    from bindstream.pipeline import Pipeline
    from bindstream.records import Alert

    replayed = Replayed(len(planned.config.streams))
    with TranscriptFile(lines.path, lines.windows).open() as transcript:
        with errors.status("Reading the model …"):
            pipeline = Pipeline(planned.config, transcript)
        _compare(made_by, pipeline.model.fingerprint)
        for warning in pipeline.warnings:
            warn(warning)
        with stopping() as stop, _Position(planned, lines) as position:
            records = iter(pipeline)
            for record in records:
                if isinstance(record, Alert):
                    replayed.alerts += record.state == "started"
                    lines.show(record)
                else:
                    replayed.windows += 1
                position.tell(pipeline.passed_ns)
                if stop.is_set():
                    replayed.troubles.append("ended before the recording did")
                    break
            records.close()
            position.end(replayed)
    healths = pipeline.health()
    replayed.status = {"streams": {name: _said(health) for name, health in healths.items()}}
    replayed.failed = tuple(n for n, one in healths.items() if one.reader.state == "failed")
    replayed.count_lost()
    return replayed


def replay_on_ray(planned: Plan, lines: Lines, made_by: str) -> Replayed:
    """On Ray. Blocks until it is over, or Ctrl-C."""
    from bindstream.config import BusSinkConfig

    try:
        from nodes.supervisor import Supervisor
    except ImportError as error:
        raise MissingPackageError(
            f"replaying on Ray needs {error.name}, which is not installed.",
            fix="Run: pip install 'bindstream[all]', or leave --ray out.",
        ) from error
    config = planned.config.model_copy(update={"sinks": (BusSinkConfig(kind="bus"),)})
    replayed = Replayed(len(config.streams))
    supervisor = Supervisor(config, TranscriptFile(lines.path.absolute(), lines.windows))
    with stopping() as stop, contextlib.ExitStack() as stack:
        with errors.status("Starting Ray, reading the model …"):
            stack.enter_context(supervisor)
        _compare(made_by, supervisor.status()["model"]["fingerprint"])
        _follow(planned, supervisor, lines, stop, replayed)
        replayed.status = said = supervisor.status()
    match, actors = said["match"], {**said["streams"], **said["embedders"], "match": said["match"]}
    replayed.windows = sum(match.get("embeddings", {}).values())
    replayed.alerts = match.get("alerts", 0)
    replayed.troubles += [match[key] for key in ("error", "failed") if match.get(key)]
    begun_anew = [name for name, actor in actors.items() if actor.get("restarts")]
    replayed.troubles += [f"{name} died: what it had in hand is not judged" for name in begun_anew]
    replayed.failed = tuple(name for name, one in said["streams"].items() if _failed(one))
    replayed.count_lost()
    return replayed


def _failed(stream: dict[str, Any]) -> bool:
    state = stream.get("intake", {}).get("reader", {}).get("state", "failed")
    return bool(stream["failed"]) or state == "failed"


def _follow(
    planned: Plan,
    supervisor: Supervisor,
    lines: Lines,
    stop: threading.Event,
    replayed: Replayed,
) -> None:
    """Look after a run, and show its alerts, until it is over and drained."""
    from bindstream.bus import Subscriber
    from bindstream.cli.run import say_news
    from bindstream.keys import client_keys

    keys = supervisor.config.bus.keys
    own = client_keys(keys) if keys else None
    with (
        Subscriber(supervisor.address, ["alert."], own) as heard,
        _Position(planned, lines) as position,
    ):
        while not supervisor.ended:
            if stop.is_set():
                replayed.troubles.append("ended before the recording did")
                break
            supervisor.poll()
            say_news(supervisor)
            position.tell(supervisor.status()["match"].get("passed_ns", -1))
            _show(heard, lines, LOOK_S)
        position.end(replayed)
        supervisor.drain()
        supervisor.poll()
        say_news(supervisor)
        _show(heard, lines, LAST_WORDS_S)


def _show(heard: Subscriber, lines: Lines, seconds: float) -> None:
    from bindstream.records import Alert

    end_s = time.monotonic() + seconds
    while (left_s := end_s - time.monotonic()) > 0:
        record = heard.receive(left_s)
        if isinstance(record, Alert):
            lines.show(record)


class _Position:
    """Shows where in the recording a replay is, and how fast it goes."""

    def __init__(self, planned: Plan, lines: Lines) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        # Alerts are printed above it, so both have to be on one terminal.
        console = lines.console if lines.console.is_terminal else errors
        self._start_ns, self._end_ns = planned.start_ns, planned.end_ns
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        total_s = (self._end_ns - self._start_ns) / 1e9
        self._task = self._bar.add_task("Replaying …", total=max(total_s, 1e-9))
        self._begun_s = time.monotonic()
        self._played_s = 0.0

    def tell(self, passed_ns: int) -> None:
        """Everything up to here was judged, UTC ns of capture."""
        if passed_ns < self._start_ns:
            return
        self._played_s = (min(passed_ns, self._end_ns) - self._start_ns) / 1e9
        speed = self._played_s / max(time.monotonic() - self._begun_s, 1e-9)
        at = datetime.fromtimestamp(passed_ns / 1e9)
        said = f"{at:%H:%M:%S}  {self._played_s:.0f} s  {speed:.1f} ×"
        self._bar.update(self._task, completed=self._played_s, description=said)

    def end(self, replayed: Replayed) -> None:
        """Note how far it came, and what it took."""
        replayed.took_s = time.monotonic() - self._begun_s
        whole_s = (self._end_ns - self._start_ns) / 1e9
        replayed.played_s = self._played_s if replayed.troubles else whole_s

    def __enter__(self) -> _Position:
        self._bar.start()
        self._begun_s = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def _compare(made_by: str, model: str) -> None:
    """Whether the vectors are those of the model that ran while it was recorded."""
    if made_by and made_by != model:
        what = f"the run that was recorded had the model {made_by}, this one is {model}"
        warn(what)


def _said(health: IntakeHealth) -> dict[str, Any]:
    """A stream of this process as the supervisor says one of its own."""
    intake = dataclasses.asdict(health)
    intake["accounts"]["pending"] = health.accounts.pending
    return {"intake": intake, "restarts": 0, "failed": "", "error": ""}
