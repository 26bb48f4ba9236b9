"""Figures of a run for Prometheus: what `bindstream status` shows, read anew at each scrape.

Counters count since the run began, but those of what an actor counts by itself begin anew with its
process, as counters may. Accounts never do: they are the ledgers'.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bindstream.config.metrics import MetricsConfig
from bindstream.errors import BindstreamError, MissingPackageError

if TYPE_CHECKING:
    from prometheus_client.core import Metric

Status = Mapping[str, Any]
Point = tuple[tuple[str, ...], float | None]
"""A figure's labels and value; None if it is not known yet, and left out then."""
Figures = Iterator[tuple[str, str, str, tuple[str, ...], Iterable[Point]]]
"""Kind ("counter" or "gauge"), name, what it is, names of the labels, and the points."""
QUANTILES = {"0.5": "p50", "0.99": "p99"}


class MetricsServer:
    """Answers GET /metrics until closed, in threads of its own.

    Args:
        status: a run's status; called at every scrape, from any thread.

    Raises:
        BindstreamError: the address is taken, or none of this machine's.
        MissingPackageError: prometheus_client is not installed.
    """

    def __init__(self, config: MetricsConfig, status: Callable[[], Status]) -> None:
        try:
            from prometheus_client import CollectorRegistry, start_http_server
            from prometheus_client.registry import Collector
        except ImportError as error:
            raise MissingPackageError(
                "metrics need prometheus_client, which is not installed.",
                where="metrics",
                fix="Run: pip install 'bindstream[metrics]'.",
            ) from error

        class Run(Collector):
            def collect(self) -> Iterable[Metric]:
                return families(status())

        registry = CollectorRegistry(auto_describe=False)
        try:
            self._server, self._thread = start_http_server(config.port, config.host, registry)
        except OSError as error:
            raise BindstreamError(
                f"cannot listen on {config.address} ({error.strerror or error}).",
                where="metrics.address",
                fix="Is another run using it? Stop that one or choose another port.",
            ) from None
        registry.register(Run())
        host = f"[{config.host}]" if ":" in config.host else config.host
        self.address = f"{host}:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=2)


