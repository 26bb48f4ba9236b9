"""bindstream run, bindstream demo: a pipeline from its beginning to its end."""

from __future__ import annotations

import json
import math
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bindstream.cli.app import FAILED, PARTIAL, app, errors, out, warn
from bindstream.cli.stopping import stopping
from bindstream.cli.tables import (
    counted,
    history_line,
    latency_table,
    recording_line,
    streams_table,
    verdicts_table,
)
from bindstream.errors import MissingPackageError

if TYPE_CHECKING:
    from bindstream.bus import Subscriber
    from bindstream.config import Config
    from bindstream.records import Alert
    from nodes.supervisor import Supervisor

_RUN_HELP = """Run a configuration until Ctrl-C, or until its recordings are over.

At the end what is in flight is finished, and the accounts of each stream are shown. A second
Ctrl-C ends at once. Exit code 1 if every stream failed, 3 if some did; a sensor
that was never there counts as failed.

Examples:

  bindstream run configs/laptop.yaml

  bindstream run configs/robot.yaml --seconds 60

  bindstream run configs/laptop.yaml --record recordings

  bindstream run configs/laptop.yaml --metrics 9464 --report report.json
"""
_DEMO_HELP = """Watch a made-up house with the starter model: no sensors needed.

Made-up sensors perceive the same scripted events; alerts come from the real pipeline. At the end
they are held against what really happened: exit code 0 only if most was found, at most one alarm
was false, and every sensor had its part.

Examples:

  bindstream demo

  bindstream demo --seed 7
"""
_LAST_WORDS_S = 0.5
"""How long alerts may still take to arrive once everything is drained."""
_KEPT = 1000
"""Announcements kept: enough for the demonstration's verdict, and a run of months stays small."""


@app.command(help=_RUN_HELP)
def run(
    config: Annotated[Path, typer.Argument(help="A YAML file; see configs/ for examples.")],
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="End after so long, in seconds.")
    ] = None,
    metrics: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            metavar="PORT",
            help="Serve figures to Prometheus at this port of 127.0.0.1, /metrics.",
        ),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Record readings, vectors and alerts in this folder."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the final status as JSON, accounts included."),
    ] = None,
) -> None:
    from bindstream.config import MetricsConfig, load_config

    read = load_config(config)
    if metrics is not None:
        served = MetricsConfig(address=f"127.0.0.1:{metrics}")
        read = read.model_copy(update={"metrics": served})
    if record is not None:
        from bindstream.cli.record import record_config

        read = read.model_copy(update={"record": record_config(read, record)})
    if report is not None:
        _check_report(report)
    ran = _run(read, seconds)
    if report is not None:
        report.write_text(json.dumps(ran.said, ensure_ascii=False, indent=2), encoding="utf-8")
    if ran.failed:
        raise typer.Exit(FAILED if len(ran.failed) == ran.streams else PARTIAL)


@app.command(help=_DEMO_HELP)
def demo(
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="End after so long, in seconds.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Another house, in which the same happens.")
    ] = None,
) -> None:
    from bindstream.config import load_config
    from bindstream.demo import (
        FALSE_MOST,
        MOST,
        contributors,
        demo_config,
        in_house,
        passed,
        verdicts,
    )

    config = load_config(demo_config())
    if seed is not None:
        config = in_house(config, seed)
    ran = _run(config, seconds)
    alerts = list(ran.alerts)
    played_s = seconds or math.inf
    judged = verdicts(config, alerts, ran.start_ns, played_s)
    out.print("\nHeld against what really happened:")
    out.print(verdicts_table(judged, config))
    for stream in config.streams:
        helped = stream.name in contributors(judged, alerts)
        out.print(
            f"{'✓' if helped else '✗'} {stream.name} ({stream.modality})"
            + ("" if helped else ": none of its alerts answered anything"),
            highlight=False,
        )
    if not passed(config, judged, alerts):
        errors.print(
            f"Not as it should be: {MOST:.0%} of the events, at most {FALSE_MOST} false alarm and "
            "a part by every sensor were expected.",
            style="red",
        )
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Ran:
    """A run that is over: its beginning (UTC ns), its latest announcements, what failed of it, and
    the status at its end."""

    start_ns: int
    alerts: deque[Alert]
    streams: int
    failed: tuple[str, ...]
    said: dict[str, Any]


