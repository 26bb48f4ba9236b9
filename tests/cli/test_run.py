from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from bindstream.bus import Subscriber
from bindstream.models.directory import read_spec
from bindstream.teaching.taught import save_taught
from tests.cli.conftest import Command
from tests.teaching import recordings
from tests.teaching.test_taught import made

pytestmark = pytest.mark.slow


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def config_in(folder: Path, model: Path, length_s: float, speed: str = "1") -> Path:
    bus, inbound, control = (f"tcp://127.0.0.1:{port}" for port in free_ports(3))
    path = folder / "config.yaml"
    path.write_text(
        "streams:\n"
        f"  - {{name: wrist, source: {{kind: scene, length_s: {length_s}, speed: {speed}}}, "
        "modality: imu}\n"
        f"model: {{name: {model}, device: cpu, threads: 1}}\n"
        f'bus: {{address: "{bus}", inbound: "{inbound}", control: "{control}"}}\n'
        "queries:\n  - {id: dog, text: a dog barking, on: 50}\n"
        "sinks:\n  - {kind: terminal}\n  - {kind: jsonl, path: alerts.jsonl}\n"
    )
    return path


def start(*args: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", "from bindstream.cli import main; main()", *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
        start_new_session=True,  # a group of its own, as a terminal gives it
    )


def first_vector(listening: str) -> None:
    """Waits for one on the bus that a run's line names."""
    address = listening.split("Bus ")[1].split(",")[0]
    with Subscriber(address, ["emb."]) as bus:
        assert bus.receive(60) is not None


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Path]:
    """The configuration of a pipeline whose first vector was published; it is interrupted and
    looked at afterwards."""
    config = config_in(tmp_path_factory.mktemp("run"), tiny_model, length_s=3600)
    process = start("run", config)
    assert process.stdout is not None
    lines = []
    while "Listening" not in (lines or [""])[-1]:
        line = process.stdout.readline()
        assert line, f"ended early: {process.communicate()[1]}"
        lines.append(line)
    assert any(line.startswith("Model ") and "imu" in line for line in lines)
    first_vector(lines[-1])
    yield config
    process.send_signal(signal.SIGINT)
    shown, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    row = next(line for line in shown.splitlines() if "wrist" in line)
    captured, embedded = (int(cell) for cell in row.split()[2:4])
    assert captured > 0
    assert embedded <= captured


def test_queries_are_added_listed_and_removed(bindstream: Command, running: Path) -> None:
    added = bindstream(
        *("query", "add", "glass breaking", "breaking", "--not", "silence", "--on", "7"),
        *("--modality", "imu", "-c", running),
    )
    assert (added.code, added.err) == (0, "")
    assert "glass-breaking" in added.out
    listed = json.loads(bindstream("query", "list", "--json", "-c", running).out)
    assert [query["id"] for query in listed] == ["dog", "glass-breaking"]
    assert listed[1]["text"] == ["glass breaking", "breaking"]
    assert (listed[1]["negatives"], listed[1]["on"]) == (["silence"], 7)
    assert bindstream("query", "remove", "glass-breaking", "-c", running).code == 0
    assert "glass-breaking" not in bindstream("query", "list", "-c", running).out


def test_a_taught_query_is_added(
    bindstream: Command, running: Path, tiny_model: Path, tmp_path: Path
) -> None:
    spec = read_spec(tiny_model)
    by = {"name": spec.name, "fingerprint": spec.fingerprint}
    for modality in ("imu", "audio"):
        query = made(dim=spec.dim, model=by, modality=modality)
        save_taught(query, tmp_path / f"{modality}-beep.json")
    given = ("query", "add", "--taught", tmp_path / "imu-beep.json", "-c", running)
    assert "Watching for imu-beep" in bindstream(*given).out
    assert "imu-beep (taught)" in bindstream("query", "list", "-c", running).out
    assert bindstream("query", "remove", "imu-beep", "-c", running).code == 0
    other = bindstream("query", "add", "--taught", tmp_path / "audio-beep.json", "-c", running)
    assert other.code == 1
    assert "no stream this query listens to is audio" in other.err
    gone = bindstream("query", "add", "--taught", tmp_path / "gone.json", "-c", running)
    assert "gone.json: it cannot be read" in gone.err
    assert bindstream("query", "add", "-c", running).code == 2


