"""bindstream calibrate: levels from recordings and what was kept, and a run that knows them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from bindstream.backtest import backtest
from bindstream.config import QueryConfig
from bindstream.history import History
from bindstream.history.computed import computed
from bindstream.models import load_model
from bindstream.queries import encode_query
from bindstream.recalling import recall
from bindstream.watch import Watch
from tests.cli.conftest import Command
from tests.history.windows import window, writer
from tests.teaching import recordings

pytest.importorskip("lancedb")
CPU = ("--device", "cpu", "--threads", 1)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five minutes of a room in which something beeps once, and two more minutes of it."""
    folder = tmp_path_factory.mktemp("night")
    wave = recordings.noise(9, 300.0, 0.003)
    wave[200 * 16000 : 204 * 16000] += recordings.beeps(7, 4.0)
    recordings.write(folder / "a.wav", wave)
    recordings.write(folder / "b.wav", recordings.noise(3, 130.0, 0.003))
    recordings.write(folder / "short.wav", recordings.noise(4, 20.0, 0.003))
    (folder / "bad.wav").write_bytes(b"RIFF")
    return folder


def configured(folder: Path, history: bool = True) -> Path:
    path = folder / "config.yaml"
    path.write_text(
        "streams:\n"
        "  - {name: kitchen, source: {kind: microphone, device: USB}}\n"
        "  - {name: wrist, source: {kind: imu, port: /dev/ttyUSB0}}\n"
        "model: {device: cpu, threads: 1}\n"
        "queries:\n"
        "  - {text: beeping, modalities: audio, budget: 50}\n"
        "  - {id: quiet, text: glass breaking}\n" + ("history: {}\n" if history else "")
    )
    return path


def test_a_run_knows_at_once_what_was_played(
    bindstream: Command, night: Path, tmp_path: Path
) -> None:
    config, begun_ns = configured(tmp_path), time.time_ns()
    given = ("--recording", f"kitchen={night}/a.wav", "--recording", f"kitchen={night}/b.wav")
    asked = bindstream("calibrate", config, *given, "--json", *CPU)
    assert asked.code == 0, asked.err
    said = json.loads(asked.out)
    first, second = said["recordings"]
    assert (first["windows"], second["windows"]) == (299, 129)
    assert first["kept"]["end_ns"] <= second["kept"]["start_ns"]
    assert abs(second["kept"]["end_ns"] - begun_ns) < 120 * 10**9
    levels = {(one["query"], one["stream"]): one for one in said["levels"]}
    assert set(levels) == {("beeping", "kitchen"), ("quiet", "kitchen"), ("quiet", "wrist")}
    beeping = levels["beeping", "kitchen"]
    assert beeping["promise"]["kept"]
    assert beeping["left_out"] == 1
    assert beeping["taken_for_true"][0]["at_s"] == pytest.approx(200, abs=3)
    assert beeping["taken_for_true"][0]["file"] == str(night / "a.wav")
    assert levels["quiet", "kitchen"]["promise"]["missing_hours"] > 5
    assert (levels["quiet", "wrist"]["cut"], levels["quiet", "wrist"]["hours"]) == (None, 0)

    model = load_model("starter", modalities=["text"], device="cpu", threads=1)
    phrases = model.encode_text(model.background("audio"))
    watch = Watch({"audio": phrases})
    recall(watch, tmp_path / "history", model.fingerprint, time.time_ns())
    query = QueryConfig.model_validate({"text": "beeping", "modalities": "audio", "budget": 50})
    watch.put(encode_query(query, model.encode_text, model.fingerprint))
    now_ns = time.time_ns() // 10**9 * 10**9 + 10**9
    quiet = {"modality": "audio", "model": model.fingerprint, "vector": phrases[0]}
    over: dict[str, Any] = {**quiet, "start_ns": now_ns, "end_ns": now_ns + 2 * 10**9}
    watch.push(window("kitchen", 0, **over))
    ((_, stream, level),) = watch.levels()
    assert stream == "kitchen"
    assert "at most 50 an hour with 95 % confidence" in level.promise
    assert level.on == pytest.approx(beeping["cut"], rel=0.05)


def test_the_history_alone_gives_the_levels_of_a_backtest(
    bindstream: Command, night: Path, tmp_path: Path
) -> None:
    config = configured(tmp_path)
    bindstream("calibrate", config, "--recording", f"kitchen={night}/a.wav", *CPU)
    given = ("--query", "beeping", "--budget", "40", "--json")
    said = json.loads(bindstream("calibrate", config, *given, *CPU).out)
    kitchen = next(one for one in said["levels"] if one["stream"] == "kitchen")
    model = load_model("starter", modalities=["text"], device="cpu", threads=1)
    query = encode_query(QueryConfig(text=("beeping",), budget=40), model.encode_text, "m")
    phrases = model.encode_text(model.background("audio"))
    heard = computed(History(tmp_path / "history"), model.fingerprint, "kitchen")
    assert kitchen["cut"] == pytest.approx(backtest(query, phrases, "kitchen", heard).promise.cut)
    shown = bindstream("calibrate", config, *CPU)
    assert "1 peak was taken for true" in shown.out
    assert "kitchen/" in shown.out
    again = bindstream("calibrate", config, "--recording", f"kitchen={night}/a.wav", *CPU)
    assert again.code == 2
    assert "was played into kitchen already" in again.err


def test_without_a_history_it_only_prints(bindstream: Command, night: Path, tmp_path: Path) -> None:
    config = configured(tmp_path, history=False)
    shown = bindstream("calibrate", config, "--recording", f"kitchen={night}/b.wav", *CPU)
    assert shown.code == 0, shown.err
    assert "kitchen" in shown.out
    assert "129 windows" in shown.out
    assert "nothing was kept" in shown.err
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]
    bare = bindstream("calibrate", config)
    assert (bare.code, "Give --recording" in bare.err) == (2, True)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (("--recording", "hall=a.wav"), "no stream is named 'hall'. There are: kitchen, wrist"),
        (("--recording", "kitchen"), "is not STREAM=FILE"),
        (("--recording", "kitchen=gone.wav"), "there is no file 'gone.wav'"),
        (("--recording", "kitchen=short.wav"), "too short: 19 windows of 120"),
        (("--recording", "kitchen=bad.wav"), "bad.wav: it cannot be played into kitchen (audio)"),
        (("--recording", "wrist=short.wav"), "short.wav: it cannot be played into wrist (imu)"),
        (("--recording", "kitchen=b.wav", "--recording", "kitchen=b.wav"), "no more"),
        (("--budget", "1/day"), "--budget is for --query"),
        (("--query", "beeping", "--budget", "often"), "no number of false alarms"),
        ((), "there is no history"),
    ],
)
def test_what_cannot_be_calibrated_is_said_and_nothing_is_kept(
    bindstream: Command,
    night: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    more: tuple[str, ...],
    why: str,
) -> None:
    monkeypatch.chdir(night)
    refused = bindstream("calibrate", configured(tmp_path), *more, *CPU)
    assert refused.code != 0
    assert why in " ".join(refused.err.split())
    assert not (tmp_path / "history").exists()


def test_a_history_that_a_run_writes_is_refused_before_anything_is_played(
    bindstream: Command, night: Path, tmp_path: Path
) -> None:
    config, writing = configured(tmp_path), writer(tmp_path / "history")
    refused = bindstream("calibrate", config, "--recording", f"kitchen={night}/a.wav", *CPU)
    assert "Stop that one" in refused.err
    writing.close(time.time_ns())