def families(status: Status) -> Iterator[Metric]:
    """What a status says, as Prometheus wants it."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    kinds = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}
    for figures in (_run, _accounts, _sensors, _actors, _alerts, _latency, _kept):
        for kind, name, what, labels, points in figures(status):
            family = kinds[kind](f"bindstream_{name}", what, labels=labels)
            for values, value in points:
                if value is not None:
                    family.add_metric(values, value)
            yield family


def _run(status: Status) -> Figures:
    model = status["model"]
    said = (importlib.metadata.version("bindstream"), model["name"], model["fingerprint"])
    names = ("version", "model", "fingerprint")
    yield "gauge", "build_info", "What runs; always 1.", names, [(said, 1)]
    yield "gauge", "uptime_seconds", "Since the run began.", (), [((), status["uptime_s"])]


def _streams(status: Status, *path: str) -> Iterator[tuple[str, Any]]:
    """What every stream says at a path of its status, where it says anything."""
    for name, stream in status["streams"].items():
        said: Any = stream
        for key in path:
            said = said.get(key) if isinstance(said, dict) else None
        if said is not None:
            yield name, said


def _accounts(status: Status) -> Figures:
    known = list(_streams(status, "accounts"))
    captured = [((name,), said["captured"]) for name, said in known]
    yield "counter", "windows_captured", "Windows that were cut.", ("stream",), captured
    settled = [
        ((name, outcome), count)
        for name, said in known
        for outcome, count in (
            ("embedded", said["embedded"]),
            ("reused", said["reused"]),
            *said["dropped"].items(),
        )
    ]
    what = "What became of windows: embedded, reused, or the reason why they were dropped."
    yield "counter", "windows_settled", what, ("stream", "outcome"), settled
    pending = [((name,), said["pending"]) for name, said in known]
    yield "gauge", "windows_pending", "Captured and not settled yet.", ("stream",), pending
    unheard = [((name,), said["unheard_s"]) for name, said in known]
    what = "Time for which nothing at all came, so that no window was cut."
    yield "counter", "unheard_seconds", what, ("stream",), unheard


def _sensors(status: Status) -> Figures:
    readers = list(_streams(status, "intake", "reader"))
    states = [((name, said["state"]), 1) for name, said in readers]
    yield "gauge", "stream_state", "1 for the state it is in.", ("stream", "state"), states
    for key, name, what in (
        ("opens", "source_opens", "How often its device was opened."),
        ("losses", "source_losses", "How often its device was lost."),
        ("samples", "samples", "What its source read, one go each."),
        ("dropped", "samples_dropped", "Of these, dropped since nobody took them in time."),
    ):
        yield "counter", name, what, ("stream",), [((n,), said[key]) for n, said in readers]
    silent = [((name,), said["silent_s"]) for name, said in readers]
    yield "gauge", "source_silent_seconds", "Since the last sample.", ("stream",), silent
    behind = [((name,), said) for name, said in _streams(status, "intake", "behind_s")]
    what = "How far what is played has fallen behind its schedule; 0 for live sources."
    yield "gauge", "stream_behind_seconds", what, ("stream",), behind
    refused = [
        ((name, reason), count)
        for name, said in _streams(status, "intake", "refused")
        for reason, count in said.items()
    ]
    what = "Readings that were late, duplicate, invalid, or from a clock that jumped."
    yield "counter", "readings_refused", what, ("stream", "reason"), refused


def _actors(status: Status) -> Figures:
    single = {name: status[name] for name in ("match", "history") if status.get(name)}
    actors = {**status["streams"], **status["embedders"], **single}
    restarts = [((name,), said["restarts"]) for name, said in actors.items()]
    yield "counter", "actor_restarts", "Processes that died.", ("actor",), restarts
    embedders = status["embedders"].items()
    for key, name, what in (
        ("tower_cpu_s", "tower_cpu_seconds", "Processor time spent in towers."),
        ("windows", "windows_computed", "Windows that went through a tower."),
        ("batches", "batches", "Batches of them."),
    ):
        points = [((embedder,), said.get(key)) for embedder, said in embedders]
        yield "counter", name, what, ("embedder",), points


def _alerts(status: Status) -> Figures:
    match = status.get("match", {})
    points = [((query,), count) for query, count in match.get("alerts_of", {}).items()]
    yield "counter", "alerts", "Alerts that started, by query or rule.", ("query",), points
    missed = [((stream,), count) for stream, count in match.get("missed", {}).items()]
    what = "Windows that the matching never got: dropped, or lost on the bus."
    yield "gauge", "bus_missed_windows", what, ("stream",), missed
    what = "Messages and vectors that could not be used."
    yield "counter", "bus_refused", what, (), [((), match.get("refused"))]
    yield "gauge", "queries", "Queries that there are.", (), [((), len(status["queries"]))]


def _latency(status: Status) -> Figures:
    stages = status.get("match", {}).get("latency", {})
    points = [
        ((stage, quantile), times[key] / 1e3)
        for stage, times in stages.items()
        for quantile, key in QUANTILES.items()
    ]
    what = "Time that the latest windows spent in a stage."
    yield "gauge", "latency_seconds", what, ("stage", "quantile"), points


def _kept(status: Status) -> Figures:
    history = status.get("history", {}).get("kept") or {}
    for key, name, what in (
        ("vectors", "history_vectors", "Vectors in the history."),
        ("bytes", "history_bytes", "Room that the history takes."),
        ("waiting", "history_waiting_vectors", "Vectors that are not on disk yet."),
        ("flushed_s", "history_lag_seconds", "Since the history was last on disk whole."),
    ):
        yield "gauge", name, what, (), [((), history.get(key))]
    lost = [((stream,), count) for stream, count in history.get("lost", {}).items()]
    yield "counter", "history_lost_vectors", "That could not be kept.", ("stream",), lost
    evidence = list(_streams(status, "evidence"))
    for key in ("saved", "failed", "late", "gone"):
        points = [((stream,), said[key]) for stream, said in evidence]
        yield "counter", f"evidence_{key}", f"Folders of evidence: {key}.", ("stream",), points
    yield from _recording(status)


def _recording(status: Status) -> Figures:
    own = list(_streams(status, "recording"))
    for key, name, what in (
        ("written_bytes", "recording_bytes", "Recorded of a sensor, before compression."),
        ("samples", "recording_samples", "Samples recorded."),
        ("lost", "recording_lost_samples", "Samples that could not be recorded."),
    ):
        points = [((n,), count) for _, said in own for n, count in said[key].items()]
        yield "counter", name, what, ("stream",), points
    bus = status.get("recording") or {}
    what = "Vectors and alerts that could not be recorded."
    yield "counter", "recording_lost_results", what, (), [((), bus.get("lost"))]
