"""Figures for Prometheus: what the status says, no more and no less, to those who may read it."""

from __future__ import annotations

import socket
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bindstream.accounts import DROP_REASONS, Accounts
from bindstream.config import MetricsConfig, check_config
from bindstream.errors import BindstreamError
from bindstream.metrics import MetricsServer, families

prometheus_client = pytest.importorskip("prometheus_client")
from prometheus_client.parser import text_string_to_metric_families  # noqa: E402

ACCOUNTS = Accounts(20, 7, 3, dict.fromkeys(DROP_REASONS, 0) | {"overload": 6, "void": 1}, 2.5)


def status(**over: Any) -> dict[str, Any]:
    reader = {
        "state": "live",
        "detail": "",
        "opens": 2,
        "losses": 1,
        "samples": 900,
        "dropped": 4,
        "silent_s": 0.25,
    }
    kitchen = {
        "accounts": ACCOUNTS.plain(),
        "intake": {"reader": reader, "refused": {"late": 3}, "behind_s": 12.5},
        "restarts": 1,
        "evidence": None,
        "recording": {"written_bytes": {"kitchen": 5000}, "samples": {"kitchen": 50}, "lost": {}},
    }
    match = {
        "alerts_of": {"a-dog": 2},
        "missed": {"kitchen": 7},
        "refused": 1,
        "latency": {"embedded": {"n": 10, "p50": 12.0, "p99": 48.0}},
        "restarts": 3,
    }
    embedder = {"tower_cpu_s": 4.5, "windows": 7, "batches": 5, "restarts": 0}
    return {
        "uptime_s": 60.0,
        "model": {"name": "starter", "fingerprint": "f1"},
        "streams": {"kitchen": kitchen, "door": {"accounts": None, "restarts": 0, "failed": ""}},
        "embedders": {"embed-0": embedder, "embed-1": {"restarts": 0}},
        "match": match,
        "history": {"kept": None, "restarts": 0},
        "recording": {"lost": 2},
        "queries": [{"id": "a-dog"}],
        **over,
    }


def points(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample of an exposition by its name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scraped(server: MetricsServer) -> str:
    with urllib.request.urlopen(f"http://{server.address}/metrics", timeout=20) as answer:
        return str(answer.read().decode())


@pytest.fixture
def found() -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    server = MetricsServer(MetricsConfig(address="127.0.0.1:0"), status)
    try:
        return points(scraped(server))
    finally:
        server.close()


def test_the_accounts_balance_in_what_is_scraped(found: Any) -> None:
    stream = ("stream", "kitchen")
    assert found["bindstream_windows_captured_total", (stream,)] == 20
    settled = {
        dict(labels)["outcome"]: value
        for (name, labels), value in found.items()
        if name == "bindstream_windows_settled_total"
    }
    assert settled == {"embedded": 7, "reused": 3, **ACCOUNTS.dropped}
    pending = found["bindstream_windows_pending", (stream,)]
    assert pending == 3 == 20 - sum(settled.values())
    assert found["bindstream_unheard_seconds_total", (stream,)] == 2.5


def test_what_else_the_status_says_is_there_in_units_of_the_base(found: Any) -> None:
    for name, labels, value in (
        ("readings_refused_total", {"stream": "kitchen", "reason": "late"}, 3),
        ("stream_behind_seconds", {"stream": "kitchen"}, 12.5),
        ("source_losses_total", {"stream": "kitchen"}, 1),
        ("actor_restarts_total", {"actor": "match"}, 3),
        ("alerts_total", {"query": "a-dog"}, 2),
        ("bus_missed_windows", {"stream": "kitchen"}, 7),
        ("latency_seconds", {"stage": "embedded", "quantile": "0.99"}, 0.048),
        ("tower_cpu_seconds_total", {"embedder": "embed-0"}, 4.5),
        ("recording_bytes_total", {"stream": "kitchen"}, 5000),
        ("recording_lost_results_total", {}, 2),
    ):
        assert found[f"bindstream_{name}", tuple(sorted(labels.items()))] == value
    (build,) = [labels for name, labels in found if name == "bindstream_build_info"]
    assert dict(build)["fingerprint"] == "f1"


def test_what_is_not_known_yet_is_left_out(found: Any) -> None:
    assert not [labels for _, labels in found if ("stream", "door") in labels]
    assert ("bindstream_tower_cpu_seconds_total", (("embedder", "embed-1"),)) not in found
    assert ("bindstream_history_bytes", ()) not in found


def test_each_scrape_reads_anew_and_names_keep_to_the_conventions() -> None:
    said = status()
    before = {family.name: family for family in families(said)}
    said["uptime_s"] = 61.0
    after = {family.name: family for family in families(said)}
    assert before["bindstream_uptime_seconds"].samples[0].value == 60
    assert after["bindstream_uptime_seconds"].samples[0].value == 61
    for family in after.values():
        assert family.documentation.endswith(".")
        assert not family.name.endswith(("_ms", "_ns", "_s", "_total"))


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(BindstreamError, match=f"cannot listen on {address}.*another port"):
            MetricsServer(MetricsConfig(address=address), status)


def test_other_machines_are_kept_out_unless_they_are_let_in() -> None:
    for address in ("0.0.0.0:9464", "192.0.2.7:9464", "[::]:9464"):
        with pytest.raises(ValidationError, match="can be reached from other machines"):
            MetricsConfig(address=address)
        assert MetricsConfig(address=address, open=True).port == 9464
    assert MetricsConfig(address="[::1]:1").host == "::1"
    for wrong in ("9464", "127.0.0.1:", "127.0.0.1:99999", ":9464"):
        with pytest.raises(ValidationError, match="is not HOST:PORT"):
            MetricsConfig(address=wrong)


def test_a_configuration_that_opens_the_figures_to_all_is_named_with_its_line(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run.yaml"
    stream = "streams:\n  - {name: mic, modality: audio, source: {kind: microphone}}\n"
    path.write_text(stream + "metrics: {address: '0.0.0.0:9464'}\n")
    (problem,) = [p for p in check_config(path) if p.path.startswith("metrics")]
    assert (problem.line, "no password" in problem.what) == (3, True)
    path.write_text(stream + "metrics:\n")
    (problem,) = [p for p in check_config(path) if p.path.startswith("metrics")]
    assert "is empty" in problem.what