def test_examples_are_embedded_here_for_a_pipeline_elsewhere(
    bindstream: Command, running: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times_ms = np.arange(0, 6000, 10)
    readings = np.random.default_rng(0).normal(size=(len(times_ms), 6)).astype(np.float32)
    monkeypatch.chdir(tmp_path)
    readings[:, 2] += 9.8
    np.savez("shake.npz", time_ms=times_ms, acc_gyro=readings)
    np.save("v.npy", np.ones(16))
    recordings.write(tmp_path / "beep.wav", recordings.beeps(0))
    given = ("query", "add", "--like", "shake.npz", "--plus", "2*v.npy", "--minus", "0.5*a dog")
    added = bindstream(*given, "-c", running)
    assert "Watching for shake: shake | v" in added.out, added.err
    listed = bindstream("query", "list", "-c", running).out
    assert all(part in listed for part in ("shake.npz", "2*v.npy", "0.5*a"))
    assert bindstream("query", "remove", "shake", "-c", running).code == 0
    for args, why in (
        (("--like", "beep.wav"), "no stream this query listens to is audio"),
        (("--like", "gone.wav"), "there is no file 'gone.wav'"),
        (("--like", "v.npy"), "nothing says which sensor"),
        (("--like", "shake.npz", "--model", "starter"), "their vectors are not comparable"),
        (("--minus", "v.npy"), "nothing to watch for"),
    ):
        refused = bindstream("query", "add", *args, "-c", running)
        assert refused.code != 0
        assert why in " ".join(refused.err.split())


def test_a_query_that_cannot_be_is_refused_and_nothing_changes(
    bindstream: Command, running: Path
) -> None:
    refused = bindstream("query", "add", "fire", "--stream", "garden", "-c", running)
    assert refused.code == 1
    assert "garden" in refused.err
    assert bindstream("query", "remove", "fire", "-c", running).code == 1


def test_words_the_model_never_saw_are_named(bindstream: Command, running: Path) -> None:
    added = bindstream("query", "add", "a zeppelin", "-c", running)
    assert added.code == 0
    assert "'zeppelin'" in added.err
    said = json.loads(bindstream("status", "--json", "-c", running).out)
    (at_ns,) = {w["at_ns"] for w in said["warnings"] if "'zeppelin'" in w["what"]}
    assert abs(at_ns - time.time_ns()) < 60 * 10**9
    when = time.strftime("%H:%M:%S", time.localtime(at_ns / 1e9))
    shown = bindstream("status", "-c", running).out
    assert re.search(rf"^(\d{{4}}-\d\d-\d\d )?{when} .*'zeppelin'", shown, re.MULTILINE)
    bindstream("query", "remove", "a-zeppelin", "-c", running)


def test_vectors_can_be_listened_to(bindstream: Command, running: Path) -> None:
    heard = bindstream("listen", "emb.imu.", "--json", "--count", 2, "-c", running)
    first, second = (json.loads(line) for line in heard.out.splitlines())
    assert (first["stream"], first["modality"]) == ("wrist", "imu")
    assert second["seq"] == first["seq"] + 1
    assert sum(x * x for x in first["vector"]) == pytest.approx(1, abs=1e-4)


def test_status_accounts_for_every_window(bindstream: Command, running: Path) -> None:
    bindstream("listen", "emb.", "--count", 1, "-c", running)
    said = json.loads(bindstream("status", "--json", "-c", running).out)
    accounts = said["streams"]["wrist"]["intake"]["accounts"]
    settled = accounts["embedded"] + accounts["reused"] + sum(accounts["dropped"].values())
    assert accounts["captured"] == settled + accounts["pending"]
    assert "wrist" in bindstream("status", "-c", running).out


def test_a_stream_explains_itself_while_it_runs(bindstream: Command, running: Path) -> None:
    bindstream("listen", "emb.", "--count", 1, "-c", running)
    said = json.loads(bindstream("explain", "wrist", "--once", "--json", "-c", running).out)
    assert (said["stream"], said["modality"]) == ("wrist", "imu")
    assert [query["query"] for query in said["queries"]] == ["dog"]
    assert "wrist (imu)" in bindstream("explain", "wrist", "--once", "-c", running).out
    unknown = bindstream("explain", "attic", "-c", running)
    assert unknown.code == 1
    assert "There are: wrist" in unknown.err


@pytest.mark.parametrize(
    ("send", "number"), [(os.kill, signal.SIGTERM), (os.killpg, signal.SIGINT)], ids=["TERM", "^C"]
)
def test_a_signal_drains_within_5_s_and_leaves_no_process(
    tmp_path: Path, tiny_model: Path, send: Callable[[int, int], None], number: int
) -> None:
    process = start("run", config_in(tmp_path, tiny_model, length_s=3600))
    assert process.stdout is not None
    while "Listening" not in (line := process.stdout.readline()):
        assert line, f"ended early: {process.communicate()[1]}"
    first_vector(line)
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 5  # Ray's own, and the actors
    begun = time.monotonic()
    send(process.pid, number)
    shown, err = process.communicate(timeout=60)
    assert time.monotonic() - begun < 5
    assert (process.returncode, err) == (0, "")
    row = next(line for line in shown.splitlines() if "wrist" in line)
    captured, embedded, reused, dropped, pending = map(int, row.split()[2:7])
    assert embedded > 0
    assert (captured, pending) == (embedded + reused + dropped, 0)
    assert psutil.wait_procs(family, timeout=5)[1] == []


def test_a_recording_runs_to_its_end(tmp_path: Path, tiny_model: Path) -> None:
    process = start("run", config_in(tmp_path, tiny_model, length_s=20, speed="max"))
    shown, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    row = next(line for line in shown.splitlines() if "wrist" in line)
    state, captured, embedded = row.split()[1:4]
    assert (state, captured) == ("ended", embedded)
    assert int(captured) >= 14


def test_nobody_there_is_exit_code_1(bindstream: Command) -> None:
    (port,) = free_ports(1)
    asked = bindstream("status", "--address", f"tcp://127.0.0.1:{port}")
    assert asked.code == 1
    assert "bindstream run" in asked.err


def test_a_wrong_configuration_is_exit_code_2(bindstream: Command, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("streams: []\n")
    refused = bindstream("run", tmp_path / "config.yaml")
    assert refused.code == 2
    assert "config.yaml:1: streams" in refused.err


@pytest.mark.parametrize(("others", "code"), [(0, 1), (1, 3)])
def test_a_recording_that_is_broken_fails_the_run_or_its_part(
    tmp_path: Path, tiny_model: Path, others: int, code: int
) -> None:
    (tmp_path / "log.csv").write_text("no readings at all\n")
    path = config_in(tmp_path, tiny_model, 8, speed="max")
    head, sound, rest = path.read_text().partition("  - {name: wrist")
    broken = "  - {name: ankle, source: {kind: imu, file: log.csv}}\n"
    scene, _, sections = (sound + rest).partition("\n")
    path.write_text(head + broken + others * (scene + "\n") + sections)
    process = start("run", path)
    said, err = process.communicate(timeout=90)
    assert process.returncode == code, said + err
    assert "ankle" in said
    assert "holds no readings" in said + err
    assert re.search(r"^! \d\d:\d\d:\d\d stream ankle: failed: ", err, re.MULTILINE)


def test_a_run_whose_sensor_was_never_there_failed(tmp_path: Path, tiny_model: Path) -> None:
    path = config_in(tmp_path, tiny_model, 8)
    path.write_text(
        path.read_text().replace(
            "source: {kind: scene, length_s: 8, speed: 1}, modality: imu",
            "source: {kind: imu, port: /dev/nowhere}",
        )
    )
    process = start("run", path, "--seconds", "12")
    said, err = process.communicate(timeout=90)
    assert process.returncode == 1, said + err
    assert "/dev/nowhere" in said