def _run(config: Config, seconds: float | None) -> _Ran:
    """Run until stopped or over."""
    from bindstream.config import BusSinkConfig

    try:
        from nodes.supervisor import Supervisor
    except ImportError as error:
        raise MissingPackageError(
            f"running needs {error.name}, which is not installed.",
            fix="Run: pip install 'bindstream[all]'.",
        ) from error
    shown = any(sink.kind == "terminal" for sink in config.sinks)
    # Alerts are shown by this process, an actor has no terminal: they come over the bus.
    sinks = tuple(sink for sink in config.sinks if sink.kind not in ("terminal", "bus"))
    config = config.model_copy(update={"sinks": (*sinks, BusSinkConfig(kind="bus"))})
    compiling = "; compiling the towers takes minutes" if config.model.compile else ""
    streams = counted(len(config.streams), "stream")
    out.print(f"Starting {streams}{compiling} …", highlight=False)
    with stopping() as stop, Supervisor(config) as supervisor:
        for line in _computing(supervisor.status()):
            out.print(line, markup=False, highlight=False)
        out.print(
            f"Listening for {counted(len(config.queries), 'query', 'queries')}. "
            f"Bus {supervisor.address}, "
            f"control {supervisor.control}. Ctrl-C ends it.",
            highlight=False,
        )
        if supervisor.metrics is not None:
            out.print(f"Figures at http://{supervisor.metrics.address}/metrics.", highlight=False)
        alerts = _watch(supervisor, stop, seconds, shown)
        said = supervisor.status()
    out.print(streams_table(said))
    out.print(latency_table(said))
    out.print(history_line(said))
    out.print(recording_line(said))
    failed = tuple(name for name, stream in said["streams"].items() if _failed(stream))
    return _Ran(supervisor.start_ns, alerts, len(config.streams), failed, said)


def _check_report(path: Path) -> None:
    """Better now than after a run of days."""
    from bindstream.errors import ConfigError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
    except OSError as error:
        raise ConfigError(
            f"it cannot be written: {error.strerror}.",
            where=str(path),
            fix="Choose a place that you may write to.",
        ) from None


def _computing(said: dict[str, Any]) -> list[str]:
    """What the model's towers compute in, and why: a line for embedders that do alike."""
    model, together = said["model"], dict[tuple[str, ...], list[str]]()
    for name, embedder in said["embedders"].items():
        together.setdefault(embedder.get("reasons", ()), []).append(name)
    whose = (f" ({', '.join(names)})" if len(together) > 1 else "" for names in together.values())
    return [
        f"Model {model['name']} {model['fingerprint']}{who}: {'; '.join(reasons)}."
        for reasons, who in zip(together, whose, strict=True)
    ]


def _failed(stream: dict[str, Any]) -> bool:
    """Whether its process could not be started, or its source can never work or was never there."""
    if stream["failed"] or "intake" not in stream:
        return bool(stream["failed"])
    state, opens = (stream["intake"]["reader"][key] for key in ("state", "opens"))
    return bool(state == "failed" or (state == "waiting" and opens == 0))


def _watch(
    supervisor: Supervisor, stop: threading.Event, seconds: float | None, shown: bool
) -> deque[Alert]:
    """Poll the run and show its alerts until it is over; drains it. Returns the latest ones."""
    from bindstream.bus import Subscriber
    from bindstream.keys import client_keys

    keys = supervisor.config.bus.keys
    own = client_keys(keys) if keys else None
    alerts: deque[Alert] = deque(maxlen=_KEPT)
    until_s = time.monotonic() + seconds if seconds else float("inf")
    with Subscriber(supervisor.address, ["alert."], own) as subscriber:
        while not stop.is_set() and not supervisor.ended and time.monotonic() < until_s:
            supervisor.poll()
            say_news(supervisor)
            alerts += _hear(subscriber, min(1.0, until_s - time.monotonic()), shown, stop)
        supervisor.drain()
        supervisor.poll()
        say_news(supervisor)
        alerts += _hear(subscriber, _LAST_WORDS_S, shown)
    return alerts


def say_news(supervisor: Supervisor) -> None:
    """Print what users should know since the last time."""
    for notice in supervisor.notices.news():
        at = time.strftime("%H:%M:%S", time.localtime(notice.at_ns / 1e9))
        warn(f"{at} {notice.what}")


def _hear(
    subscriber: Subscriber, seconds: float, shown: bool, stop: threading.Event | None = None
) -> list[Alert]:
    """The alerts of the next `seconds`, printed as they come if `shown`."""
    from bindstream.records import Alert
    from bindstream.sinks.terminal import lines

    heard: list[Alert] = []
    end_s = time.monotonic() + seconds
    while (left_s := end_s - time.monotonic()) > 0 and not (stop and stop.is_set()):
        record = subscriber.receive(min(left_s, 0.2))
        if isinstance(record, Alert):
            heard.append(record)
            if shown:
                out.print(lines(record))
    return heard
